/**
 * What a read of files makes of records. The read names its decoder, so that one pass over the bytes gives the value,
 * its event time, which the watermark needs, or what is to be said of a record that is no value.
 */
import type { Coder, TimestampMs } from "@order-payment-stream/beam";

/** Where a record is: one object for all records of a block. */
export interface FilePlace {
  readonly path: string;
  /** Offset of the block in the file; 0 for lines, of which each is known by its own offset. */
  readonly block: number;
}

/** A record that did not become a value. */
export class RejectedRecord<D> {
  constructor(readonly report: D) {}
}

/** A part of a file that cannot be read. */
export interface UnreadablePart {
  readonly path: string;
  /** Of its first byte. */
  readonly offset: number;
  readonly reason: string;
  /** As stored; the beginning, where it is long. */
  readonly bytes: Buffer;
  /** Whether it is a block of a container; otherwise it is a line, or the file as a whole. */
  readonly isBlock: boolean;
}

/** Thrown by a RecordReader: the block is damaged here, so the records behind cannot be found either. */
export class DamagedBlockError extends Error {
  override readonly name = "DamagedBlockError";
}

/** Reads the records of one container, one after the other. */
export interface RecordReader<T, D> {
  /** Behind the record that was read last. */
  readonly end: number;
  /**
   * @param buffer may be kept
   * @param index of the record in its block
   * @param watermark of the file, as the records before this one left it
   * @param now the latest time that it may be
   * @throws DamagedBlockError
   */
  read(
    buffer: Buffer,
    start: number,
    limit: number,
    place: FilePlace,
    index: number,
    watermark: TimestampMs,
    now: TimestampMs,
  ): T | RejectedRecord<D>;
}

/** Decodes records to values with event times. */
export interface FileDecoder<T, D> {
  /**
   * A reader for containers that were written with this schema.
   * @param schema JSON, as the file has it
   * @throws Error that says why nothing can be read by it
   */
  container(schema: string): RecordReader<T, D>;
  /** A line of text, which is not blank. @param offset in the file */
  line(
    buffer: Buffer,
    start: number,
    end: number,
    place: FilePlace,
    offset: number,
    watermark: TimestampMs,
    now: TimestampMs,
  ): T | RejectedRecord<D>;
  unreadable(part: UnreadablePart): D;
  eventTime(value: T): TimestampMs;
}

/** What a read knows of a decoder: its name, and the coders of its events `T` and reports `D`. */
export interface FileDecoderDescriptor<T, D, C = null> {
  /** The permanent name of the decoder, in jobs and in kept state. */
  readonly urn: string;
  readonly coder: Coder<T>;
  readonly rejectedCoder: Coder<D>;
  /** Makes the decoder, on a worker. @param config its part of the read's configuration, JSON */
  create(config: C): FileDecoder<T, D>;
}

const descriptors = new Map<string, FileDecoderDescriptor<any, any, any>>();

/**
 * Makes a decoder known by its URN, in the program that builds the graph and in the worker that runs it.
 *
 * @returns what it was given, for ReadFromFiles.decoder
 */
export function registerFileDecoder<T, D, C = null>(
  descriptor: FileDecoderDescriptor<T, D, C>,
): FileDecoderDescriptor<T, D, C> {
  const known = descriptors.get(descriptor.urn);
  if (known !== undefined && known !== descriptor) {
    throw new Error(
      `the URN ${descriptor.urn} belongs to another file decoder: give this one a URN of its own`,
    );
  }
  descriptors.set(descriptor.urn, descriptor);
  return descriptor;
}

/** A decoder by its URN. Throws if none is registered. */
export function fileDecoder(urn: string, config: unknown): FileDecoder<any, any> {
  const descriptor = descriptors.get(urn);
  if (descriptor === undefined) throw new Error(`no file decoder is registered under ${urn}`);
  return descriptor.create(config);
}
