import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  InterruptedError,
  unlessAborted,
  watchInterrupts,
} from "../../../../pipeline/commands/interrupts.js";
import { FROM_SOURCE } from "../../../fixtures/from_source.js";

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

describe("a second signal", function () {
  this.timeout(30_000);

  it("ends at once, with a word, a process that something hangs in", async () => {
    const folder = mkdtempSync(join(tmpdir(), "interrupts-"));
    try {
      execFileSync("mkfifo", [join(folder, "fifo")]);
      const script = `
        import { open } from "node:fs/promises";
        import { watchInterrupts } from ${JSON.stringify(new URL("../../../../pipeline/commands/interrupts.ts", import.meta.url).href)};
        const { signal } = watchInterrupts();
        open(${JSON.stringify(join(folder, "fifo"))});
        signal.addEventListener("abort", () => console.log("aborted"));
        setInterval(() => undefined, 1000);
        console.log("ready");`;
      const args = [...FROM_SOURCE, "--input-type=module", "-e", script];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
      let stderr = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        stderr += text;
      });
      // One signal for each line.
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        for (const _ of text.trim().split("\n")) child.kill("SIGTERM");
      });
      const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
        child.once("close", (code, signal) => resolve([code, signal]));
      });
      assert.deepEqual([code, signal], [null, "SIGTERM"], stderr);
      assert.equal(stderr, "second SIGTERM: ended at once. What was committed is safe\n");
    } finally {
      rmSync(folder, { recursive: true });
    }
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
