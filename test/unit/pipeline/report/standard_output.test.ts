import assert from "node:assert/strict";
import { LogOutput } from "../../../../pipeline/report/standard_output.js";

/** A stream whose reader takes what it is told to. */
class SlowStream {
  readonly isTTY: boolean;
  taken = "";
  writableLength = 0;
  #waiting: { readonly text: string; readonly done: (() => void) | undefined }[] = [];
  #onError: (error: Error) => void = () => undefined;

  constructor(isTTY = false) {
    this.isTTY = isTTY;
  }

  on(_: "error", listener: (error: Error) => void): void {
    this.#onError = listener;
  }
  fail(): void {
    this.#onError(new Error("write EPIPE"));
  }
  write(text: string, done?: () => void): void {
    this.#waiting.push({ text, done });
    this.writableLength += text.length;
  }
  takeAll(): void {
    for (const { text, done } of this.#waiting) {
      this.taken += text;
      done?.();
    }
    this.#waiting = [];
    this.writableLength = 0;
  }
}

const LINE = `${"x".repeat(1_000)}\n`;

describe("the log's output", () => {
  for (const isTty of [false, true]) {
    it(`keeps a bounded part of what nobody reads, and says what is missing ${isTty ? "to people" : "to machines"}`, () => {
      const stream = new SlowStream(isTty);
      const output = new LogOutput(stream);
      for (let i = 0; i < 10_000; i++) output.write(LINE);
      assert.ok(stream.writableLength < 2_000_000, `${stream.writableLength} characters wait`);
      stream.takeAll();
      const written = stream.taken.length / LINE.length;
      output.write("again\n");
      stream.takeAll();
      const [gap, last] = stream.taken.trimEnd().split("\n").slice(-2);
      assert.equal(last, "again");
      const dropped = 10_000 - written;
      assert.ok(gap!.includes(`${dropped} messages were dropped`), gap);
      if (!isTty) assert.equal(JSON.parse(gap!).dropped, dropped);
    });
  }

  it("writes nothing more once its reader is gone, and fails nobody", async () => {
    const stream = new SlowStream();
    const output = new LogOutput(stream);
    output.write("one\n");
    stream.fail();
    output.write("two\n");
    await output.flush();
    stream.takeAll();
    assert.equal(stream.taken, "one\n");
  });

  it("waits at the end until all is read, or long enough", async () => {
    const stream = new SlowStream();
    const output = new LogOutput(stream);
    await output.flush();
    output.write("one\n");
    await output.flush(5);
    const flushed = output.flush(60_000);
    stream.takeAll();
    await flushed;
    assert.equal(stream.taken, "one\n");
  });
});
