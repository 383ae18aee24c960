import assert from "node:assert/strict";
import {
  InterruptedError,
  unlessAborted,
  watchInterrupts,
} from "../../../../pipeline/commands/interrupts.js";

describe("watchInterrupts", () => {
  it("aborts at the first signal, and gives the signals back", () => {
    const before = process.listenerCount("SIGTERM");
    const { signal, dispose } = watchInterrupts();
    try {
      process.emit("SIGTERM", "SIGTERM");
      assert(signal.aborted);
      assert(signal.reason instanceof InterruptedError);
      assert.equal(signal.reason.exitCode, 143);
    } finally {
      dispose();
    }
    assert.equal(process.listenerCount("SIGTERM"), before);
  });
});

describe("unlessAborted", () => {
  it("resolves and rejects with the work", async () => {
    const { signal } = new AbortController();
    assert.equal(await unlessAborted(signal, Promise.resolve(1)), 1);
    await assert.rejects(unlessAborted(signal, Promise.reject(new Error("no"))), /no/);
  });

  it("stops waiting at the abort", async () => {
    const controller = new AbortController();
    const waiting = unlessAborted(controller.signal, new Promise(() => undefined));
    controller.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    await assert.rejects(unlessAborted(controller.signal, Promise.resolve(1)), /enough/);
  });
});
