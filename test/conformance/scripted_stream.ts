/**
 * A source that is played step by step: a test stream where the runner has it. Elsewhere a splittable DoFn that takes
 * one step, rests, and goes on, so that what is behind it has time to act; only steps of processing time it cannot play.
 */
import { ByteReader } from "../../beam/model/bytes.js";
import type { Coder } from "../../beam/model/coders/coder.js";
import { encodeToBytes } from "../../beam/model/coders/encode_to_bytes.js";
import { coderFromProto } from "../../beam/model/coders/registry.js";
import { MIN_TIMESTAMP, type TimestampMs } from "../../beam/model/timestamps.js";
import type { OutputSpecs } from "../../beam/sdk/do_fn.js";
import { applyParDo, type Collection, impulse } from "../../beam/sdk/graph.js";
import { type OffsetRange, OffsetRangeTracker } from "../../beam/sdk/offset_range.js";
import { offsetRangeCoder } from "../../beam/sdk/offset_range_coder.js";
import { registerDoFn } from "../../beam/sdk/registry.js";
import {
  type ProcessContinuation,
  type RestrictionTracker,
  resume,
  type SplittableContext,
  SplittableDoFn,
  stop,
} from "../../beam/sdk/splittable.js";
import { TestStream } from "../../beam/sdk/test_stream.js";
import type { GraphUnderTest } from "./conformance_pipeline.js";

type Step<T> =
  | { readonly kind: "elements"; readonly elements: readonly (readonly [T, TimestampMs])[] }
  | { readonly kind: "watermark"; readonly watermark: TimestampMs }
  | { readonly kind: "processing-time"; readonly ms: number };

export class ScriptedStream<T> {
  readonly #steps: Step<T>[] = [];

  /** @param isPlayed by a splittable DoFn; otherwise it is a test stream */
  constructor(
    private readonly name: string,
    private readonly graph: GraphUnderTest,
    private readonly coder: Coder<T>,
    private readonly isPlayed: boolean,
  ) {}

  /** Elements as [value, timestamp]. */
  add(...elements: readonly (readonly [T, TimestampMs])[]): this {
    this.#steps.push({ kind: "elements", elements });
    return this;
  }

  advanceWatermarkTo(watermark: TimestampMs): this {
    this.#steps.push({ kind: "watermark", watermark });
    return this;
  }

  advanceProcessingTimeBy(ms: number): this {
    this.#steps.push({ kind: "processing-time", ms });
    return this;
  }

  read(): Collection<T> {
    const { root, pauseMs } = this.graph;
    if (!this.isPlayed) return this.#testStream().read(this.name, root);
    this.graph.lasts(pauseMs * this.#steps.length);
    const config: PlayConfig = {
      coder: coderDescription(this.coder),
      pauseMs,
      steps: this.#steps.map((step) => {
        if (step.kind === "processing-time") {
          throw new Error("without a test stream, the runner's clock cannot be moved");
        }
        if (step.kind === "watermark") return { watermark: step.watermark, elements: [] };
        return {
          watermark: null,
          elements: step.elements.map(([value, timestamp]) => [
            encodeToBytes(this.coder, value, "nested").toString("base64"),
            timestamp,
          ]),
        };
      }),
    };
    const start = impulse(`${this.name}/Impulse`, root);
    return applyParDo(this.name, start, new PlaySteps(config), { main: this.coder }).main!;
  }

  #testStream(): TestStream<T> {
    const stream = new TestStream(this.coder);
    for (const step of this.#steps) {
      if (step.kind === "elements") stream.add(...step.elements);
      else if (step.kind === "watermark") stream.advanceWatermarkTo(step.watermark);
      else stream.advanceProcessingTimeBy(step.ms);
    }
    return stream;
  }
}

/** A coder with all of its components, as JSON. */
interface CoderDescription {
  readonly [name: string]: string | CoderDescription[];
  readonly urn: string;
  readonly payload: string;
  readonly components: CoderDescription[];
}

function coderDescription(coder: Coder<any>): CoderDescription {
  const components: CoderDescription[] = [];
  const proto = coder.toProto({
    getCoderId: (component: Coder<any>) => {
      components.push(coderDescription(component));
      return "";
    },
  });
  const payload = Buffer.from(proto.spec!.payload).toString("base64");
  return { urn: proto.spec!.urn, payload, components };
}

function describedCoder(description: CoderDescription): Coder<any> {
  const coders: Record<string, any> = {};
  const add = ({ urn, payload, components }: CoderDescription): string => {
    const componentCoderIds = components.map(add);
    const id = String(Object.keys(coders).length);
    coders[id] = { spec: { urn, payload: Buffer.from(payload, "base64") }, componentCoderIds };
    return id;
  };
  return coderFromProto(add(description), coders);
}

interface PlayConfig {
  readonly [name: string]: any;
  readonly coder: CoderDescription;
  readonly pauseMs: number;
  readonly steps: readonly {
    readonly watermark: TimestampMs | null;
    /** Encoded, with their timestamps. */
    readonly elements: readonly (readonly [string, TimestampMs])[];
  }[];
}

/** A position is the number of a step. */
class PlaySteps extends SplittableDoFn<Uint8Array, OffsetRange, number, OutputSpecs, PlayConfig> {
  static readonly urn = "conformance:dofn:play_steps:v1";
  declare readonly outputs: OutputSpecs;
  readonly restrictionCoder = offsetRangeCoder;
  readonly isBounded = false;
  readonly #coder = describedCoder(this.config.coder);

  initialRestriction(): OffsetRange {
    return { start: 0, end: this.config.steps.length };
  }

  override initialWatermark(): TimestampMs {
    return MIN_TIMESTAMP;
  }

  newTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }

  process(
    _impulse: Uint8Array,
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<OutputSpecs>,
  ): ProcessContinuation {
    const { start } = tracker.restriction;
    if (!tracker.tryClaim(start)) return stop();
    const { watermark, elements } = this.config.steps[start]!;
    for (const [encoded, timestamp] of elements) {
      const reader = new ByteReader(Buffer.from(encoded, "base64"));
      ctx.emit.main!(this.#coder.decode(reader, "nested"), timestamp);
    }
    if (watermark !== null) ctx.watermark.set(watermark);
    return resume(this.config.pauseMs);
  }
}
registerDoFn(PlaySteps);
