import assert from "node:assert/strict";
import { Terminal } from "../../../../pipeline/report/terminal.js";

function recorder(columns?: number) {
  const written: string[] = [];
  return { isTTY: true, columns: columns ?? 0, written, write: (text: string) => written.push(text) };
}

const ERASE_TWO = "\x1b[2A\r\x1b[J";

describe("Terminal", () => {
  it("rewrites the block in place", () => {
    const stream = recorder();
    const terminal = new Terminal(stream);
    terminal.show(["a", "b"]);
    terminal.show(["c"]);
    assert.deepEqual(stream.written, ["a\nb\n", `${ERASE_TWO}c\n`]);
  });

  it("keeps the block below what is logged", () => {
    const stream = recorder();
    const terminal = new Terminal(stream);
    terminal.show(["a", "b"]);
    terminal.write("logged\n");
    assert.equal(stream.written.at(-1), `${ERASE_TWO}logged\na\nb\n`);
  });

  it("cuts lines at the width, so that they can be erased", () => {
    const stream = recorder(5);
    new Terminal(stream).show(["123456789"]);
    assert.deepEqual(stream.written, ["1234\n"]);
  });

  it("leaves the block alone once it is to stay", () => {
    const stream = recorder();
    const terminal = new Terminal(stream);
    terminal.show(["a"]);
    terminal.keep();
    terminal.write("summary\n");
    assert.equal(stream.written.at(-1), "summary\n");
  });
});
