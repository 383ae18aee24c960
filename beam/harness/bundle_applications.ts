/**
 * Work that goes back to the runner: residuals of splittable elements, encoded as the input of their process step.
 * Source: beam_fn_api.proto, BundleApplication.
 */
import type { ElementPart, ElementResidual } from "../exec/services.js";
import type { SizedElement } from "../exec/splittable_par_do.js";
import { type fnApi, runnerApi, type Timestamp } from "../model/apache_beam.js";
import { ByteWriter } from "../model/bytes.js";
import { instantToWire } from "../model/coders/instant.js";
import type { ElementCoder } from "../model/coders/windowed_value_coder.js";
import type { TimestampMs } from "../model/timestamps.js";

/** What is known of the process step of a splittable DoFn. */
export interface ProcessStep {
  readonly inputId: string;
  /** Of its input, windows included. */
  readonly coder: ElementCoder<unknown>;
  readonly outputIds: readonly string[];
}

export function bundleApplication(part: ElementPart, step: ProcessStep): fnApi.BundleApplication {
  const value: SizedElement = {
    key: { key: part.element, value: { key: part.restriction, value: part.watermark } },
    value: part.size,
  };
  const writer = new ByteWriter();
  step.coder.encodeParts(value, part.timestamp, part.windows, part.pane, writer, "nested");
  const watermark = protoTimestamp(part.watermark);
  return {
    transformId: part.transformId,
    inputId: step.inputId,
    element: writer.toBytes(),
    // An output that is left out would be held at the beginning of time.
    outputWatermarks: Object.fromEntries(step.outputIds.map((output) => [output, watermark])),
    isBounded: part.isBounded ? runnerApi.IsBounded_Enum.BOUNDED : runnerApi.IsBounded_Enum.UNBOUNDED,
  };
}

/**
 * @param honoursMs whether the runner looks at more than the whole seconds of a delay; where it does not, they are
 *   rounded up, since a delay that becomes 0 has it ask without a pause
 */
export function delayedApplication(
  residual: ElementResidual,
  step: ProcessStep,
  honoursMs: boolean,
): fnApi.DelayedBundleApplication {
  const { delayMs } = residual.continuation;
  const seconds = honoursMs ? Math.floor(delayMs / 1000) : Math.ceil(delayMs / 1000);
  const nanos = honoursMs ? Math.round((delayMs - seconds * 1000) * 1e6) : 0;
  return {
    application: bundleApplication(residual, step),
    requestedTimeDelay: { seconds: BigInt(seconds), nanos },
  };
}

function protoTimestamp(timestamp: TimestampMs): Timestamp {
  const millis = instantToWire(Math.floor(timestamp));
  const rest = ((millis % 1000n) + 1000n) % 1000n;
  return { seconds: (millis - rest) / 1000n, nanos: Number(rest) * 1_000_000 };
}
