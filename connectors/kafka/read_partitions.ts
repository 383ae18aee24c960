/**
 * Reads partitions piece by piece: records at hand become values, with the partition's watermark behind them, or
 * reports of what was none. Offsets are its positions.
 */
import {
  counter,
  GLOBAL_WINDOW_MAX,
  MIN_TIMESTAMP,
  type OutputSpecs,
  openRange,
  type ProcessContinuation,
  type RestrictionTracker,
  registerDoFn,
  resume,
  type SplittableContext,
  SplittableDoFn,
  stop,
  type TimestampMs,
} from "@order-payment-stream/beam";

import { PositionLostError, UnreadableRecordsError } from "./client/kafka_errors.js";
import { type KafkaConnection, kafkaConnections } from "./kafka_connections.js";
import { type KeptSubscription, partitionName } from "./kept_subscription.js";
import {
  EndOfRange,
  LastBatch,
  type LogPosition,
  type LogRange,
  LogRangeTracker,
  logRangeCoder,
  OtherLog,
} from "./log_range.js";
import type { PartitionSource } from "./partition_source.js";
import { watermarkAfterEvent, watermarkWhenCaughtUp } from "./partition_watermark.js";
import { lossText, newPosition } from "./position_lost.js";
import type { ReadConfig } from "./read_config.js";
import { NotReady, Rejected, recordDecoder, type TopicPartition } from "./record_decoder.js";

/** How long a quiet partition is left alone where nobody tells of news: other runners resume in whole seconds. */
const QUIET_DELAY_MS = 1_000;
/** How long a bundle waits for a fetch where the residual may come back to a process that has to begin anew. */
const FETCH_WAIT_MAX_MS = 2_000;

/** What became of the records at hand: all are read, the runner took the rest back, or one cannot be decoded yet. */
type Reading = "read" | "taken back" | NotReady;

/** PartitionSource → values, and reports of what was none */
export class ReadPartitions extends SplittableDoFn<
  PartitionSource,
  LogRange,
  LogPosition,
  OutputSpecs,
  ReadConfig
