/**
 * What can go wrong with Kafka, by what the reader of the message has to do about it. Outages have been retried within
 * their bound before one of these is thrown.
 */
import { AssertionError } from "node:assert";
import { KafkaJSNumberOfRetriesExceeded, KafkaJSSASLAuthenticationError } from "./kafkajs_internals.js";

import type { BatchMark, LogId } from "./log_id.js";

/** Any failure of this client. */
export class KafkaError extends Error {
  override readonly name: string = "KafkaError";
}

/** Outage, or a wrong address: no broker answered in time. */
export class KafkaUnreachableError extends KafkaError {
  override readonly name = "KafkaUnreachableError";

  constructor(
    readonly brokers: readonly string[],
    cause: unknown,
    hint = "",
  ) {
    super(`Kafka cannot be reached at ${brokers.join(", ")}: ${messageOf(cause)}${hint}`, { cause });
  }
}

/** The brokers refuse these credentials, or this mechanism. Not retried. */
export class KafkaAuthenticationError extends KafkaError {
  override readonly name = "KafkaAuthenticationError";

  constructor(
    readonly brokers: readonly string[],
    cause: unknown,
  ) {
    super(`Kafka at ${brokers.join(", ")} refused the login: ${messageOf(cause)}`, { cause });
  }
}

/** The issuer of tokens does not give this client one. Not retried. */
export class TokenRefusedError extends KafkaError {
  override readonly name = "TokenRefusedError";

  /** @param issuer begins the sentence: "the token endpoint https://…" */
  constructor(issuer: string, reason: string, purpose = "Kafka") {
    super(`${issuer} refuses to give a token for ${purpose}: ${reason}`);
  }
}

/** The login is good, but may not do this. Not retried. */
export class KafkaAuthorizationError extends KafkaError {
  override readonly name = "KafkaAuthorizationError";

  constructor(resource: string, code: string) {
    super(`Kafka does not allow access to ${resource} (${code})`);
  }
}

/** The topic, or one of its partitions, does not exist. */
export class TopicNotFoundError extends KafkaError {
  override readonly name = "TopicNotFoundError";

  constructor(
    readonly topic: string,
    brokers: readonly string[],
    readonly partition?: number,
  ) {
    const what = partition === undefined ? `topic "${topic}"` : `partition ${partition} of topic "${topic}"`;
    super(`Kafka at ${brokers.join(", ")} has no ${what}`);
  }
}

/** The position of a reader is no place in the log that there is now. Says what that log holds, to go on elsewhere. */
export abstract class PositionLostError extends KafkaError {
  constructor(
    readonly topic: string,
    readonly partition: number,
    /** First one that was not read. */
    readonly wantedOffset: number,
    readonly found: FoundLog,
    problem: string,
  ) {
    super(`${topic}[${partition}] ${problem}`);
  }
}

/** What there is in place of the log that was read. */
export interface FoundLog {
  readonly log: LogId;
  readonly earliestOffset: number;
  readonly latestOffset: number;
}

/** Records that were to be read are gone from the log, or were never there. */
export class OffsetOutOfRangeError extends PositionLostError {
  override readonly name = "OffsetOutOfRangeError";

  constructor(topic: string, partition: number, wantedOffset: number, found: FoundLog) {
    const { earliestOffset, latestOffset } = found;
    super(
      topic,
      partition,
      wantedOffset,
      found,
      `has no offset ${wantedOffset}: the log holds ${earliestOffset} to ${latestOffset}`,
    );
  }
}

/** The offsets up to this one were of another log. */
export class LogChangedError extends PositionLostError {
  override readonly name = "LogChangedError";

  constructor(
    topic: string,
    partition: number,
    wantedOffset: number,
    found: FoundLog,
    /** How it is known. */
    readonly evidence: string,
  ) {
    super(topic, partition, wantedOffset, found, `is another log than the one that was read: ${evidence}`);
  }
}

/** A transaction that its producer does not end hides the records behind it, for longer than a read waits for it. */
export class OpenTransactionError extends KafkaError {
  override readonly name = "OpenTransactionError";

  /** @param writer who writes it, as far as known */
  constructor(
    readonly topic: string,
    readonly partition: number,
    readonly firstOffset: number,
    writer: string | undefined,
    waitedMs: number,
  ) {
    super(
      `${openTransaction(`${topic}[${partition}]`, firstOffset, writer)}, for ${Math.round(waitedMs / 1000)} s now. ` +
        "Have its producer end it, or abort it: kafka-transactions.sh … abort " +
        `--topic ${topic} --partition ${partition} --start-offset ${firstOffset}`,
    );
  }
}

