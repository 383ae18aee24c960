import assert from "node:assert/strict";
import { type Document, type MongoClient, MongoServerError } from "mongodb";
import { VirtualClock } from "../../../../beam/platform/clock.js";
import { TrustedClock } from "../../../../beam/platform/trusted_clock.js";
import { registerMongoClient } from "../../../../connectors/mongodb/mongo_connections.js";
import { ServerClock } from "../../../../connectors/mongodb/server_clock.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const NAME = "server clock";

describe("ServerClock", () => {
  let clock: VirtualClock;
  let trusted: TrustedClock;
  let asked: number;
  let isDown: boolean;
  /** The code with which the server refuses a command. */
  let refuses: (name: string) => number | undefined;
  let serverClock: ServerClock | undefined;
  /** The server shows what `clock` did at the start, and goes on. */
  const command = async (document: Document) => {
    asked++;
    const code = refuses(Object.keys(document)[0]!);
    if (code !== undefined) throw new MongoServerError({ message: "refused", code });
    if (isDown) throw new Error("connection refused");
    return { localTime: new Date(HOUR_MS + Math.floor(clock.elapsed())) };
  };
  const pass = async (ms: number, stepMs = 1_000) => {
    for (let left = ms; left > 0; left -= stepMs) {
      clock.advanceTo(clock.now() + stepMs);
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    }
  };

  beforeEach(() => {
    clock = new VirtualClock(HOUR_MS);
    clock.jump(HOUR_MS);
    trusted = new TrustedClock(clock);
    asked = 0;
    isDown = false;
    refuses = () => undefined;
    const client = { db: () => ({ command }), close: async () => undefined };
    registerMongoClient(NAME, async () => client as unknown as MongoClient);
  });

  afterEach(() => serverClock?.stop());

  it("is heard at the start, and each minute", async () => {
    serverClock = new ServerClock(NAME, trusted, clock);
    await serverClock.answered;
    assert.equal(asked, 1);
    assert.equal(trusted.problem(), undefined);
    await pass(2 * MINUTE_MS);
    assert.equal(asked, 3);
  });

  it("is asked at once when this machine's clock is set", async () => {
    serverClock = new ServerClock(NAME, trusted, clock);
    await serverClock.answered;
    await pass(10_000);
    clock.jump(HOUR_MS);
    await pass(2_000);
    assert.equal(asked, 2);
    await pass(10_000);
    assert.equal(asked, 2);
    clock.jump(-HOUR_MS);
    await pass(2_000);
    assert.equal(asked, 3);
  });

  it("is asked again until it answers, and says nothing meanwhile", async () => {
    isDown = true;
    serverClock = new ServerClock(NAME, trusted, clock);
    await pass(5_000);
    assert.ok(asked >= 5);
    isDown = false;
    await pass(1_000);
    await serverClock.answered;
  });

  it("is asked in the old way where the server does not know the new one", async () => {
    refuses = (name) => (name === "hello" ? 59 : undefined);
    serverClock = new ServerClock(NAME, trusted, clock);
    await serverClock.answered;
    assert.equal(asked, 2);
    clock.jump(HOUR_MS);
    await pass(2_000);
    assert.match(trusted.problem()!, /set forward by 60 min/);
  });

  it("holds nobody up that refuses to say, and is asked again in a minute", async () => {
    refuses = () => 13;
    serverClock = new ServerClock(NAME, trusted, clock);
    await serverClock.answered;
    await pass(MINUTE_MS - 2_000);
    assert.equal(asked, 1);
    await pass(4_000);
    assert.equal(asked, 2);
  });

  it("is not asked where this machine's clock is believed, nor after the stop", async () => {
    const believed = new TrustedClock(clock, { skewMaxMs: null });
    const unasked = new ServerClock(NAME, believed, clock);
    await unasked.answered;
    await pass(2 * MINUTE_MS);
    assert.equal(asked, 0);
    serverClock = new ServerClock(NAME, trusted, clock);
    await serverClock.answered;
    serverClock.stop();
    await pass(2 * MINUTE_MS);
    assert.equal(asked, 1);
    assert.equal(clock.nextTaskAt, undefined);
  });
});
