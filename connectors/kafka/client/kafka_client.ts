/**
 * What the Kafka read needs of a client: partitions, offsets, and records of partitions that the caller picks itself.
 * There is no consumer group behind it: readers in other processes never take a partition away or give one.
 * Nothing here knows the library underneath, so that a simulation can stand in for it.
 */
import type { ConnectionOptions } from "node:tls";
import type { Clock, HealthReporter, TrustedClock } from "@order-payment-stream/beam/io";

import type { OpenTransactionError } from "./kafka_errors.js";
import type { LoginProvider } from "./kafkajs_internals.js";
import type { BatchMark, LogId } from "./log_id.js";
import type { Anchor, LogMark } from "./log_identity.js";

/** What a Kafka read needs from a cluster. */
export interface KafkaClient {
  /**
   * Partition ids of a topic, ascending.
   * @throws TopicNotFoundError, KafkaUnreachableError, KafkaAuthorizationError
   */
  partitions(topic: string): Promise<readonly number[]>;
  /** Which log the topic's offsets are of now. Throws as `partitions`. */
  log(topic: string): Promise<LogId>;
  /**
   * One offset per partition. "latest" is where the next record visible under read_committed will be, which is the
   * first of an open transaction where there is one; "end" is the high watermark, behind open transactions too; a
   * timestamp gives the first record that is not older, and "latest" when there is none.
   */
  offsets(topic: string, at: OffsetPoint): Promise<Map<number, number>>;
  /** What a group has committed, by partition; a partition without a commit is absent. Does not join the group. */
  committedOffsets(groupId: string, topic: string): Promise<Map<number, number>>;
  /**
   * Commits without joining: generation -1 and no member id, which a broker accepts as long as the group has no
   * members; otherwise KafkaRequestError. Offsets are of the next record to read.
   */
  commitOffsets(groupId: string, offsets: readonly PartitionOffset[]): Promise<void>;
  /**
   * Starts fetching in the background. All subscriptions to one broker share its long poll: a partition that is
   * subscribed meanwhile joins the next one, at most `fetchMaxWaitMs` later. Never throws for the state of the
   * cluster: failures show in `error`. A topic-partition can be subscribed once at a time.
   * @param offset first one wanted
   * @param onData see PartitionSubscription; must not throw
   * @param mark of the log that `offset` is of, compared with the log that there is before anything is read, and again
   * after each time that the partition could not be fetched; undefined: whichever there is
   */
  subscribe(
    topic: string,
    partition: number,
    offset: number,
    onData: () => void,
    mark?: LogMark,
  ): PartitionSubscription;
  /** Ends every subscription and connection, within a second. Requests under way fail with KafkaClosedError. */
  close(): Promise<void>;
}

export type OffsetPoint = "earliest" | "latest" | "end" | { readonly timestampMs: number };

export interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/**
 * One partition being read. `onData` is called when
 * - records have arrived while there was none left to take,
 * - the end of the log was reached or lost: `caughtUpAtMs` was set or unset (that it goes on with the time calls nobody),
 * - or `error` was set. Records fetched before can still be taken then.
 * It is called by the event loop, never from inside a call of the reader's.
 */
export interface PartitionSubscription {
  readonly topic: string;
  readonly partition: number;
  /**
   * A cursor over the records at hand, at most `maxRecords` of them; undefined: none. Does not wait. It is the same
   * object each time, goes on where it was left, and may turn out empty (compacted records).
   */
  take(maxRecords: number): RecordCursor | undefined;
  /**
   * Every offset below was handed out by the cursor's `next`, or will never be: control records, aborted
   * transactions and compaction leave gaps.
   */
  readonly position: number;
  /** End of the log as last told, open transactions included. -1: not known yet. */
  readonly highWatermark: number;
  /**
   * Set when everything up to `highWatermark` has been handed out: when the fetch that told so was SENT, by a
   * TrustedClock. Every record in the log at that time has been handed out. Undefined while behind, behind an open
   * transaction, paused or disconnected.
   */
  readonly caughtUpAtMs: number | undefined;
  /** The log that is read, as last told by the brokers. Undefined: not known yet, and no record was fetched. */
  readonly log: LogId | undefined;
  /** The log has been fetched from, and holds what was read before, as far as that was known. */
  readonly isCompared: boolean;
  /** The batch that was fetched last, of whatever kind. Undefined: none was. */
  readonly anchor: Anchor | undefined;
  /**
   * Set while an open transaction has held the partition up for `retryMaxMs`: what a read that has an end fails with.
   * One that has none goes on waiting; when the transaction ends, so does this.
   */
  readonly transactionTimeout: OpenTransactionError | undefined;
  /** For whoever watches: how fetching goes. Undefined where a client does not tell. */
  readonly fetching?: FetchingState;
  /** Fatal, never cleared: a PositionLostError, TopicNotFoundError, … or an outage longer than `retryMaxMs`. */
  readonly error: Error | undefined;
  close(): void;
}

/** The state of fetching a partition. Times are by `Clock.elapsed`. */
export interface FetchingState {
  /** Node id of the broker that is asked; -1: to be found out. */
  readonly leader: number;
  /** When the last fetch was answered; Infinity: none was yet. */
  readonly answeredAtMs: number;
  /** An answer is waited for. */
  readonly isBusy: boolean;
  /** So much is buffered that nothing more is requested. */
  readonly isPaused: boolean;
  /** Since when no attempt has succeeded, and what the last one failed with. */
  readonly failure: { readonly sinceMs: number; readonly message: string } | undefined;
  /** An open transaction that hides what comes behind it: since when, and whose, if that is known. */
  readonly heldUp: { readonly sinceMs: number; readonly writer: string | undefined } | undefined;
}

