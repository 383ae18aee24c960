/** Coders through a whole pipeline: those that a runner knows, those that it must wrap, and values at their limits. */
import type { ByteReader, ByteWriter } from "../../../beam/model/bytes.js";
import { BoolCoder } from "../../../beam/model/coders/bool_coder.js";
import { BytesCoder } from "../../../beam/model/coders/bytes_coder.js";
import type { Coder } from "../../../beam/model/coders/coder.js";
import { DoubleCoder } from "../../../beam/model/coders/double_coder.js";
import { IterableCoder } from "../../../beam/model/coders/iterable_coder.js";
import { KVCoder } from "../../../beam/model/coders/kv_coder.js";
import { LengthPrefixCoder } from "../../../beam/model/coders/length_prefix_coder.js";
import { NullableCoder } from "../../../beam/model/coders/nullable_coder.js";
import { registerCoder } from "../../../beam/model/coders/registry.js";
import { type Row, RowCoder } from "../../../beam/model/coders/row_coder.js";
import { Varint64Coder } from "../../../beam/model/coders/varint_coder.js";
import type { KV } from "../../../beam/model/kv.js";
import { DoFn, type ElementContext, type OutputSpecs, StatefulDoFn } from "../../../beam/sdk/do_fn.js";
import { applyParDo, type Collection, groupByKey, impulse, parDo } from "../../../beam/sdk/graph.js";
import { registerDoFn } from "../../../beam/sdk/registry.js";
import { valueState } from "../../../beam/sdk/state.js";
import { eventTimeTimer } from "../../../beam/sdk/timer.js";
import { ints, strings } from "../../unit/beam/runners/small_graphs.js";
import type { ConformancePipeline, GraphUnderTest } from "../conformance_pipeline.js";
import { plain } from "../recorded_elements.js";

const URN = "conformance:coder:point:v1";

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A coder that no runner knows. It writes no length, so whoever does not know it cannot find its end. */
const points: Coder<Point> = {
  isDeterministic: true,
  encode({ x, y }: Point, out: ByteWriter) {
    out.writeVarint(x);
    out.writeVarint(y);
  },
  decode: (input: ByteReader) => ({ x: input.readVarint(), y: input.readVarint() }),
  toProto: () => ({ spec: { urn: URN, payload: new Uint8Array() }, componentCoderIds: [] }),
};
registerCoder(URN, () => points);

const rows = new RowCoder({
  fields: [
    { name: "id", type: { kind: "int64" } },
    { name: "name", type: { kind: "string", nullable: true } },
    { name: "tags", type: { kind: "array", element: { kind: "string" } } },
    { name: "at", type: { kind: "row", schema: { fields: [{ name: "x", type: { kind: "double" } }] } } },
  ],
});

const nested = new KVCoder(
  new NullableCoder(strings),
  new IterableCoder(new KVCoder(new NullableCoder(BytesCoder.INSTANCE), new IterableCoder(ints))),
);

/** Values that no JSON carries, by a name that it does. */
const SAMPLES = {
  points: {
    coder: points,
    values: [
      { x: 0, y: -1 },
      { x: 1, y: 2 ** 40 },
    ],
  },
  rows: {
    coder: rows,
    values: [
      { id: 2n ** 63n - 1n, name: null, tags: [], at: { x: -0 } },
      { id: -(2n ** 63n), name: "", tags: ["a", "ü€😀"], at: { x: 1.5 } },
    ] satisfies Row[],
  },
  nested: {
    coder: nested,
    values: [
      { key: null, value: [] },
      {
        key: "",
        value: [
          { key: null, value: [] },
          { key: Buffer.alloc(0), value: [1, -1, 0] },
        ],
      },
      { key: "k", value: [{ key: Buffer.from([0, 255]), value: [2 ** 31, -(2 ** 31)] }] },
    ],
  },
  integers: {
    coder: Varint64Coder.INSTANCE,
    values: [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n],
  },
  doubles: {
    coder: DoubleCoder.INSTANCE,
    values: [0, -0, 0.1, Number.MAX_VALUE, Number.MIN_VALUE, Number.NaN, Number.NEGATIVE_INFINITY],
  },
  texts: { coder: strings, values: ["", "a", "ü€😀", "\u0000", "x".repeat(1_000_000)] },
  bytes: { coder: BytesCoder.INSTANCE, values: [Buffer.alloc(0), Buffer.from([0, 1, 255])] },
  bools: { coder: BoolCoder.INSTANCE, values: [true, false] },
  prefixed: { coder: new LengthPrefixCoder(strings), values: ["", "prefixed"] },
} as const satisfies Record<string, { readonly coder: Coder<any>; readonly values: readonly unknown[] }>;
type Sample = keyof typeof SAMPLES;

/** The values of a sample, each with 1 as its value where they are asked for as keys. */
class Samples extends DoFn<Uint8Array, OutputSpecs, { readonly sample: Sample; readonly asKeys: boolean }> {
  static readonly urn = "conformance:dofn:samples:v1";
  declare readonly outputs: OutputSpecs;

  process(_impulse: Uint8Array, { emit }: ElementContext<OutputSpecs>): void {
    const { sample, asKeys } = this.config;
    for (const value of SAMPLES[sample].values) emit.main!(asKeys ? { key: value, value: 1 } : value);
    // Twice, for what groups to have something to group.
    if (asKeys) for (const value of SAMPLES[sample].values) emit.main!({ key: value, value: 1 });
  }
}
registerDoFn(Samples);

