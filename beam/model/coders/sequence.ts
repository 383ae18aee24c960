/**
 * The bytes of a sequence: shared by iterables, the windows of an element, and the arrays of rows.
 *
 *     known length:   int32 count | elements, nested
 *     unknown length: ffffffff | (varint count > 0 | elements, nested)* | end
 *     end:            varint 0, or varint -1 | varint count | token: the rest is fetched with the token
 *
 * Source: beam_runner_api.proto, StandardCoders ITERABLE and STATE_BACKED_ITERABLE.
 */
import { type ByteReader, type ByteWriter, CorruptBytesError } from "../bytes.js";
import type { Coder } from "./coder.js";
import { wrongType } from "./wrong_type.js";

/** What a sequence needs of its elements' coder. */
export type ElementCodec<T> = Pick<Coder<T>, "encode" | "decode">;

/** A count below this takes one byte, which can be filled in after the elements are written. */
const CHUNK_LENGTH = 0x7f;

/**
 * Elements that take no bytes (a global window, say) are not bounded by the input's length, so a forged count could
 * fill the memory: more of them than this in one sequence is taken as corruption.
 */
const EMPTY_ELEMENTS_MAX = 0x10000;

/** Called once with the token of a continued sequence; gives its remaining elements, in each iteration. */
export type ContinuationReader<T> = (token: Uint8Array) => Iterable<T>;

/** An array or a set is written with its length, anything else in chunks, without ever holding more than one element. */
export function writeSequence<T>(values: Iterable<T>, element: ElementCodec<T>, out: ByteWriter): void {
  if (Array.isArray(values)) {
    const { length } = values;
    out.writeInt32(length);
    for (let i = 0; i < length; i++) element.encode(values[i], out, "nested");
  } else if (values instanceof Set) {
    out.writeInt32(values.size);
    for (const value of values) element.encode(value, out, "nested");
  } else {
    writeChunks(values, element, out);
  }
}

function writeChunks<T>(values: Iterable<T>, element: ElementCodec<T>, out: ByteWriter): void {
  if (typeof values !== "object" || values === null || typeof values[Symbol.iterator] !== "function") {
    throw wrongType("iterable", "an iterable object", values);
  }
  out.writeInt32(-1);
  let countAt = 0;
  let count = 0;
  for (const value of values) {
    if (count === 0) {
      countAt = out.length;
      out.writeByte(0);
    }
    element.encode(value, out, "nested");
    out.buffer[countAt] = ++count;
    if (count === CHUNK_LENGTH) count = 0;
  }
  out.writeByte(0);
}

/** Without `readContinuation`, a sequence that goes on elsewhere is an error of the program, not of the bytes. */
export function readSequence<T>(
  input: ByteReader,
  element: ElementCodec<T>,
  readContinuation?: ContinuationReader<T>,
): Iterable<T> {
  const values: T[] = [];
  const count = input.readInt32();
  if (count >= 0) {
    readElements(input, element, count, values);
    return values;
  }
  if (count !== -1) throw new CorruptBytesError(`a sequence of ${count} elements`);
  for (;;) {
    const chunk = input.readVarint();
    if (chunk === 0) return values;
    if (chunk === -1) {
      const token = input.readBytes(input.readVarint());
      if (readContinuation === undefined) {
        throw new Error(
          "a sequence goes on in the runner's state, but this coder was given no way to read it",
        );
      }
      return new ContinuedSequence(values, readContinuation(token));
    }
    if (chunk < 0) throw new CorruptBytesError(`a chunk of ${chunk} elements`);
    readElements(input, element, chunk, values);
  }
}

function readElements<T>(input: ByteReader, element: ElementCodec<T>, count: number, values: T[]): void {
  for (let i = 0; i < count; i++) {
    const before = input.position;
    values.push(element.decode(input, "nested"));
    if (input.position === before && values.length > EMPTY_ELEMENTS_MAX) {
      throw new CorruptBytesError(`a sequence of more than ${EMPTY_ELEMENTS_MAX} empty elements`);
    }
  }
}

/** Elements at hand, then those behind the token. */
class ContinuedSequence<T> implements Iterable<T> {
  constructor(
    private readonly head: readonly T[],
    private readonly rest: Iterable<T>,
  ) {}

  *[Symbol.iterator](): Iterator<T> {
    yield* this.head;
    yield* this.rest;
  }
}
