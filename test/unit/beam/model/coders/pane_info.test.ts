import assert from "node:assert/strict";
import { ByteReader, ByteWriter, CorruptBytesError } from "../../../../../beam/model/bytes.js";
import { readPaneInfo, writePaneInfo } from "../../../../../beam/model/coders/pane_info.js";
import { NO_FIRING, type PaneInfo, Timing } from "../../../../../beam/model/pane.js";

function pane(flags: string, timing: Timing, index: number, nonSpeculativeIndex: number): PaneInfo {
  return { isFirst: flags.includes("F"), isLast: flags.includes("L"), timing, index, nonSpeculativeIndex };
}

const read = (hex: string) => readPaneInfo(new ByteReader(Buffer.from(hex, "hex")));

describe("pane info", () => {
  const cases: [string, PaneInfo, string][] = [
    ["no firing", NO_FIRING, "0f"],
    ["the only firing, on time", pane("FL", Timing.ON_TIME, 0, 0), "07"],
    ["the first early firing", pane("F", Timing.EARLY, 0, -1), "1100"],
    ["the third early firing", pane("", Timing.EARLY, 2, -1), "1002"],
    ["the last firing, on time, after three early ones", pane("L", Timing.ON_TIME, 3, 0), "260300"],
    ["a late firing without early ones", pane("", Timing.LATE, 300, 300), "18ac02"],
  ];
  for (const [name, value, hex] of cases) {
    it(`writes ${name} as ${hex}, and reads it back`, () => {
      const out = new ByteWriter();
      writePaneInfo(value, out);
      assert.equal(out.toBytes().toString("hex"), hex);
      assert.deepEqual(read(hex), value);
    });
  }

  it("shares the panes without an index", () => {
    assert.equal(read("0f"), NO_FIRING);
    assert.equal(read("07"), read("07"));
  });

  it("writes a pane that equals NO_FIRING as NO_FIRING", () => {
    const out = new ByteWriter();
    writePaneInfo({ ...NO_FIRING }, out);
    assert.equal(out.toBytes().toString("hex"), "0f");
  });

  it("refuses forms that it does not know, and negative indexes", () => {
    for (const hex of ["3f", "4f", "ff0000", "16ffffffffffffffffff01"]) {
      assert.throws(() => read(hex), CorruptBytesError, hex);
    }
  });
});