function samples(graph: GraphUnderTest, sample: Sample, asKeys = false): Collection<any> {
  const { coder } = SAMPLES[sample];
  const main = asKeys ? new KVCoder(coder as Coder<any>, ints) : coder;
  return applyParDo("Samples", impulse("Impulse", graph.root), new Samples({ sample, asKeys }), { main })
    .main!;
}

/** Values go to another stage, and so through the runner, as the values of one key; and come back each alone. */
function throughTheRunner(sample: Sample) {
  return (graph: GraphUnderTest): void => {
    const { coder, values } = SAMPLES[sample];
    const keyed = applyParDo("UnderOneKey", samples(graph, sample), new UnderOneKey(null), {
      main: new KVCoder(strings, coder as Coder<any>),
    }).main!;
    const grouped = groupByKey("Group", keyed);
    graph.expectThat(grouped, (groups) => {
      const seen = groups.flatMap(({ value }) => value.value.map((part: unknown) => JSON.stringify(part)));
      const expected = values.map((value) => JSON.stringify(plain(value)));
      if (seen.sort().join() !== expected.sort().join()) {
        throw new Error(`${seen.join().slice(0, 500)} instead of ${expected.join().slice(0, 500)}`);
      }
    });
  };
}

class UnderOneKey extends DoFn<unknown, OutputSpecs> {
  static readonly urn = "conformance:dofn:under_one_key:v1";
  declare readonly outputs: OutputSpecs;
  process(value: unknown, { emit }: ElementContext<OutputSpecs>): void {
    emit.main!({ key: "k", value });
  }
}
registerDoFn(UnderOneKey);

const counted = { main: ints };
const state = { count: valueState(ints), point: valueState(points) };
const timers = { end: eventTimeTimer() };

/** Counts the elements of each key; a point goes through state on the way. */
class CountKeys extends StatefulDoFn<any, number, typeof counted, typeof state, typeof timers> {
  static readonly urn = "conformance:dofn:count_keys:v1";
  readonly outputs = counted;
  readonly state = state;
  readonly timers = timers;
  readonly onTimer = {
    end: (ctx: any) => {
      if (ctx.state.point.read()?.y !== -7) throw new Error("the point in state is another");
      ctx.emit.main(ctx.state.count.read());
    },
  };
  process(_element: KV<any, number>, ctx: any): void {
    ctx.state.count.write((ctx.state.count.read() ?? 0) + 1);
    ctx.state.point.write({ x: 1, y: -7 });
    ctx.timers.end.set(0);
  }
}
registerDoFn(CountKeys);

function asKeysOfState(sample: Sample) {
  return (graph: GraphUnderTest): void => {
    const keyed = samples(graph, sample, true) as Collection<KV<any, number>>;
    graph.expectValues(
      parDo("Count", keyed, new CountKeys(null)).main,
      SAMPLES[sample].values.map(() => 2),
    );
  };
}

function asKeysOfGroups(sample: Sample) {
  return (graph: GraphUnderTest): void => {
    const grouped = groupByKey("Group", samples(graph, sample, true));
    graph.expectValues(
      grouped,
      SAMPLES[sample].values.map((key) => ({ key, value: [1, 1] })),
    );
  };
}

export const carriesCustomCoders: ConformancePipeline = {
  feature: "a coder of the pipeline's own, unknown to the runner",
  build: throughTheRunner("points"),
};

export const carriesRows: ConformancePipeline = {
  feature: "rows, with nulls, arrays, rows inside, 64-bit integers",
  build: throughTheRunner("rows"),
};

export const carriesNestedCoders: ConformancePipeline = {
  feature: "KVs of nullables and iterables of KVs, nested",
  build: throughTheRunner("nested"),
};

export const carriesIntegers: ConformancePipeline = {
  feature: "64-bit integers at their limits",
  build: throughTheRunner("integers"),
};

export const carriesDoubles: ConformancePipeline = {
  feature: "doubles: NaN, infinity, minus zero",
  build: throughTheRunner("doubles"),
};

export const carriesTexts: ConformancePipeline = {
  feature: "texts: empty, beyond ASCII, a megabyte long",
  build: throughTheRunner("texts"),
};

export const carriesBytes: ConformancePipeline = { feature: "bytes", build: throughTheRunner("bytes") };

export const carriesBools: ConformancePipeline = { feature: "booleans", build: throughTheRunner("bools") };

export const carriesPrefixes: ConformancePipeline = {
  feature: "values with a length prefix",
  build: throughTheRunner("prefixed"),
};

export const groupsByCustomKeys: ConformancePipeline = {
  feature: "GroupByKey with keys of an own coder",
  build: asKeysOfGroups("points"),
};

export const groupsByBytes: ConformancePipeline = {
  feature: "GroupByKey with bytes as keys, empty ones too",
  build: asKeysOfGroups("bytes"),
};

export const keepsStateOfCustomKeys: ConformancePipeline = {
  feature: "state and timers with keys and values of an own coder",
  build: asKeysOfState("points"),
};

export const keepsStateOfBytes: ConformancePipeline = {
  feature: "state and timers with bytes as keys, empty ones too",
  build: asKeysOfState("bytes"),
};