/** Reads records one by one. Its fields speak of the record that `next` stepped to; `next` overwrites them. */
export interface RecordCursor {
  /**
   * Steps to the next record; false: no more in this take.
   * @throws UnreadableRecordsError each time, until `skipUnreadable` is called
   */
  next(): boolean;
  /** After an UnreadableRecordsError: goes on behind its last offset. */
  skipUnreadable(): void;
  /** Undoes the last step, so that its record comes again. Once after a `next` that returned true. */
  unread(): void;
  readonly offset: number;
  /** The batch that the record is in. Not to be kept: it holds the memory of its records. */
  readonly batch: BatchMark | undefined;
  /** Milliseconds since the epoch: the producer's time, or the broker's where the topic says LogAppendTime. */
  readonly timestampMs: number;
  /**
   * Holds key and value. Never overwritten: `buffer` may be kept (and with it, the memory of a whole fetch).
   */
  readonly buffer: Buffer;
  /** Key bytes are buffer[keyStart, keyEnd); keyStart -1 = null key. */
  readonly keyStart: number;
  readonly keyEnd: number;
  /** Value bytes are buffer[valueStart, valueEnd); valueStart -1 = null value. */
  readonly valueStart: number;
  readonly valueEnd: number;
  /**
   * Looks for a header of the record, the last one of that name, as Kafka's own clients do. Its value is then
   * buffer[headerStart, headerEnd). False: there is none, or it has no value.
   * @param name in UTF-8
   */
  findHeader(name: Uint8Array): boolean;
  readonly headerStart: number;
  readonly headerEnd: number;
}

/** Where a client logs. */
export interface KafkaLogger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** Where warnings and errors go that no other logger was given for. */
export const stderrLogger: KafkaLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message, fields) => console.error(message, fields ?? ""),
  error: (message, fields) => console.error(message, fields ?? ""),
};

/** How to reach a Kafka cluster. */
export interface PasswordLogin {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}

/** Made by `oauthBearer`; also fits kafkajs's own configuration. */
export interface OAuthBearerLogin {
  readonly mechanism: "oauthbearer";
  readonly authenticationProvider: LoginProvider;
}

/** How to reach a Kafka cluster. */
export interface KafkaConfig {
  /** host:port of one or more brokers; the rest of the cluster is found through them. */
  readonly brokers: readonly string[];
  /** What brokers call this client in their logs. Default: order-payment-stream. */
  readonly clientId?: string;
  /** True: TLS with the system's certificate authorities. */
  readonly ssl?: boolean | ConnectionOptions;
  readonly sasl?: PasswordLogin | OAuthBearerLogin;
  /** Default: warnings and errors go to standard error. */
  readonly logger?: KafkaLogger;
  readonly clock?: Clock;
  /** By default one of its own, of `clock` alone. */
  readonly trustedClock?: TrustedClock;
  /** Receives lasting outages, and wrong clocks. */
  readonly health?: HealthReporter;
  readonly limits?: Partial<KafkaLimits>;
}

/** A KafkaConfig with its defaults filled in. */
export type WholeKafkaConfig = KafkaConfig & Required<Pick<KafkaConfig, "clientId" | "logger">>;

export interface KafkaLimits {
  /** How long `connectKafka` starts new attempts; opening one connection may take 0.4 of it. */
  readonly connectTimeoutMs: number;
  /** How long one request may stay unanswered; its connection is given up then. */
  readonly requestTimeoutMs: number;
  /** How long a metadata or offset request is retried. */
  readonly requestRetryMaxMs: number;
  /** How long a subscribed partition may be unknown to the brokers, as it may be after a broker's restart. */
  readonly topicMissingMaxMs: number;
  /**
   * How long a partition is retried without one success, before its subscription fails; and how long an open
   * transaction may hold it up before `transactionTimeout` is set.
   */
  readonly retryMaxMs: number;
  /** How long a broker holds back the answer to a fetch while there is no record; well below requestTimeoutMs. */
  readonly fetchMaxWaitMs: number;
  /** Bytes per partition in one fetch; a larger record batch still comes, alone. */
  readonly fetchPartitionMaxBytes: number;
  /** Bytes in one fetch. */
  readonly fetchMaxBytes: number;
  /** A batch that is larger unpacked is not unpacked; far above what a broker takes from a producer by default. */
  readonly unpackedBatchMaxBytes: number;
  /** Of all batches that are unpacked at a time, whatever the number of partitions. */
  readonly unpackedMaxBytes: number;
  /** A partition is left out of fetches while as many bytes of it, compressed as they are, wait to be taken. */
  readonly bufferPartitionMaxBytes: number;
  /** Compare the CRC-32C of every record batch, as the broker did when it stored it. */
  readonly verifyChecksums: boolean;
}

export const defaultKafkaLimits: KafkaLimits = {
  connectTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  requestRetryMaxMs: 30_000,
  topicMissingMaxMs: 30_000,
  retryMaxMs: 300_000,
  fetchMaxWaitMs: 500,
  fetchPartitionMaxBytes: 1 << 20,
  fetchMaxBytes: 16 << 20,
  unpackedBatchMaxBytes: 64 << 20,
  unpackedMaxBytes: 128 << 20,
  bufferPartitionMaxBytes: 2 << 20,
  verifyChecksums: true,
};