/** What an open transaction does to a partition, in words. */
export function openTransaction(name: string, firstOffset: number, writer: string | undefined): string {
  const by = writer === undefined ? "" : ` of ${writer}`;
  return `${name}: an open transaction${by}, which begins at offset ${firstOffset}, hides the records behind it`;
}

/**
 * Records that nobody can read though they are as the broker has them: packed wrongly, larger than is unpacked, or
 * with an inside that is none. They have offsets, and a read can go on behind them.
 */
export class UnreadableRecordsError extends KafkaError {
  override readonly name = "UnreadableRecordsError";

  /**
   * @param partition its name
   * @param timestampMs of the first record of the batch; -1: none
   * @param bytes of all records of the batch, as received
   * @param batch that they are in
   */
  constructor(
    partition: string,
    readonly firstOffset: number,
    readonly lastOffset: number,
    readonly timestampMs: number,
    readonly bytes: Buffer,
    reason: string,
    readonly batch: BatchMark,
  ) {
    super(`${partition}: the records at offsets ${firstOffset} to ${lastOffset} cannot be read: ${reason}`);
  }
}

/** Bytes that are no record batch this client can read, again and again. */
export class RecordFormatError extends KafkaError {
  override readonly name = "RecordFormatError";
}

/** A broker answers a request with an error, still after the retries where they make sense. */
export class KafkaRequestError extends KafkaError {
  override readonly name = "KafkaRequestError";
}

/** The client was closed. */
export class KafkaClosedError extends KafkaError {
  override readonly name = "KafkaClosedError";

  constructor() {
    super("the Kafka client is closed");
  }
}

/** This program or a library of its does what it must not: not an outage, however it came about. */
export class KafkaProgramError extends KafkaError {
  override readonly name = "KafkaProgramError";

  constructor(cause: Error) {
    super(`${cause.name}: ${cause.message}`, { cause });
  }
}

/**
 * What a failure means.
 * - `authentication`: the broker has refused the login.
 * - `protocol`: the broker has answered with an error, by its name in the protocol.
 * - `connection`: everything that leaves the connection in doubt: refused, closed, timed out, unreadable. Whatever is not
 *   known to be something else is of this kind, so an outage.
 * - `programmer`: a bug.
 */
export type KafkaFailure =
  | { readonly kind: "authentication" }
  | { readonly kind: "protocol"; readonly type: string; readonly retriable: boolean }
  | { readonly kind: "connection"; readonly code: string | undefined }
  | { readonly kind: "programmer" };

const LOGIN_REFUSALS: ReadonlySet<string> = new Set([
  "SASL_AUTHENTICATION_FAILED",
  "UNSUPPORTED_SASL_MECHANISM",
]);

const PROGRAMMER_CLASSES = [TypeError, ReferenceError, SyntaxError, RangeError, EvalError, AssertionError];

/** What was thrown, but for a KafkaError, which says itself what it is. */
export function classifyFailure(error: unknown): KafkaFailure {
  if (isProgrammersError(error)) return { kind: "programmer" };
  if (error instanceof KafkaJSNumberOfRetriesExceeded) return classifyFailure(error.cause);
  // Where the connection failed in the middle of a login, the error is that of the connection: see kafkajs_internals.ts.
  if (error instanceof KafkaJSSASLAuthenticationError) return { kind: "authentication" };
  const { type, code, retriable } = error as { type?: unknown; code?: unknown; retriable?: unknown };
  if (typeof type === "string" && type !== "ILLEGAL_SASL_STATE") {
    if (LOGIN_REFUSALS.has(type)) return { kind: "authentication" };
    return { kind: "protocol", type, retriable: retriable === true };
  }
  return { kind: "connection", code: typeof code === "string" ? code : undefined };
}

/**
 * A bug of JavaScript's own kind. What a library makes of an answer that was damaged looks the same; so whoever reads
 * from a broker calls it an UnreadableAnswerError first.
 */
export function isProgrammersError(error: unknown): boolean {
  return !(error instanceof Error) || PROGRAMMER_CLASSES.some((known) => error instanceof known);
}

/** A request failed in a way that bytes which were damaged in transit explain; another attempt may not. */
export class UnreadableAnswerError extends Error {
  override readonly name = "UnreadableAnswerError";

  constructor(cause: Error) {
    super(`the answer of the broker cannot be read: ${cause.message}`, { cause });
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
