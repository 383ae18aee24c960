/** Every coder with random values of it, for tests that hold for all of them. */
import fc from "fast-check";
import { BoolCoder } from "../../../../../beam/model/coders/bool_coder.js";
import { BytesCoder } from "../../../../../beam/model/coders/bytes_coder.js";
import type { Coder } from "../../../../../beam/model/coders/coder.js";
import { DoubleCoder } from "../../../../../beam/model/coders/double_coder.js";
import { IterableCoder, StateBackedIterableCoder } from "../../../../../beam/model/coders/iterable_coder.js";
import { KVCoder } from "../../../../../beam/model/coders/kv_coder.js";
import { LengthPrefixCoder } from "../../../../../beam/model/coders/length_prefix_coder.js";
import { NullableCoder } from "../../../../../beam/model/coders/nullable_coder.js";
import { type Row, RowCoder } from "../../../../../beam/model/coders/row_coder.js";
import type { FieldType, Schema } from "../../../../../beam/model/coders/schema.js";
import { ShardedKeyCoder } from "../../../../../beam/model/coders/sharded_key_coder.js";
import { StringUtf8Coder } from "../../../../../beam/model/coders/string_utf8_coder.js";
import { TimerCoder } from "../../../../../beam/model/coders/timer_coder.js";
import { Varint64Coder, VarintCoder } from "../../../../../beam/model/coders/varint_coder.js";
import {
  CustomWindowCoder,
  GlobalWindowCoder,
  IntervalWindowCoder,
} from "../../../../../beam/model/coders/window_coders.js";
import {
  ParamWindowedValueCoder,
  WindowedValueCoder,
} from "../../../../../beam/model/coders/windowed_value_coder.js";
import { NO_FIRING, type PaneInfo, Timing } from "../../../../../beam/model/pane.js";
import type { TimerElement } from "../../../../../beam/model/timer.js";
import { GLOBAL_WINDOW_MAX, MAX_TIMESTAMP, MIN_TIMESTAMP } from "../../../../../beam/model/timestamps.js";
import { GlobalWindow, IN_GLOBAL_WINDOW, IntervalWindow } from "../../../../../beam/model/windows.js";

export interface CoderCase<T> {
  readonly name: string;
  readonly coder: Coder<T>;
  readonly values: fc.Arbitrary<T>;
}

const text = fc.string({ unit: "binary", maxLength: 60, size: "max" });
const bytes = fc.uint8Array({ maxLength: 200, size: "max" }).map((array) => Buffer.from(array));
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const safeInteger = fc.oneof(fc.maxSafeInteger(), fc.integer()).map((value) => value + 0);

export const timestamp = fc.oneof(
  fc.maxSafeInteger().map((value) => value + 0),
  fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 }),
  fc.constantFrom(MIN_TIMESTAMP, MAX_TIMESTAMP, GLOBAL_WINDOW_MAX, 0, -1, 2 ** 32, -(2 ** 32), 2 ** 53),
);

export const pane: fc.Arbitrary<PaneInfo> = fc.oneof(
  fc.constant(NO_FIRING),
  fc
    .record(
      {
        isFirst: fc.boolean(),
        isLast: fc.boolean(),
        timing: fc.constantFrom(Timing.EARLY, Timing.ON_TIME, Timing.LATE, Timing.UNKNOWN),
        index: fc.nat(300),
        nonSpeculativeIndex: fc.nat(300),
      },
      { noNullPrototype: true },
    )
    .map((pane) => {
      if (pane.timing === Timing.UNKNOWN) return { ...pane, index: 0, nonSpeculativeIndex: 0 };
      return pane.timing === Timing.EARLY ? { ...pane, nonSpeculativeIndex: -1 } : pane;
    }),
);

export const intervalWindow = fc
  .tuple(timestamp, timestamp)
  .map(([one, other]) => new IntervalWindow(Math.min(one, other), Math.max(one, other)));

const windowedValue = <T>(value: fc.Arbitrary<T>, windows: fc.Arbitrary<any>) =>
  fc.record({ value, timestamp, windows, pane }, { noNullPrototype: true });

const timer = <K>(key: fc.Arbitrary<K>, windows: fc.Arbitrary<any>): fc.Arbitrary<TimerElement<K>> =>
  fc.oneof(
    fc.record({ key, tag: text, windows, clear: fc.constant<true>(true) }, { noNullPrototype: true }),
    fc.record(
      {
        key,
        tag: text,
        windows,
        clear: fc.constant<false>(false),
        fireTimestamp: timestamp,
        holdTimestamp: timestamp,
        pane,
      },
      { noNullPrototype: true },
    ),
  );

const nullable = (type: FieldType): FieldType => ({ ...type, nullable: true });
const LOGICAL = "beam:logical_type:";

