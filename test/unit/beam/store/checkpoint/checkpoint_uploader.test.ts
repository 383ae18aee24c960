import assert from "node:assert/strict";
import { VirtualClock } from "../../../../../beam/platform/clock.js";
import { Health } from "../../../../../beam/platform/health.js";
import { OtherWriterError } from "../../../../../beam/store/checkpoint/checkpoint_errors.js";
import type { CheckpointSource } from "../../../../../beam/store/checkpoint/checkpoint_source.js";
import {
  type CheckpointPublisher,
  CheckpointUploader,
} from "../../../../../beam/store/checkpoint/checkpoint_uploader.js";
import type { Manifest } from "../../../../../beam/store/checkpoint/manifest.js";

const INTERVAL_MS = 300_000;
const author = { directoryId: "d", sessionId: "s", host: "h" };

class FakeSource implements CheckpointSource {
  lastCommit = 1;
  pinned = 0;

  async checkpoint() {
    this.pinned++;
    return {
      files: [],
      commit: this.lastCommit,
      release: async () => {
        this.pinned--;
      },
    };
  }
}

describe("CheckpointUploader", () => {
  let clock: VirtualClock;
  let source: FakeSource;
  let health: Health;
  let published: number[];
  let prunes: number;
  /** Set by a test to hold or break what is published. */
  let onPublish: () => Promise<void>;
  let onPrune: () => Promise<void>;
  let uploader: CheckpointUploader;

  beforeEach(() => {
    clock = new VirtualClock(0);
    source = new FakeSource();
    health = new Health(clock);
    published = [];
    prunes = 0;
    onPublish = async () => {};
    onPrune = async () => {};
    const writer: CheckpointPublisher = {
      async publish({ commit }) {
        await onPublish();
        published.push(commit);
        return { id: "i", createdAtMs: 0, author, commit, identity: undefined, files: [] } satisfies Manifest;
      },
      async prune() {
        prunes++;
        await onPrune();
      },
    };
    uploader = new CheckpointUploader({
      source,
      writer,
      clock,
      intervalMs: INTERVAL_MS,
      health,
      random: () => 0.999,
    });
  });

  async function pass(ms: number): Promise<void> {
    const until = clock.now() + ms;
    for (let next = clock.nextTaskAt; next !== undefined && next <= until; next = clock.nextTaskAt) {
      clock.advanceTo(next);
      await clock.yield();
    }
    clock.advanceTo(until);
    await clock.yield();
  }

  it("uploads once an interval, and nothing when nothing was committed", async () => {
    await pass(INTERVAL_MS - 1);
    assert.deepEqual(published, []);
    await pass(1);
    assert.deepEqual(published, [1]);
    await pass(2 * INTERVAL_MS);
    assert.deepEqual(published, [1]);
    source.lastCommit = 7;
    await pass(INTERVAL_MS);
    assert.deepEqual(published, [1, 7]);
    assert.equal(prunes, 2);
    assert.equal(source.pinned, 0);
  });

  it("never uploads two at once, and at the stop what came meanwhile", async () => {
    let release: () => void = () => {};
    let underWay = 0;
    let most = 0;
    onPublish = async () => {
      most = Math.max(most, ++underWay);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      underWay--;
    };
    await pass(INTERVAL_MS);
    await pass(3 * INTERVAL_MS);
    source.lastCommit = 2;
    const stopped = uploader.stop();
    const again = uploader.stop();
    release();
    while (published.length < 2) {
      await clock.yield();
      release();
    }
    await Promise.all([stopped, again]);
    assert.deepEqual(published, [1, 2]);
    assert.equal(most, 1);
    await pass(3 * INTERVAL_MS);
    assert.deepEqual(published, [1, 2]);
  });

  it("tells of failures and tries again, soon at first, until it works", async () => {
    let attempts = 0;
    onPublish = async () => {
      attempts++;
      throw new Error("the network is down");
    };
    await pass(INTERVAL_MS);
    assert.deepEqual(health.problems(), [
      { component: "checkpoints", problem: "the network is down", sinceMs: INTERVAL_MS },
    ]);
    await pass(75_000);
    assert.equal(attempts, 5);
    await pass(10 * INTERVAL_MS);
    assert.ok(attempts <= 5 + 12, `${attempts} attempts`);
    onPublish = async () => {};
    await pass(INTERVAL_MS);
    assert.deepEqual(published, [1]);
    assert.deepEqual(health.problems(), []);
    assert.equal(source.pinned, 0);
  });

  it("repeats the removal of old ones when only that failed", async () => {
    onPrune = async () => {
      throw new Error("no permission");
    };
    await pass(INTERVAL_MS);
    assert.match(health.problems()[0]!.problem, /old checkpoints cannot be removed: no permission/);
    onPrune = async () => {};
    await pass(10_000);
    assert.deepEqual([published, prunes, health.problems()], [[1], 2, []]);
  });

  it("leaves the place to another writer for good, and says so as long as it runs", async () => {
    onPublish = async () => {
      throw new OtherWriterError("gs://b", "of h", "End one.");
    };
    await pass(INTERVAL_MS);
    onPublish = async () => {};
    await pass(10 * INTERVAL_MS);
    await uploader.stop();
    assert.deepEqual(published, []);
    assert.match(health.problems()[0]!.problem, /another state directory/);
  });

  it("ends with a last attempt that fails, without throwing", async () => {
    onPublish = async () => {
      throw new Error("gone");
    };
    await uploader.stop();
    assert.equal(health.problems().length, 1);
    assert.equal(source.pinned, 0);
  });
});
