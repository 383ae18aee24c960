/**
 * What a Kafka read makes of a record. The read names its decoder, so that one pass over the bytes gives the value, its
 * event time, which the watermark needs, or what is to be said of a record that is no value.
 */
import type { Coder, TimestampMs } from "@order-payment-stream/beam";

import type { RecordCursor } from "./client/kafka_client.js";
import type { UnreadableRecordsError } from "./client/kafka_errors.js";
import type { Untimely } from "./untimely_records.js";

/** The origin of records: one object for all that a bundle reads from a partition. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
  /** Id of the topic, or of the cluster where brokers have none for topics; empty: not known. */
  readonly log: string;
}

/** A record that did not become a value. */
export class Rejected<D> {
  /** @param untimely when it is the record's time that is refused */
  constructor(
    readonly report: D,
    readonly untimely?: Untimely,
  ) {}
}

/** A record that cannot be decoded yet. It is not consumed, and comes again. */
export class NotReady {
  /**
   * @param onReady calls its argument when it is worth trying again, and returns a function that stops watching
   */
  constructor(readonly onReady: (wake: () => void) => () => void) {}
}

/** Decodes records to values with event times. */
export interface RecordDecoder<T, D> {
  /** Before the first record, on a worker; each call has its `teardown`. */
  setup?(): Promise<void>;
  teardown?(): Promise<void>;
  /**
   * What it throws ends the read.
   * @param record speaks of the record until this returns; its buffer may be kept
   * @param watermark of the partition, as the records before this one left it
   * @param now the latest time that it may be
   */
  decode(
    record: RecordCursor,
    from: TopicPartition,
    watermark: TimestampMs,
    now: TimestampMs,
  ): T | Rejected<D> | NotReady;
  /** The report for records of which only the offsets are known. */
  unreadable(records: UnreadableRecordsError, from: TopicPartition): D;
  eventTime(value: T): TimestampMs;
}

/** What a read knows of a decoder: its name, and the coders of its events `T` and reports `D`. */
export interface RecordDecoderDescriptor<T, D, C = null> {
  /** The permanent name of the decoder, in jobs and in kept state. */
  readonly urn: string;
  readonly coder: Coder<T>;
  readonly rejectedCoder: Coder<D>;
  /** Makes the decoder, on a worker. @param config its part of the read's configuration, JSON */
  create(config: C): RecordDecoder<T, D>;
}

const descriptors = new Map<string, RecordDecoderDescriptor<any, any, any>>();

/**
 * Makes a decoder known by its URN, in the program that builds the graph and in the worker that runs it. Throws when
 * another has its URN.
 *
 * @returns what it was given, for ReadFromKafka.decoder
 */
export function registerRecordDecoder<T, D, C = null>(
  descriptor: RecordDecoderDescriptor<T, D, C>,
): RecordDecoderDescriptor<T, D, C> {
  const known = descriptors.get(descriptor.urn);
  if (known !== undefined && known !== descriptor) {
    throw new Error(
      `the URN ${descriptor.urn} belongs to another record decoder: give this one a URN of its own`,
    );
  }
  descriptors.set(descriptor.urn, descriptor);
  return descriptor;
}

/** A decoder by its URN. Throws if none is registered. */
export function recordDecoder(urn: string, config: unknown): RecordDecoder<any, any> {
  const descriptor = descriptors.get(urn);
  if (descriptor === undefined) throw new Error(`no record decoder is registered under ${urn}`);
  return descriptor.create(config);
}
