/**
 * Reads partitions piece by piece: records at hand become values, with the partition's watermark behind them, or
 * reports of what was none. Offsets are its positions.
 */
import { SteadyHour } from "../../model/steady_hour.js";
import type { TimestampMs } from "../../model/timestamps.js";
import type { OutputSpecs } from "../../sdk/do_fn.js";
import { counter } from "../../sdk/metrics.js";
import { type OffsetRange, OffsetRangeTracker } from "../../sdk/offset_range.js";
import { offsetRangeCoder } from "../../sdk/offset_range_coder.js";
import { registerDoFn } from "../../sdk/registry.js";
import {
  type ProcessContinuation,
  type RestrictionTracker,
  resume,
  type SplittableContext,
  SplittableDoFn,
  stop,
} from "../../sdk/splittable.js";
import { OffsetOutOfRangeError } from "./client/kafka_errors.js";
import { type KafkaConnection, kafkaConnections } from "./kafka_connections.js";
import type { LastingSubscription } from "./lasting_subscription.js";
import type { PartitionSource } from "./partition_source.js";
import { watermarkAfterEvent, watermarkWhenCaughtUp } from "./partition_watermark.js";
import type { ReadConfig } from "./read_config.js";
import { Rejected, recordDecoder, type TopicPartition } from "./record_decoder.js";

/** How long a quiet partition is left alone where nobody tells of news: other runners resume in whole seconds. */
const QUIET_DELAY_MS = 1_000;

/** PartitionSource → values, and reports of what was none */
export class ReadPartitions extends SplittableDoFn<
  PartitionSource,
  OffsetRange,
  number,
  OutputSpecs,
  ReadConfig
> {
  static readonly urn = "beam:dofn:ts:kafka_read_partitions:v1";
  declare readonly outputs: OutputSpecs;
  readonly restrictionCoder = offsetRangeCoder;
  readonly isBounded = this.config.isBounded;
  override readonly requestsFinalization = this.config.groupId !== null;
  override readonly metrics = { records: counter(), rejected: counter() };
  readonly #decoder = recordDecoder(this.config.decoder, this.config.decoderConfig);
  #kafka!: KafkaConnection;
  #hour: SteadyHour | undefined;

  override async setup(): Promise<void> {
    this.#kafka = await kafkaConnections.acquire(this.config.connection);
  }

  override teardown(): Promise<void> {
    return kafkaConnections.release(this.config.connection);
  }

  initialRestriction({ range }: PartitionSource): OffsetRange {
    return range;
  }

  override size(_source: PartitionSource, { start, end }: OffsetRange): number {
    return end === Number.POSITIVE_INFINITY ? 1 : Math.max(0, end - start);
  }

  newTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }

  /** A drain ends the read where it stands, also one that has an end. */
  override truncate(): undefined {
    return undefined;
  }

  process(
    source: PartitionSource,
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<OutputSpecs>,
  ): ProcessContinuation {
    const { topic, partition } = source;
    const { start, end } = tracker.restriction;
    if (start >= end) {
      this.#kafka.closeReader(topic, partition);
      return stop();
    }
    const reader = this.#kafka.reader(topic, partition, start);
    const { subscription } = reader;
    reader.takeNews();
    if (!this.#readRecords(source, tracker, ctx, reader)) return resume();
    if (subscription.position >= end) {
      // What is between the last record and the end (markers, compacted records) is claimed with the end.
      tracker.tryClaim(end);
      if (tracker.restriction.end < end) return resume();
      this.#kafka.closeReader(topic, partition);
      return stop();
    }
    if (subscription.error !== undefined) throw explain(subscription.error);
    if (this.config.isBounded && subscription.transactionTimeout !== undefined) {
      throw subscription.transactionTimeout;
    }
    const { caughtUpAtMs } = subscription;
    if (caughtUpAtMs !== undefined && !this.config.isBounded) {
      const { maxOutOfOrdernessMs } = this.config;
      ctx.watermark.set(watermarkWhenCaughtUp(ctx.watermark.current, caughtUpAtMs, maxOutOfOrdernessMs));
    }
    return resume(QUIET_DELAY_MS, reader.onReady);
  }

  /** Everything that is at hand. False when the runner took the rest back. */
  #readRecords(
    from: TopicPartition,
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<OutputSpecs>,
    reader: LastingSubscription,
  ): boolean {
    const { maxOutOfOrdernessMs, groupId } = this.config;
    const decoder = this.#decoder;
    this.#hour ??= new SteadyHour(ctx.clock);
    const now: TimestampMs = this.#hour.latest();
    const emitEvent = ctx.emit.events!;
    const emitRejected = ctx.emit.rejected!;
    let watermark = ctx.watermark.current;
    let wasClaimed = true;
    let count = 0;
    const { end } = tracker.restriction;
    const records = reader.subscription.take(Number.POSITIVE_INFINITY);
    while (records?.next()) {
      if (records.offset >= end) {
        // Written after the end was looked up. The gap in front of it, if any, is claimed with the end.
        records.unread();
        break;
      }
      if (!tracker.tryClaim(records.offset)) {
        records.unread();
        wasClaimed = false;
        break;
      }
      count++;
      reader.nextOffset = records.offset + 1;
      const result = decoder.decode(records, from, watermark, now);
      if (result instanceof Rejected) {
        this.metrics.rejected.inc();
        emitRejected(result.report, records.timestampMs);
      } else {
        const eventTime = decoder.eventTime(result);
        emitEvent(result, eventTime);
        watermark = watermarkAfterEvent(watermark, eventTime, maxOutOfOrdernessMs);
      }
    }
    ctx.watermark.set(watermark);
    this.metrics.records.inc(count);
    if (groupId !== null && count > 0) {
      const { nextOffset } = reader;
      const committer = this.#kafka.committer(groupId);
      ctx.onFinalize(() => committer.note(from.topic, from.partition, nextOffset));
    }
    return wasClaimed;
  }
}
registerDoFn(ReadPartitions);

function explain(error: Error): Error {
  if (!(error instanceof OffsetOutOfRangeError)) return error;
  return new Error(
    `${error.message}: records that were not read yet are gone from the topic. Start from "earliest" to go on without them.`,
    { cause: error },
  );
}
