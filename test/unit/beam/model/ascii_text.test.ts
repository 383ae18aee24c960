import assert from "node:assert/strict";
import { asciiText } from "../../../../beam/model/ascii_text.js";

describe("asciiText", () => {
  it("reads every length, from wherever it begins", () => {
    const buffer = Buffer.from(Array.from({ length: 128 }, (_, code) => code));
    for (let length = 0; length <= 64; length++) {
      for (const start of [0, 1, 63]) {
        const text = asciiText(buffer, start, start + length);
        assert.equal(text, buffer.toString("latin1", start, start + length), `${length} bytes from ${start}`);
      }
    }
  });
});
