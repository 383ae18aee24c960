import assert from "node:assert/strict";
import { CorruptBytesError } from "../../../../../beam/model/bytes.js";
import { decodeFromBytes, encodeToBytes } from "../../../../../beam/model/coders/encode_to_bytes.js";
import {
  CustomWindowCoder,
  GlobalWindowCoder,
  IntervalWindowCoder,
} from "../../../../../beam/model/coders/window_coders.js";
import { MAX_TIMESTAMP, MIN_TIMESTAMP } from "../../../../../beam/model/timestamps.js";
import { GlobalWindow, IntervalWindow } from "../../../../../beam/model/windows.js";

const INTERVAL = IntervalWindowCoder.INSTANCE;

describe("window coders", () => {
  it("keep windows at the ends of time, and the longest", () => {
    for (const [start, end] of [
      [MIN_TIMESTAMP, MAX_TIMESTAMP],
      [MIN_TIMESTAMP, 0],
      [0, MAX_TIMESTAMP],
      [MIN_TIMESTAMP, MIN_TIMESTAMP],
      [-(2 ** 53) + 1, 2 ** 53 - 1],
    ] as const) {
      const window = new IntervalWindow(start, end);
      for (const coder of [INTERVAL, new CustomWindowCoder(INTERVAL)]) {
        assert.deepEqual(decodeFromBytes(coder, encodeToBytes(coder, window, "nested"), "nested"), window);
      }
    }
  });

  it("refuse a window that ends before it starts", () => {
    assert.throws(() => encodeToBytes(INTERVAL, new IntervalWindow(2, 1), "nested"), TypeError);
    for (const hex of ["8000000000000001ffffffffffffffffff01", "8020c49ba5e353f7ffffffffffffffffff01"]) {
      assert.throws(() => decodeFromBytes(INTERVAL, Buffer.from(hex, "hex"), "nested"), CorruptBytesError);
    }
  });

  it("put the last instant of a custom window first", () => {
    const coder = new CustomWindowCoder(INTERVAL);
    const bytes = encodeToBytes(coder, new IntervalWindow(0, 1000), "nested");
    assert.equal(bytes.toString("hex"), "80000000000003e7" + "80000000000003e8" + "e807");
    const global = encodeToBytes(
      new CustomWindowCoder(GlobalWindowCoder.INSTANCE),
      GlobalWindow.INSTANCE,
      "nested",
    );
    assert.equal(global.toString("hex"), "8020c49ba0bcf7f7");
  });
});
