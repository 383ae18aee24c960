import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import type { ByteReader, ByteWriter } from "../bytes.js";

/**
 * "nested": the value is followed by others, so its bytes must say where it ends. "outer": the value is the last
 * thing in its bytes, so a leading length may be omitted. Most coders write the same bytes in both contexts.
 * Source: beam_runner_api.proto, StandardCoders.
 */
export type Context = "nested" | "outer";

/**
 * What `toProto` needs from a pipeline: an id for each component coder. apache-beam's `PipelineContext` provides
 * it.
 */
export interface CoderIds {
  getCoderId(coder: any): string;
}

/** Turns values of type T into bytes and back. Stateless and shared: one instance serves every element. */
export interface Coder<T> {
  /** Appends `value`. Throws a TypeError for a value that is not a T. */
  encode(value: T, out: ByteWriter, context: Context): void;
  /** Reads one value; in "outer" context up to the reader's limit. Throws CorruptBytesError for anything else. */
  decode(input: ByteReader, context: Context): T;
  /** The coder's description in a pipeline proto. */
  toProto(ids: CoderIds): runnerApi.Coder;
  /** Whether equal values always have equal bytes, as keys of groups and state must. */
  readonly isDeterministic: boolean;
}

/** A coder without a place in the pipeline proto: of a field inside of a row. */
export type FieldCodec<T> = Omit<Coder<T>, "toProto">;
