import assert from "node:assert/strict";
import type { ProduceProgress } from "../../../producers/producer.js";
import { ProgressLine } from "../../../producers/progress.js";

const progress = { sent: 12, acknowledged: 10, errors: 1, ratePerSecond: 5 };
const summary = { ...progress, orders: 6, payments: 4, durationMs: 2345 };

function recorder(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, written, write: (text: string) => written.push(text) };
}

describe("ProgressLine", () => {
  it("rewrites one line on a terminal", () => {
    const stream = recorder(true);
    const line = new ProgressLine("produce", stream);
    line.update(progress);
    line.update(progress);
    line.end(summary);
    const figures = "produce: 12 sent, 10 acknowledged, 5/s, 1 errors";
    const erase = "\r\x1b[K";
    assert.deepEqual(stream.written, [erase + figures, erase + figures, `${erase}${figures}, in 2.3 s\n`]);
  });

  it("says how far it is, and what it waits for", () => {
    const stream = recorder(true);
    const line = new ProgressLine("produce", stream);
    const dueUntilMs = new Date(2026, 5, 1, 23, 45).getTime();
    const shown = (rest: ProduceProgress["rest"]): string => {
      line.update({ ...progress, acknowledged: 8_300, rest });
      return stream.written.at(-1)!.replace(/^[\s\S]* errors/, "");
    };
    assert.equal(shown(undefined), "");
    assert.equal(shown({ messages: 8_300, orders: 3_000, dueUntilMs }), ", 50 %");
    assert.equal(
      shown({ messages: 1_700, orders: 0, dueUntilMs }),
      ", 83 %: all orders sent; 1,700 delayed payments and repeats due until 23:45; --rate=0 sends at once",
    );
    assert.equal(shown({ messages: 0, orders: 0, dueUntilMs }), "");
  });

  it("writes a line every five seconds elsewhere", () => {
    const stream = recorder(false);
    let nowMs = 0;
    const line = new ProgressLine("produce", stream, () => nowMs);
    for (nowMs = 0; nowMs <= 11_000; nowMs += 1000) line.update(progress);
    line.end(summary);
    assert.equal(stream.written.length, 4);
    for (const text of stream.written) assert.match(text, /^produce: 12 sent.*\n$/);
  });
});
