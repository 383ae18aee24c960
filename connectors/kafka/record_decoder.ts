/**
 * What a Kafka read makes of a record. The read names its decoder, so that one pass over the bytes gives the value, its
 * event time, which the watermark needs, or what is to be said of a record that is no value.
 */
import type { Coder, TimestampMs } from "@order-payment-stream/beam";

import type { RecordCursor } from "./client/kafka_client.js";
import type { UnreadableRecordsError } from "./client/kafka_errors.js";
import type { Untimely } from "./untimely_records.js";

/** Where records are read: one object for all that a bundle reads of a partition. */
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

/** A record that cannot be decoded yet. It stays where it is, and comes again. */
export class NotReady {
  /** @param onReady calls its argument once coming again pays, and returns a function that ends the watch */
  constructor(readonly onReady: (wake: () => void) => () => void) {}
}

/** Makes values of records, with their event times. */
export interface RecordDecoder<T, D> {
  readonly coder: Coder<T>;
  readonly rejectedCoder: Coder<D>;
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
  /** What is to be said of records of which nobody can tell more than their offsets. */
  unreadable(records: UnreadableRecordsError, from: TopicPartition): D;
  eventTime(value: T): TimestampMs;
}

/** Makes a decoder from its part of the read's configuration. */
export type RecordDecoderFactory<T, D, C> = (config: C) => RecordDecoder<T, D>;

/** The name of a decoder that makes events `T` or reports `D` of records, and is configured by `C`. */
export type RecordDecoderName<T, D, C = null> = string & {
  readonly events?: T;
  readonly reports?: D;
  readonly config?: C;
};

const factories = new Map<string, RecordDecoderFactory<any, any, any>>();

/**
 * Makes `name` known, in the program that builds the graph and in the worker that runs it.
 *
 * @returns the name, with the types of what the decoder makes
 */
export function registerRecordDecoder<T, D, C = null>(
  name: string,
  factory: RecordDecoderFactory<T, D, C>,
): RecordDecoderName<T, D, C> {
  factories.set(name, factory);
  return name as RecordDecoderName<T, D, C>;
}

/** A decoder by name. Throws for a name that nothing registered. */
export function recordDecoder(name: string, config: unknown): RecordDecoder<any, any> {
  const factory = factories.get(name);
  if (factory === undefined) throw new Error(`no record decoder is registered under ${name}`);
  return factory(config);
}
