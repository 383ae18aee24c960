/**
 * Reads a Kafka topic: one step finds the partitions, now and later, and a second reads them, one restriction for each
 * partition with its offsets as positions. Each process reads its partitions through one client and joins no group, so
 * processes never rebalance one another.
 */

import type { Root } from "../../model/apache_beam.js";
import type { Coder } from "../../model/coders/coder.js";
import { GLOBAL_WINDOW_MAX, type TimestampMs } from "../../model/timestamps.js";
import type { OutputSpecs } from "../../sdk/do_fn.js";
import { applyParDo, type Collection, impulse, parDo } from "../../sdk/graph.js";
import { counter } from "../../sdk/metrics.js";
import { type OffsetRange, OffsetRangeTracker } from "../../sdk/offset_range.js";
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
import type { PartitionReader } from "./partition_reader.js";
import { offsetRangeCoder, type PartitionSource, partitionSourceCoder } from "./partition_source.js";
import { watermarkAfterEvent, watermarkWhenCaughtUp } from "./partition_watermark.js";
import { type RecordDecoder, Rejected, recordDecoder, type TopicPartition } from "./record_decoder.js";

/** Where to begin when there is no state from before: a name, or the first record not older than a time in ms. */
export type StartPoint = "earliest" | "latest" | "group" | { readonly timestampMs: number };

type ReadConfig = {
  /** Name of the Kafka connection; see kafka_connections.ts. */
  readonly connection: string;
  readonly topic: string;
  readonly start: StartPoint;
  /** Ends at the offsets that the partitions have when the read begins. */
  readonly isBounded: boolean;
  /** How far behind the newest event of its partition an event may be read, ms. */
  readonly maxOutOfOrdernessMs: number;
  /** The group that is told how far we are, and whose offsets "group" starts from. */
  readonly groupId: string | null;
  readonly partitionDiscoveryIntervalMs: number;
  readonly decoder: string;
  readonly decoderConfig: any;
};

type Optional = "partitionDiscoveryIntervalMs" | "groupId" | "start";
export type ReadFromKafka = Pick<ReadConfig, Exclude<keyof ReadConfig, Optional>> & {
  readonly [N in Optional]?: ReadConfig[N] | undefined;
};

/** A new partition is found well before the disorder allowance has passed over what was written to it first. */
const DISCOVERY_INTERVAL_MAX_MS = 10_000;
/** How long a quiet partition is left alone where nobody tells of news: other runners resume in whole seconds. */
const QUIET_DELAY_MS = 1_000;

export function readFromKafka<T, D>(
  name: string,
  root: Root,
  options: ReadFromKafka,
): { readonly events: Collection<T>; readonly rejected: Collection<D> } {
  const config: ReadConfig = {
    ...options,
    start: options.start ?? "earliest",
    groupId: options.groupId ?? null,
    partitionDiscoveryIntervalMs:
      options.partitionDiscoveryIntervalMs ??
      Math.min(DISCOVERY_INTERVAL_MAX_MS, Math.max(500, options.maxOutOfOrdernessMs / 3)),
  };
  const decoder = recordDecoder(config.decoder, config.decoderConfig) as RecordDecoder<T, D>;
  const begin = impulse(`${name}/Impulse`, root);
  const partitions = parDo(`${name}/FindPartitions`, begin, new FindPartitions(config)).partitions;
  const { events, rejected } = applyParDo(`${name}/ReadPartitions`, partitions, new ReadPartitions(config), {
    events: decoder.coder as Coder<unknown>,
    rejected: decoder.rejectedCoder as Coder<unknown>,
  });
  return { events: events!, rejected: rejected! };
}

const partitionOutputs = { partitions: partitionSourceCoder };

/** Impulse → PartitionSource. Its positions are the numbers of the partitions. */
export class FindPartitions extends SplittableDoFn<
  Uint8Array,
  OffsetRange,
  number,
  typeof partitionOutputs,
  ReadConfig
