import assert from "node:assert/strict";
import { setTimeout as sleep, setImmediate as tick } from "node:timers/promises";
import { pump } from "../../../producers/pump.js";
import type { ScenarioMessage } from "../../../producers/scenario.js";

function* numbered(count: number, taken?: { count: number }): Generator<ScenarioMessage> {
  for (let i = 0; i < count; i++) {
    if (taken !== undefined) taken.count++;
    yield { topic: "orders", key: String(i), value: null, createdAtMs: i, arrivalMs: i };
  }
}

const keys = (messages: readonly ScenarioMessage[]) => messages.map(({ key }) => Number(key));
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

describe("pump", () => {
  it("sends everything once, in order, in bounded batches", async () => {
    const sent: ScenarioMessage[] = [];
    const sizes: number[] = [];
    const send = async (batch: ScenarioMessage[]) => {
      sizes.push(batch.length);
      await tick();
      sent.push(...batch);
    };
    await pump({ messages: numbered(25), send, batchSizeMax: 10 });
    assert.deepEqual(keys(sent), upTo(25));
    assert.deepEqual(sizes, [10, 10, 5]);
  });

  it("takes at most one batch more while one is being sent", async () => {
    const taken = { count: 0 };
    let running = 0;
    let release = () => {};
    const send = async () => {
      assert.equal(++running, 1);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      running--;
    };
    const done = pump({ messages: numbered(100, taken), send, batchSizeMax: 10 });
    await sleep(5);
    assert.equal(taken.count, 20);
    for (let i = 0; i < 10; i++) {
      release();
      await sleep(1);
    }
    await done;
    assert.equal(taken.count, 100);
  });

  it("sends when due and not before, without waiting for a full batch", async () => {
    const startMs = Date.now();
    const sentAt = new Map<string, number>();
    const send = async (batch: ScenarioMessage[]) => {
      for (const { key } of batch) sentAt.set(key, Date.now() - startMs);
    };
    const dueMs = (_: ScenarioMessage, index: number) => startMs + index * 20;
    await pump({ messages: numbered(6), send, dueMs, batchSizeMax: 100 });
    for (const [key, at] of sentAt) {
      // Node's timers count whole milliseconds, and may end one early.
      assert.ok(at >= Number(key) * 20 - 1, `${key} at ${at} ms`);
    }
    assert.equal(sentAt.size, 6);
    assert.ok(sentAt.get("0")! < sentAt.get("5")!);
  });

  it("stops at the signal, even while waiting, and sends what it took", async () => {
    const stop = new AbortController();
    const sent: ScenarioMessage[] = [];
    const send = async (batch: ScenarioMessage[]) => {
      sent.push(...batch);
    };
    const startMs = Date.now();
    const dueMs = (_: ScenarioMessage, index: number) => (index < 3 ? startMs : startMs + 60_000);
    setTimeout(() => stop.abort(), 20);
    await pump({ messages: numbered(10), send, dueMs, batchSizeMax: 100, signal: stop.signal });
    assert.deepEqual(keys(sent), [0, 1, 2]);
    assert.ok(Date.now() - startMs < 5000);
  });

  it("ends an endless scenario at the signal", async () => {
    const stop = new AbortController();
    let sent = 0;
    const send = async (batch: ScenarioMessage[]) => {
      sent += batch.length;
      if (sent >= 1000) stop.abort();
      await tick();
    };
    const messages = numbered(Number.POSITIVE_INFINITY);
    await pump({ messages, send, batchSizeMax: 100, signal: stop.signal });
    assert.ok(sent >= 1000 && sent <= 1200);
  });

  it("passes on a failed send and takes no more", async () => {
    const taken = { count: 0 };
    const send = async () => {
      await tick();
      throw new Error("no broker");
    };
    await assert.rejects(pump({ messages: numbered(1000, taken), send, batchSizeMax: 10 }), /no broker/);
    assert.ok(taken.count <= 20);
    await assert.rejects(pump({ messages: numbered(5), send, batchSizeMax: 10 }), /no broker/);
  });
});
