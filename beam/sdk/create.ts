/** A bounded collection of given values: for examples and tests. */

import type { Coder } from "../model/coders/coder.js";
import { GLOBAL_WINDOW_MAX, MIN_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import { DoFn, type ElementContext, type OutputSpecs } from "./do_fn.js";
import { applyParDo, type Collection, impulse, type Root } from "./graph.js";
import type { Json } from "./json.js";
import { registerDoFn } from "./registry.js";

interface CreateConfig {
  readonly [name: string]: Json;
  readonly values: Json[];
  readonly timestamps: number[] | null;
}

class CreateValues extends DoFn<Uint8Array, OutputSpecs, CreateConfig> {
  static readonly urn = "beam:dofn:ts:create:v1";
  declare readonly outputs: OutputSpecs;

  process(_impulse: Uint8Array, ctx: ElementContext<OutputSpecs>): void {
    const { values, timestamps } = this.config;
    values.forEach((value, i) => {
      ctx.emit.main!(value, Math.min(timestamps?.[i] ?? MIN_TIMESTAMP, GLOBAL_WINDOW_MAX));
    });
  }
}
registerDoFn(CreateValues);

/**
 * A bounded collection of these values.
 *
 * @param timestamps event time of each value, in ms; MIN_TIMESTAMP when left out
 */
export function create<T extends Json>(
  name: string,
  root: Root,
  values: readonly T[],
  coder: Coder<T>,
  timestamps?: readonly TimestampMs[],
): Collection<T> {
  const config = { values: [...values], timestamps: timestamps === undefined ? null : [...timestamps] };
  return applyParDo(name, impulse(`${name}/Impulse`, root), new CreateValues(config), { main: coder }).main!;
}
