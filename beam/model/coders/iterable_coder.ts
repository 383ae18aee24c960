/**
 * Sequences of one element type; the grammar is in sequence.ts. Deterministic as the element is, for values of one
 * kind: equal arrays give equal bytes, but a generator with the same elements is written in chunks.
 */
import type { ByteReader, ByteWriter } from "../bytes.js";
import type { Coder, CoderIds, Context } from "./coder.js";
import { coderProto } from "./coder_proto.js";
import { readSequence, writeSequence } from "./sequence.js";
import { CoderUrn } from "./urns.js";

/** Decodes to an array. */
export class IterableCoder<T> implements Coder<Iterable<T>> {
  readonly isDeterministic: boolean;

  constructor(readonly element: Coder<T>) {
    this.isDeterministic = element.isDeterministic;
  }

  encode(values: Iterable<T>, out: ByteWriter, _context: Context): void {
    writeSequence(values, this.element, out);
  }

  decode(input: ByteReader, _context: Context): readonly T[] {
    return readSequence(input, this.element) as readonly T[];
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.ITERABLE, ids, [this.element]);
  }
}

/**
 * Gives the elements behind a continuation token, which are read through the State API. `element` decodes them, nested.
 * Asked once for each iterable, when it is decoded.
 */
export type ReadContinuation = <T>(token: Uint8Array, element: Coder<T>) => Iterable<T>;

/** Decodes to an array, or to an iterable whose tail is read with a token. Writes as IterableCoder. */
export class StateBackedIterableCoder<T> implements Coder<Iterable<T>> {
  readonly isDeterministic: boolean;
  private readonly continuation: ((token: Uint8Array) => Iterable<T>) | undefined;

  constructor(
    readonly element: Coder<T>,
    readContinuation?: ReadContinuation,
  ) {
    this.isDeterministic = element.isDeterministic;
    this.continuation = readContinuation && ((token) => readContinuation(token, element));
  }

  encode(values: Iterable<T>, out: ByteWriter, _context: Context): void {
    writeSequence(values, this.element, out);
  }

  decode(input: ByteReader, _context: Context): Iterable<T> {
    return readSequence(input, this.element, this.continuation);
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.STATE_BACKED_ITERABLE, ids, [this.element]);
  }
}
