/**
 * What becomes of a partition of which a fetch, or a look for its leader, has failed: it is tried again later, or its
 * subscriber is told. Nothing is thrown away but what was fetched and cannot be trusted.
 */
import { type Clock, type HealthReporter, silentHealth } from "@order-payment-stream/beam/io";
import { backoffMs } from "./backoff.js";
import { RetriableCodeError } from "./cluster.js";
import type { FetchTransport } from "./fetch_transport.js";
import type { KafkaLimits, KafkaLogger } from "./kafka_client.js";
import {
  KafkaAuthenticationError,
  KafkaAuthorizationError,
  KafkaProgramError,
  KafkaRequestError,
  RecordFormatError,
  TokenRefusedError,
  TopicNotFoundError,
} from "./kafka_errors.js";
import { errorName } from "./kafkajs_internals.js";
import type { PartitionReader } from "./partition_reader.js";

const UNKNOWN_TOPIC_OR_PARTITION = 3;
const INVALID_FETCH_SIZE = 4;
const INVALID_TOPIC = 17;
const TOPIC_AUTHORIZATION_FAILED = 29;
const UNSUPPORTED_VERSION = 35;

/** Answers with the same batch damaged, each by a connection of its own, before it counts as damaged on the disk. */
const DAMAGED_MAX = 6;

const HEALTH_KAFKA = "Kafka";
/** A change of leader, which is no problem, is over sooner. */
const HEALTH_AFTER_MS = 1_000;
/** Beyond the time that a broker may hold an answer back. */
const HEALTH_SLOW_MS = 5_000;

const TELL_THROTTLE_EVERY_MS = 60_000;

/** What waiting does not mend. */
const FATAL = [KafkaAuthenticationError, TokenRefusedError, KafkaProgramError];

/** What returns true has given the subscriber something to see. */
export class FetchFailures {
  /** Partitions have failed for longer than a change of leader takes, or a broker does not answer. */
  #isFailing = false;
  readonly #failing = new Set<PartitionReader>();
  #throttleToldUntilMs = Number.NEGATIVE_INFINITY;
  /** By broker, when the next request to it leaves. */
  readonly #heldBackUntilMs = new Map<number, number>();

  constructor(
    private readonly transport: FetchTransport,
    private readonly limits: KafkaLimits,
    private readonly clock: Clock,
    private readonly logger: KafkaLogger,
    private readonly random: () => number,
    private readonly health: HealthReporter,
  ) {}

  /** Nobody reads the partition any more. */
  ended(reader: PartitionReader): void {
    this.#failing.delete(reader);
  }

  /** A byte that was damaged on the way is right the next time, by another connection; one on a disk is not. */
  damaged(reader: PartitionReader, leader: number, what: string): boolean {
    const { name } = reader;
    reader.damaged++;
    if (reader.damaged >= DAMAGED_MAX) {
      return reader.fail(
        new RecordFormatError(
          `${name}: ${what}, ${DAMAGED_MAX} times in a row by as many connections: it is so on the disk of broker ${leader}. ` +
            "Another replica may be whole: move the leader; or delete the records up to there",
        ),
      );
    }
    this.transport.disconnect(leader);
    return this.failed(reader, new KafkaRequestError(`${name}: ${what}`));
  }

  succeeded(reader: PartitionReader): void {
    if (reader.failures > 0) {
      const { topic, partition, failures } = reader;
      const outageMs = this.clock.elapsed() - reader.failingSinceMs;
      this.logger.info("Kafka partition can be read again", { topic, partition, failures, outageMs });
    }
    reader.failures = 0;
    this.#failing.delete(reader);
    reader.missingSinceMs = -1;
    if (this.#isFailing && this.#failing.size === 0) {
      this.#isFailing = false;
      this.health.clear(HEALTH_KAFKA);
    }
  }

  /** A quota of the broker's holds its answers to this client back: that is no failure, but it is to be known. */
  throttled(leader: number, throttledMs: number): void {
    const now = this.clock.elapsed();
    this.#heldBackUntilMs.set(leader, now + throttledMs);
    if (now < this.#throttleToldUntilMs) return;
    this.#throttleToldUntilMs = now + TELL_THROTTLE_EVERY_MS;
    this.logger.warn("Kafka throttles this client: a quota of the broker holds its answers back", {
      broker: leader,
      throttledMs,
    });
  }

  /** Returns a function that ends the watch. */
  watchAnswer(leader: number, maxWaitMs: number): () => void {
    if (this.health === silentHealth) return () => {};
    const heldBackMs = Math.max(0, (this.#heldBackUntilMs.get(leader) ?? 0) - this.clock.elapsed());
    return this.clock.schedule(heldBackMs + maxWaitMs + HEALTH_SLOW_MS, () => {
      this.#reportProblem(`broker ${leader} has not answered a fetch for ${HEALTH_SLOW_MS / 1000} s`);
    });
  }

  /** The first sentence stays: one outage is told once. */
  #reportProblem(problem: string): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.health.report(HEALTH_KAFKA, problem);
  }

  failedByCode(reader: PartitionReader, code: number): boolean {
    switch (code) {
      case TOPIC_AUTHORIZATION_FAILED:
        return reader.fail(new KafkaAuthorizationError(`topic "${reader.topic}"`, errorName(code)));
      case INVALID_TOPIC:
        return reader.fail(new TopicNotFoundError(reader.topic, this.transport.brokers));
      case INVALID_FETCH_SIZE:
      case UNSUPPORTED_VERSION:
        return reader.fail(new KafkaRequestError(`fetching ${reader.name}: ${errorName(code)}`));
      case UNKNOWN_TOPIC_OR_PARTITION: {
        const now = this.clock.elapsed();
        if (reader.missingSinceMs < 0) reader.missingSinceMs = now;
        if (now - reader.missingSinceMs > this.limits.topicMissingMaxMs) {
          return reader.fail(new TopicNotFoundError(reader.topic, this.transport.brokers, reader.partition));
        }
        return this.#retryLater(reader, new RetriableCodeError(reader.name, code));
      }
      default:
        return this.failed(reader, new RetriableCodeError(reader.name, code));
    }
  }

  failed(reader: PartitionReader, error: unknown): boolean {
    reader.missingSinceMs = -1;
    return this.#retryLater(reader, error);
  }

  /** True: the subscriber has something to see. */
  #retryLater(reader: PartitionReader, error: unknown): boolean {
    if (reader.isClosed || reader.error !== undefined) return false;
    const cause = this.transport.toKafkaError(error);
    if (FATAL.some((known) => cause instanceof known)) return reader.fail(cause);
    const now = this.clock.elapsed();
    if (reader.failures === 0) reader.failingSinceMs = now;
    reader.failures++;
    reader.lastFailure = cause.message;
    this.#failing.add(reader);
    if (now - reader.failingSinceMs > this.limits.retryMaxMs) return reader.fail(cause);
    reader.retryAtMs = now + backoffMs(reader.failures, this.random);
    if (now - reader.failingSinceMs >= HEALTH_AFTER_MS) {
      this.#reportProblem(`${reader.name} cannot be read: ${cause.message}`);
    }
    if (reader.failures === 1) {
      const { topic, partition } = reader;
      this.logger.warn("Kafka partition cannot be read, trying again", {
        topic,
        partition,
        error: cause.message,
      });
    }
    return reader.disconnect();
  }
}
