/**
 * A source that a test plays step by step: elements, watermarks and the passing of time, each once everything before
 * it has had its effect. Source: beam_runner_api.proto, TestStreamPayload.
 */
import {
  type Pipeline as BeamPipeline,
  type Root as BeamRoot,
  type PCollection,
  runnerApi,
} from "../model/apache_beam.js";
import type { Coder } from "../model/coders/coder.js";
import { encodeToBytes } from "../model/coders/encode_to_bytes.js";
import { MAX_TIMESTAMP_WIRE, type TimestampMs } from "../model/timestamps.js";
import { urns } from "../model/urns.js";
import { beamRootOf, type Collection, collectionOf, type Root } from "./collection.js";
import { applyNamed } from "./step.js";

/** Steps of a stream, added in their order; `read` makes it a source. */
export class TestStream<T> {
  readonly #events: runnerApi.TestStreamPayload_Event[] = [];

  constructor(private readonly coder: Coder<T>) {}

  /** Elements as [value, timestamp]. */
  add(...elements: readonly (readonly [T, TimestampMs])[]): this {
    return this.#push({
      oneofKind: "elementEvent",
      elementEvent: {
        tag: "",
        elements: elements.map(([value, timestamp]) => ({
          encodedElement: encodeToBytes(this.coder, value, "nested"),
          timestamp: BigInt(timestamp),
        })),
      },
    });
  }

  advanceWatermarkTo(timestamp: TimestampMs): this {
    return this.#push({
      oneofKind: "watermarkEvent",
      watermarkEvent: { tag: "", newWatermark: BigInt(timestamp) },
    });
  }

  advanceProcessingTimeBy(ms: number): this {
    return this.#push({
      oneofKind: "processingTimeEvent",
      processingTimeEvent: { advanceDuration: BigInt(ms) },
    });
  }

  /** Puts the stream into a graph; after the last step its watermark goes to +∞. */
  read(name: string, root: Root): Collection<T> {
    const events = [
      ...this.#events,
      {
        event: {
          oneofKind: "watermarkEvent" as const,
          watermarkEvent: { tag: "", newWatermark: MAX_TIMESTAMP_WIRE },
        },
      },
    ];
    return applyNamed(
      name,
      (_root: BeamRoot, pipeline: BeamPipeline, transform: runnerApi.PTransform): PCollection<T> => {
        const coderId = pipeline.getCoderId(this.coder as any);
        const payload = runnerApi.TestStreamPayload.create({ coderId, events });
        transform.spec = { urn: urns.testStream, payload: runnerApi.TestStreamPayload.toBinary(payload) };
        transform.environmentId = "";
        return pipeline.createPCollectionInternal<T>(coderId, undefined, runnerApi.IsBounded_Enum.UNBOUNDED);
      },
      (step) => collectionOf<T>(beamRootOf(root).apply(step)),
    );
  }

  #push(event: runnerApi.TestStreamPayload_Event["event"]): this {
    this.#events.push({ event });
    return this;
  }
}