> {
  static readonly urn = "beam:dofn:ts:kafka_find_partitions:v1";
  readonly outputs = partitionOutputs;
  readonly restrictionCoder = offsetRangeCoder;
  readonly isBounded = this.config.isBounded;
  #kafka!: KafkaConnection;
  /** New partitions that the last look brought. */
  #found: PartitionSource[] | undefined;
  /** One look at a time: a second one under way would bring the same partitions again. */
  #isLooking = false;
  #wake: (() => void) | undefined;

  override async setup(): Promise<void> {
    this.#kafka = await kafkaConnections.acquire(this.config.connection);
  }

  override teardown(): Promise<void> {
    return kafkaConnections.release(this.config.connection);
  }

  initialRestriction(): OffsetRange {
    return { start: 0, end: Number.POSITIVE_INFINITY };
  }

  newTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }

  process(
    _impulse: Uint8Array,
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<typeof partitionOutputs>,
  ): ProcessContinuation | Promise<ProcessContinuation> {
    const known = tracker.restriction.start;
    if (known === 0) return this.#findFirst(tracker, ctx);
    // Looking for more happens beside the bundles: an outage of the brokers must not keep one open.
    const found = this.#found;
    this.#found = undefined;
    if (found === undefined) {
      this.#lookForMore(known);
    } else if (!this.#emitAll(found, tracker, ctx)) {
      return resume();
    }
    return resume(this.config.partitionDiscoveryIntervalMs, found === undefined ? this.#onFound : undefined);
  }

  /** The read does not begin before it knows its partitions, and where to begin in each. */
  async #findFirst(
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<typeof partitionOutputs>,
  ): Promise<ProcessContinuation> {
    const { topic, start, isBounded, partitionDiscoveryIntervalMs } = this.config;
    const { client } = this.#kafka;
    const partitions = await client.partitions(topic);
    const starts = await this.#startOffsets(start);
    const ends = isBounded ? await client.offsets(topic, "latest") : undefined;
    const sources = partitions.map((partition) => {
      const from = starts.get(partition) ?? 0;
      const to = ends === undefined ? Number.POSITIVE_INFINITY : Math.max(from, ends.get(partition) ?? from);
      return { topic, partition, range: { start: from, end: to } };
    });
    if (!this.#emitAll(sources, tracker, ctx)) return resume();
    if (isBounded) {
      tracker.tryClaim(Number.POSITIVE_INFINITY);
      return stop();
    }
    // Partitions are no events: they hold no watermark back.
    ctx.watermark.set(GLOBAL_WINDOW_MAX);
    return resume(partitionDiscoveryIntervalMs);
  }

  /** False when the runner took the rest back. */
  #emitAll(
    sources: readonly PartitionSource[],
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<typeof partitionOutputs>,
  ): boolean {
    for (const source of sources) {
      if (!tracker.tryClaim(source.partition)) return false;
      ctx.emit.partitions(source);
    }
    return true;
  }

  /** A partition that appears later is new as a whole, wherever the read began. */
  #lookForMore(known: number): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { topic } = this.config;
    const { client } = this.#kafka;
    const look = async (): Promise<void> => {
      const partitions = (await client.partitions(topic)).filter((partition) => partition >= known);
      if (partitions.length === 0) return;
      const starts = await client.offsets(topic, "earliest");
      this.#found = partitions.map((partition) => ({
        topic,
        partition,
        range: { start: starts.get(partition) ?? 0, end: Number.POSITIVE_INFINITY },
      }));
      this.#wake?.();
    };
    // Nothing is lost when it fails: the next round looks again, and the readers tell of an outage themselves.
    look()
      .catch(() => undefined)
      .finally(() => {
        this.#isLooking = false;
      });
  }

  readonly #onFound = (wake: () => void): (() => void) => {
    if (this.#found !== undefined) wake();
    this.#wake = wake;
    return () => {
      this.#wake = undefined;
    };
  };

  async #startOffsets(start: StartPoint): Promise<Map<number, number>> {
    const { topic, groupId } = this.config;
    const { client } = this.#kafka;
    if (start !== "group") return client.offsets(topic, start);
    const earliest = await client.offsets(topic, "earliest");
    const committed =
      groupId === null ? new Map<number, number>() : await client.committedOffsets(groupId, topic);
    return new Map([...earliest].map(([partition, first]) => [partition, committed.get(partition) ?? first]));
  }
}
registerDoFn(FindPartitions);

/** PartitionSource → values, and reports of what was none. Its positions are offsets. */
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
    reader: PartitionReader,
  ): boolean {
    const { maxOutOfOrdernessMs, groupId } = this.config;
    const decoder = this.#decoder;
    const now: TimestampMs = ctx.clock.now();
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
