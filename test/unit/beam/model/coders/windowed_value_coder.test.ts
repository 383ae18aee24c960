/** The short cuts of the windowed value coder: they must give what the long way gives. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader, ByteWriter, CorruptBytesError } from "../../../../../beam/model/bytes.js";
import { decodeFromBytes, encodeToBytes } from "../../../../../beam/model/coders/encode_to_bytes.js";
import { StringUtf8Coder } from "../../../../../beam/model/coders/string_utf8_coder.js";
import { GlobalWindowCoder, IntervalWindowCoder } from "../../../../../beam/model/coders/window_coders.js";
import {
  type ElementCoder,
  ParamWindowedValueCoder,
  WindowedValueCoder,
} from "../../../../../beam/model/coders/windowed_value_coder.js";
import { NO_FIRING, Timing } from "../../../../../beam/model/pane.js";
import { GlobalWindow, IN_GLOBAL_WINDOW, IntervalWindow } from "../../../../../beam/model/windows.js";
import { intervalWindow, pane, timestamp } from "./every_coder.js";

const STRING = StringUtf8Coder.INSTANCE;
const inGlobal = new WindowedValueCoder(STRING, GlobalWindowCoder.INSTANCE);
const inIntervals = new WindowedValueCoder(STRING, IntervalWindowCoder.INSTANCE);
const constant = new ParamWindowedValueCoder(STRING, IntervalWindowCoder.INSTANCE, {
  timestamp: 1000,
  windows: [new IntervalWindow(10, 20)],
  pane: { isFirst: false, isLast: true, timing: Timing.ON_TIME, index: 30, nonSpeculativeIndex: 40 },
});

describe("WindowedValueCoder", () => {
  const element = (windows: fc.Arbitrary<any>) =>
    fc.record({ value: fc.string(), timestamp, windows, pane }, { noNullPrototype: true });
  const cases: [string, ElementCoder<string>, fc.Arbitrary<any>][] = [
    ["in the global window", inGlobal, element(fc.constantFrom(IN_GLOBAL_WINDOW, [GlobalWindow.INSTANCE]))],
    [
      "in no or several global windows",
      inGlobal,
      element(fc.constantFrom([], [...IN_GLOBAL_WINDOW, ...IN_GLOBAL_WINDOW])),
    ],
    ["in interval windows", inIntervals, element(fc.array(intervalWindow, { maxLength: 3 }))],
    ["with constant parts", constant, fc.string().map((value) => ({ ...constant.params, value }))],
  ];
  for (const [name, coder, values] of cases) {
    it(`codes an element ${name} in parts as it does whole`, () => {
      fc.assert(
        fc.property(values, (value) => {
          const out = new ByteWriter(1);
          coder.encodeParts(value.value, value.timestamp, value.windows, value.pane, out, "nested");
          const bytes = encodeToBytes(coder, value, "nested");
          assert.deepEqual(out.toBytes(), bytes);

          const parts: unknown[] = [];
          const reader = new ByteReader(bytes);
          coder.decodeInto(reader, "nested", {
            accept(value, timestamp, windows, pane) {
              assert.equal(reader.remaining, 0);
              parts.push({ value, timestamp, windows, pane });
            },
          });
          assert.deepEqual(parts, [value]);
        }),
      );
    });
  }

  it("gives shared objects for an element in the global window that no trigger produced", () => {
    const bytes = encodeToBytes(
      inGlobal,
      { value: "", timestamp: 0, windows: [GlobalWindow.INSTANCE], pane: { ...NO_FIRING } },
      "nested",
    );
    assert.equal(bytes.toString("hex"), "8000000000000000" + "00000001" + "0f" + "00");
    const { windows, pane } = decodeFromBytes(inGlobal, bytes, "nested");
    assert.equal(windows, IN_GLOBAL_WINDOW);
    assert.equal(pane, NO_FIRING);
  });

  it("refuses an element that has no windows, pane or whole timestamp", () => {
    const whole = { value: "", timestamp: 0, windows: IN_GLOBAL_WINDOW, pane: NO_FIRING };
    for (const wrong of [
      { windows: undefined },
      { pane: undefined },
      { timestamp: 0.5 },
      { windows: [undefined] },
    ]) {
      for (const coder of [inGlobal, inIntervals]) {
        assert.throws(() => encodeToBytes(coder, { ...whole, ...wrong } as never, "nested"), /coder writes/);
      }
    }
  });

  it("reads the parameters with or without the empty value behind them, and writes them with it", () => {
    const payload = Buffer.from(
      "80000000000003e8" + "00000001" + "8000000000000014" + "0a" + "261e28" + "00",
      "hex",
    );
    for (const bytes of [payload, payload.subarray(0, -1)]) {
      const coder = ParamWindowedValueCoder.fromPayload(STRING, IntervalWindowCoder.INSTANCE, bytes);
      assert.deepEqual(coder.params, constant.params);
      const proto = coder.toProto({ getCoderId: () => "id" });
      assert.deepEqual(Buffer.from(proto.spec!.payload), payload);
    }
    assert.throws(
      () => ParamWindowedValueCoder.fromPayload(STRING, IntervalWindowCoder.INSTANCE, Buffer.alloc(5)),
      CorruptBytesError,
    );
  });
});