/** Every kind of field; more than eight of them may be null; encoded in the reverse order. */
export const WIDE_SCHEMA: Schema = (() => {
  const inner: Schema = { fields: [{ name: "x", type: { kind: "int32", nullable: true } }] };
  const bounded = (urn: string, kind: "string" | "bytes"): FieldType => ({
    kind: "logical",
    urn: `${LOGICAL}${urn}:v1`,
    representation: { kind },
    argument: 4,
  });
  const types: [string, FieldType][] = [
    ["byte", { kind: "byte" }],
    ["int16", nullable({ kind: "int16" })],
    ["int32", nullable({ kind: "int32" })],
    ["int64", nullable({ kind: "int64" })],
    ["float", nullable({ kind: "float" })],
    ["double", nullable({ kind: "double" })],
    ["string", nullable({ kind: "string" })],
    ["boolean", nullable({ kind: "boolean" })],
    ["bytes", nullable({ kind: "bytes" })],
    ["array", nullable({ kind: "array", element: nullable({ kind: "string" }) })],
    ["iterable", { kind: "iterable", element: { kind: "int32" } }],
    ["map", { kind: "map", key: { kind: "string" }, value: nullable({ kind: "int64" }) }],
    ["row", nullable({ kind: "row", schema: inner })],
    ["millis", { kind: "logical", urn: `${LOGICAL}millis_instant:v1`, representation: { kind: "int64" } }],
    ["decimal", { kind: "logical", urn: `${LOGICAL}decimal:v1`, representation: { kind: "bytes" } }],
    ["fixed_char", bounded("fixed_char", "string")],
    ["fixed_bytes", bounded("fixed_bytes", "bytes")],
    ["var_char", bounded("var_char", "string")],
    ["var_bytes", bounded("var_bytes", "bytes")],
    ["date", { kind: "logical", urn: `${LOGICAL}date:v1`, representation: { kind: "int64" } }],
  ];
  const last = types.length - 1;
  return { fields: types.map(([name, type], i) => ({ name, type, encodingPosition: last - i })) };
})();

const orNull = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null });
const int = (bits: number) => fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });

const wideRow: fc.Arbitrary<Row> = fc.record(
  {
    byte: int(8),
    int16: orNull(int(16)),
    int32: orNull(int(32)),
    int64: orNull(int64),
    float: orNull(fc.float()),
    double: orNull(fc.double()),
    string: orNull(text),
    boolean: orNull(fc.boolean()),
    bytes: orNull(bytes),
    array: orNull(fc.array(orNull(text), { maxLength: 5 })),
    iterable: fc.array(int(32), { maxLength: 5 }),
    map: fc.array(fc.tuple(text, orNull(int64)), { maxLength: 5 }).map((entries) => new Map(entries)),
    row: orNull(fc.record({ x: orNull(int(32)) }, { noNullPrototype: true })),
    millis: timestamp,
    decimal: fc.record(
      { unscaled: fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }), scale: int(32) },
      { noNullPrototype: true },
    ),
    fixed_char: fc.string({ minLength: 4, maxLength: 4 }),
    fixed_bytes: fc.uint8Array({ minLength: 4, maxLength: 4 }).map((array) => Buffer.from(array)),
    var_char: fc.string({ maxLength: 4 }),
    var_bytes: fc.uint8Array({ maxLength: 4 }).map((array) => Buffer.from(array)),
    date: int64,
  },
  { noNullPrototype: true },
);

const STRING = StringUtf8Coder.INSTANCE;
const BYTES = BytesCoder.INSTANCE;
const GLOBAL = GlobalWindowCoder.INSTANCE;
const INTERVAL = IntervalWindowCoder.INSTANCE;

const global = fc.constant(IN_GLOBAL_WINDOW);
const intervals = fc.array(intervalWindow, { maxLength: 3 });
const pairs = fc.record({ key: text, value: bytes }, { noNullPrototype: true });
const params = { timestamp: 1000, windows: [new IntervalWindow(10, 20)], pane: NO_FIRING };

export const EVERY_CODER: readonly CoderCase<any>[] = [
  { name: "bytes", coder: BYTES, values: bytes },
  { name: "string_utf8", coder: STRING, values: text },
  { name: "varint", coder: VarintCoder.INSTANCE, values: safeInteger },
  { name: "varint64", coder: Varint64Coder.INSTANCE, values: int64 },
  { name: "bool", coder: BoolCoder.INSTANCE, values: fc.boolean() },
  { name: "double", coder: DoubleCoder.INSTANCE, values: fc.double() },
  { name: "kv", coder: new KVCoder(STRING, BYTES), values: pairs },
  { name: "iterable", coder: new IterableCoder(STRING), values: fc.array(text) },
  {
    name: "iterable of iterables",
    coder: new IterableCoder(new IterableCoder(BYTES)),
    values: fc.array(fc.array(bytes, { maxLength: 4 }), { maxLength: 4 }),
  },
  { name: "state_backed_iterable", coder: new StateBackedIterableCoder(STRING), values: fc.array(text) },
  { name: "length_prefix", coder: new LengthPrefixCoder(new KVCoder(STRING, BYTES)), values: pairs },
  { name: "nullable", coder: new NullableCoder(BYTES), values: fc.option(bytes, { nil: null }) },
  { name: "global_window", coder: GLOBAL, values: fc.constant(GlobalWindow.INSTANCE) },
  { name: "interval_window", coder: INTERVAL, values: intervalWindow },
  { name: "custom_window", coder: new CustomWindowCoder(INTERVAL), values: intervalWindow },
  {
    name: "windowed_value, global",
    coder: new WindowedValueCoder(new KVCoder(STRING, BYTES), GLOBAL),
    values: windowedValue(pairs, global),
  },
  {
    name: "windowed_value, interval",
    coder: new WindowedValueCoder(VarintCoder.INSTANCE, INTERVAL),
    values: windowedValue(safeInteger, intervals),
  },
  {
    name: "param_windowed_value",
    coder: new ParamWindowedValueCoder(STRING, INTERVAL, params),
    values: text.map((value) => ({ ...params, value })),
  },
  { name: "timer, global", coder: new TimerCoder(STRING, GLOBAL), values: timer(text, global) },
  { name: "timer, interval", coder: new TimerCoder(BYTES, INTERVAL), values: timer(bytes, intervals) },
  {
    name: "sharded_key",
    coder: new ShardedKeyCoder(STRING),
    values: fc.record({ key: text, shardId: bytes }, { noNullPrototype: true }),
  },
  { name: "row", coder: new RowCoder(WIDE_SCHEMA), values: wideRow },
];