> {
  static readonly urn = "beam:dofn:ts:kafka_read_partitions:v1";
  declare readonly outputs: OutputSpecs;
  readonly restrictionCoder = logRangeCoder;
  readonly isBounded = this.config.isBounded;
  override readonly requestsFinalization = this.config.groupId !== null;
  override readonly metrics = {
    records: counter(),
    rejected: counter(),
    positions_lost: counter(),
    offsets_skipped: counter(),
  };
  readonly #decoder = recordDecoder(this.config.decoder, this.config.decoderConfig);
  #kafka!: KafkaConnection;
  /** Of a bounded read that goes on from an earlier run. */
  #ends: Promise<ReadonlyMap<number, number>> | undefined;

  override async setup(): Promise<void> {
    this.#kafka = await kafkaConnections.acquire(this.config.connection);
    await this.#decoder.setup?.();
  }

  override async teardown(): Promise<void> {
    await this.#decoder.teardown?.();
    await kafkaConnections.release(this.config.connection);
  }

  initialRestriction({ range }: PartitionSource): LogRange {
    return range;
  }

  /** The backlog in records, from which runners tell how many workers are needed. 1 where it is not known yet. */
  override size({ topic, partition }: PartitionSource, { start, end }: LogRange): number {
    const until = end === Number.POSITIVE_INFINITY ? this.#kafka.knownEnd(topic, partition) : end;
    return until === undefined ? 1 : Math.max(0, until - start);
  }

  newTracker(range: LogRange, { topic, partition }: PartitionSource): LogRangeTracker {
    return new LogRangeTracker(range, () => this.#kafka.knownEnd(topic, partition));
  }

  /** A drain ends the read where it stands, also one that has an end. */
  override truncate(): undefined {
    return undefined;
  }

  /** Behind a range that is done the log is marked, too: so a later run notices when it has been cut in the meantime. */
  override remainder(
    _source: PartitionSource,
    { start, log, readUpTo }: LogRange,
    isDone: boolean,
  ): LogRange {
    return { ...openRange(isDone ? (readUpTo ?? start) : start), log };
  }

  /** A bounded read ends where the partition ends now. */
  override resumed({ partition }: PartitionSource, { start, log }: LogRange): LogRange | Promise<LogRange> {
    if (!this.isBounded) return { ...openRange(start), log };
    this.#ends ??= this.#kafka.client.offsets(this.config.topic, "end");
    return this.#ends.then((ends) => ({ start, end: Math.max(start, ends.get(partition) ?? start), log }));
  }

  process(
    source: PartitionSource,
    tracker: RestrictionTracker<LogRange, LogPosition>,
    ctx: SplittableContext<OutputSpecs>,
  ): ProcessContinuation | Promise<ProcessContinuation> {
    const { topic, partition } = source;
    const { start, end, log } = tracker.restriction;
    if (start >= end && log?.anchor === undefined) {
      this.#endOf(source);
      return stop();
    }
    const reader = this.#kafka.reader(topic, partition, start, log);
    if (start >= end) return this.#compare(source, tracker, reader);
    if (ctx.heedsReady || reader.isReady) return this.#readAtHand(source, tracker, ctx, reader);
    return reader
      .news(this.#kafka.clock, FETCH_WAIT_MAX_MS)
      .then(() => this.#readAtHand(source, tracker, ctx, reader));
  }

  #readAtHand(
    source: PartitionSource,
    tracker: RestrictionTracker<LogRange, LogPosition>,
    ctx: SplittableContext<OutputSpecs>,
    reader: KeptSubscription,
  ): ProcessContinuation {
    const { start, end, log } = tracker.restriction;
    const { subscription } = reader;
    reader.takeNews();
    if (log === undefined && subscription.log !== undefined) {
      // State from before the log was kept: the one that there is now counts as the one meant.
      if (!tracker.tryClaim(new OtherLog(subscription.log, start, end))) return resume();
    }
    const reading = this.#readRecords(source, tracker, ctx, reader);
    if (reading === "taken back") return resume();
    if (reading instanceof NotReady) return resume(QUIET_DELAY_MS, reading.onReady);
    if (subscription.position >= end) {
      // Markers behind the last record, if the last batch is known that holds them; else the next run looks at them again.
      const { anchor } = subscription;
      if (anchor?.offset === end - 1 && anchor.offset >= reader.nextOffset) {
        if (!tracker.tryClaim(new LastBatch(anchor.offset, anchor))) return resume();
      }
      tracker.tryClaim(new EndOfRange(end));
      if (tracker.restriction.end < end) return resume();
      this.#endOf(source);
      return stop();
    }
    if (subscription.error !== undefined) return this.#fail(subscription.error, source, tracker);
    if (this.config.isBounded && subscription.transactionTimeout !== undefined) {
      throw subscription.transactionTimeout;
    }
    if (!this.config.isBounded) ctx.watermark.set(this.#watermarkWhileQuiet(reader));
    // More is in the log: whoever gets the residual waits for it within the bundle.
    const isBehind =
      subscription.caughtUpAtMs === undefined && subscription.position < subscription.highWatermark;
    if (isBehind && !ctx.heedsReady) return resume();
    if (this.config.isBounded) return resume(QUIET_DELAY_MS, reader.onReady);
    return resume(QUIET_DELAY_MS, reader.onReady, () => this.#watermarkWhileQuiet(reader));
  }

  /** Where nothing is at hand: on with the clock where the partition is caught up, or as it was. */
  #watermarkWhileQuiet(reader: KeptSubscription): TimestampMs {
    const { caughtUpAtMs } = reader.subscription;
    if (caughtUpAtMs !== undefined) {
      const { maxOutOfOrdernessMs } = this.config;
      reader.watermark = watermarkWhenCaughtUp(reader.watermark, caughtUpAtMs, maxOutOfOrdernessMs);
    }
    this.#kafka.untimely.note(reader.name, 0, 0, 0, reader.watermark);
    return reader.watermark;
  }

  /**
   * A run that finds nothing to read may find another log of the same length. It waits for the answer in its bundle, as
   * there is no work left that could be put off.
   */
  async #compare(
    source: PartitionSource,
    tracker: RestrictionTracker<LogRange, LogPosition>,
    reader: KeptSubscription,
  ): Promise<ProcessContinuation> {
    const { clock } = this.#kafka;
    const { subscription } = reader;
    while (!subscription.isCompared && subscription.error === undefined) {
      reader.takeNews();
      await reader.news(clock, QUIET_DELAY_MS);
    }
    if (subscription.error !== undefined) return this.#fail(subscription.error, source, tracker);
    this.#endOf(source);
    return stop();
  }

  /** Goes on elsewhere, where that is what is asked for, or throws. */
  #fail(
    error: Error,
    source: PartitionSource,
    tracker: RestrictionTracker<LogRange, LogPosition>,
  ): ProcessContinuation {
    if (!(error instanceof PositionLostError)) throw error;
    const { topic, partition } = source;
    const { offsetReset } = this.config;
    const { claim, skipped } = newPosition(error, tracker.restriction, offsetReset);
    if (!tracker.tryClaim(claim)) return resume();
    this.#kafka.closeReader(topic, partition);
    this.metrics.positions_lost.inc();
    this.metrics.offsets_skipped.inc(skipped);
    this.#kafka.logger.warn(
      `${lossText(error)}. AUTO_OFFSET_RESET=${offsetReset}: the state is kept and the read continues at offset ${claim.offset}`,
      { topic, partition, readUpTo: error.wantedOffset, offset: claim.offset, skipped },
    );
    if (claim.offset < claim.end) return resume();
    this.#endOf(source);
    return stop();
  }

  #endOf({ topic, partition }: PartitionSource): void {
    this.#kafka.closeReader(topic, partition);
    this.#kafka.untimely.end(partitionName(topic, partition));
  }

  /** Everything that is at hand. */
  #readRecords(
    { topic, partition }: PartitionSource,
    tracker: RestrictionTracker<LogRange, LogPosition>,
    ctx: SplittableContext<OutputSpecs>,
    reader: KeptSubscription,
  ): Reading {
    const { maxOutOfOrdernessMs, groupId } = this.config;
    const decoder = this.#decoder;
    const records = reader.subscription.take(Number.POSITIVE_INFINITY);
    if (records === undefined) {
      reader.watermark = ctx.watermark.current;
      return "read";
    }
    const now: TimestampMs = this.#kafka.trustedClock.latest();
    const emitEvent = ctx.emit.events!;
    const emitRejected = ctx.emit.rejected!;
    let watermark = ctx.watermark.current;
    let reading: Reading = "read";
    let count = 0;
    let late = 0;
    let future = 0;
    const { end, log } = tracker.restriction;
    const from: TopicPartition = { topic, partition, log: log?.topicId || log?.clusterId || "" };
    for (;;) {
      try {
        if (!records.next()) break;
      } catch (error) {
        if (!(error instanceof UnreadableRecordsError)) throw error;
        if (error.lastOffset < reader.nextOffset) {
          // Bytes behind the last record: no offset is theirs.
          records.skipUnreadable();
          continue;
        }
        if (error.firstOffset >= end) break;
        if (!tracker.tryClaim(new LastBatch(Math.min(error.lastOffset, end - 1), error.batch))) {
          reading = "taken back";
          break;
        }
        count++;
        reader.nextOffset = error.lastOffset + 1;
        records.skipUnreadable();
        this.metrics.rejected.inc();
        emitRejected(decoder.unreadable(error, from), asEventTime(error.timestampMs));
        continue;
      }
      if (records.offset >= end) {
        // Written after the end was looked up. The gap in front of it, if any, is claimed with the end.
        records.unread();
        break;
      }
      // What cannot be decoded yet is not claimed, so that it is read again.
      let result: unknown;
      try {
        result = decoder.decode(records, from, watermark, now);
      } catch (error) {
        records.unread();
        throw error;
      }
      if (result instanceof NotReady) {
        records.unread();
        reading = result;
        break;
      }
      if (!tracker.tryClaim(records)) {
        records.unread();
        reading = "taken back";
        break;
      }
      count++;
      reader.nextOffset = records.offset + 1;
      if (result instanceof Rejected) {
        this.metrics.rejected.inc();
        if (result.untimely === "late") late++;
        else if (result.untimely === "future") future++;
        emitRejected(result.report, asEventTime(records.timestampMs));
      } else {
        const eventTime = decoder.eventTime(result);
        emitEvent(result, eventTime);
        watermark = watermarkAfterEvent(watermark, eventTime, maxOutOfOrdernessMs);
      }
    }
    ctx.watermark.set(watermark);
    reader.watermark = watermark;
    reader.recordsRead += count;
    this.metrics.records.inc(count);
    this.#kafka.untimely.note(reader.name, count, late, future, watermark);
    if (groupId !== null && count > 0) {
      const { nextOffset } = reader;
      const committer = this.#kafka.committer(groupId);
      ctx.onFinalize(() => committer.note(topic, partition, nextOffset));
    }
    return reading;
  }
}
registerDoFn(ReadPartitions);

/** A producer may write any 64 bits as a record's time. */
function asEventTime(timestampMs: number): TimestampMs {
  return Math.min(GLOBAL_WINDOW_MAX, Math.max(MIN_TIMESTAMP, timestampMs));
}
