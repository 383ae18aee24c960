import assert from "node:assert/strict";
import { VirtualClock } from "../../../../beam/platform/clock.js";
import { Health } from "../../../../beam/platform/health.js";
import type { KafkaClient, PartitionOffset } from "../../../../connectors/kafka/client/kafka_client.js";
import { OffsetCommitter } from "../../../../connectors/kafka/offset_committer.js";

describe("OffsetCommitter", () => {
  let clock: VirtualClock;
  let health: Health;
  let sent: string[];
  let error: Error | undefined;
  let committer: OffsetCommitter;

  beforeEach(() => {
    clock = new VirtualClock(0);
    health = new Health(clock);
    sent = [];
    error = undefined;
    const client = {
      commitOffsets: async (group: string, offsets: readonly PartitionOffset[]) => {
        if (error !== undefined) throw error;
        sent.push(`${group}: ${offsets.map((o) => `${o.topic}[${o.partition}] ${o.offset}`).join(", ")}`);
      },
    };
    committer = new OffsetCommitter(client as KafkaClient, "g", clock, health);
  });

  async function pass(ms: number): Promise<void> {
    const endMs = clock.now() + ms;
    for (let at = clock.nextTaskAt; at !== undefined && at <= endMs; at = clock.nextTaskAt) {
      clock.advanceTo(at);
      await clock.yield();
    }
    clock.advanceTo(endMs);
    await clock.yield();
  }

  it("sends the newest offset of each partition, once a second at most", async () => {
    committer.note("t", 0, 1);
    committer.note("t", 1, 5);
    committer.note("t", 0, 2);
    await pass(999);
    assert.deepEqual(sent, []);
    await pass(1);
    assert.deepEqual(sent, ["g: t[0] 2, t[1] 5"]);
    await pass(60_000);
    assert.equal(sent.length, 1);
  });

  it("keeps what a group with members refuses, tries less and less often, and tells", async () => {
    error = new Error("Kafka answered UNKNOWN_MEMBER_ID: not a member");
    committer.note("t", 0, 1);
    committer.note("t", 1, 5);
    await pass(1_000);
    assert.match(health.problems()[0]!.component, /Kafka group g/);
    assert.match(health.problems()[0]!.problem, /consumers have joined the group/);
    await pass(600_000);
    committer.note("t", 0, 9);
    error = undefined;
    await pass(60_000);
    assert.deepEqual(sent, ["g: t[0] 9, t[1] 5"]);
    assert.deepEqual(health.problems(), []);
  });

  it("sends what is left at its end, and is not kept by brokers that are away", async () => {
    committer.note("t", 0, 1);
    await committer.close();
    assert.deepEqual(sent, ["g: t[0] 1"]);
    error = new Error("away");
    committer.note("t", 0, 2);
    await committer.close();
    assert.equal(clock.nextTaskAt, undefined);
  });
});
