/**
 * Finds the partitions of a topic, those that appear later too. Their numbers are its positions, so what it has not
 * claimed yet are the partitions that nobody knows yet.
 */
import {
  type OffsetRange,
  OffsetRangeTracker,
  offsetRangeCoder,
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

import { isSameLog, type LogMark } from "./client/log_identity.js";
import { type KafkaConnection, kafkaConnections } from "./kafka_connections.js";
import { type PartitionSource, partitionSourceCoder } from "./partition_source.js";
import { watermarkAfterLook } from "./partition_watermark.js";
import type { ReadConfig, StartPoint } from "./read_config.js";

/** How long a bundle waits for the brokers to tell of partitions. */
const LOOK_MAX_MS = 5_000;

const partitionOutputs = { partitions: partitionSourceCoder };

/** What a look has brought. */
interface Look {
  /** When it began: a partition made later may be unknown to it. */
  readonly atMs: TimestampMs;
  /** The same, by `elapsed`. */
  readonly atElapsedMs: number;
  /** New ones. */
  readonly found: readonly PartitionSource[];
}

/** Impulse → PartitionSource */
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
  /** The last look, until it is taken notice of. */
  #look: Look | undefined;
  /** One look at a time: a second one under way would bring the same partitions again. */
  #isLooking = false;
  #wake: (() => void) | undefined;

  override async setup(): Promise<void> {
    this.#kafka = await kafkaConnections.acquire(this.config.connection);
  }

  override teardown(): Promise<void> {
    return kafkaConnections.release(this.config.connection);
  }

  initialRestriction(): OffsetRange | Promise<OffsetRange> {
    return this.resumed(new Uint8Array(), openRange(0));
  }

  /** A bounded read is over with the partitions that there are. */
  override resumed(_impulse: Uint8Array, { start }: OffsetRange): OffsetRange | Promise<OffsetRange> {
    if (!this.isBounded) return openRange(start);
    const partitions = this.#kafka.client.partitions(this.config.topic);
    return partitions.then((found) => ({ start, end: Math.max(start, ...found.map((one) => one + 1)) }));
  }

  override remainder(_impulse: Uint8Array, range: OffsetRange, isDone: boolean): OffsetRange {
    return openRange(isDone ? range.end : range.start);
  }

  newTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }

  /** A drain ends the read where it stands, also one that has an end. */
  override truncate(): undefined {
    return undefined;
  }

  process(
    _impulse: Uint8Array,
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<typeof partitionOutputs>,
  ): ProcessContinuation | Promise<ProcessContinuation> {
    const { start: known, end } = tracker.restriction;
    if (known >= end) {
      // A bounded read that goes on, and has just seen that nothing is new.
      this.#holdFrom(this.#kafka.trustedClock.now(), ctx);
      return stop();
    }
    if (known === 0 || this.isBounded) return this.#findAll(tracker, ctx);
    if (!ctx.heedsReady) return this.#lookWithin(known, tracker, ctx);
    // Looking for more happens beside the bundles: an outage of the brokers must not keep one open.
    const look = this.#look;
    this.#look = undefined;
    const { partitionDiscoveryIntervalMs } = this.config;
    if (look === undefined) {
      this.#lookForMore(known);
      return resume(partitionDiscoveryIntervalMs, this.#onLook);
    }
    if (look.found.length > 0 && !this.#emitAll(look.found, tracker, ctx)) return resume();
    this.#holdFrom(look.atMs, ctx);
    return resume(look.atElapsedMs + partitionDiscoveryIntervalMs - this.#kafka.clock.elapsed());
  }

  /** The read does not begin before it knows its partitions, and where to begin in each. */
  async #findAll(
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<typeof partitionOutputs>,
  ): Promise<ProcessContinuation> {
    const { topic, start, partitionDiscoveryIntervalMs } = this.config;
    const { client } = this.#kafka;
    const { start: known, end } = tracker.restriction;
    const lookedAtMs = this.#kafka.trustedClock.now();
    const sources = await this.#inOneLog(async (log) => {
      const partitions = (await client.partitions(topic)).filter((one) => one >= known && one < end);
      // A partition that appears later is new as a whole, wherever the read began.
      const starts = await (known === 0 ? this.#startOffsets(start) : client.offsets(topic, "earliest"));
      const ends = this.isBounded ? await client.offsets(topic, "end") : undefined;
      return partitions.map((partition) => {
        const from = starts.get(partition) ?? 0;
        if (ends === undefined) return { topic, partition, range: { ...openRange(from), log } };
        const to = Math.max(from, ends.get(partition) ?? from);
        return { topic, partition, range: { start: from, end: to, log } };
      });
    });
    // The partitions that there were may be gone.
    if (sources.length === 0 && this.isBounded) tracker.tryClaim(end - 1);
    else if (!this.#emitAll(sources, tracker, ctx)) return resume();
    this.#holdFrom(lookedAtMs, ctx);
    return this.isBounded ? stop() : resume(partitionDiscoveryIntervalMs);
  }

  /**
   * Where any process may get the residual, nothing of a look may stay in this one: what it brought is claimed, and when it
   * was made is in the watermark, before the bundle ends. Brokers that do not answer in time are asked again next time.
   */
  async #lookWithin(
    known: number,
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<typeof partitionOutputs>,
  ): Promise<ProcessContinuation> {
    const { clock } = this.#kafka;
    let cancel = (): void => undefined;
    const isLate = new Promise<undefined>((resolve) => {
      cancel = clock.schedule(LOOK_MAX_MS, () => resolve(undefined));
    });
    const look = await Promise.race([this.#lookFrom(known).catch(() => undefined), isLate]);
    cancel();
    if (look !== undefined) {
      if (look.found.length > 0 && !this.#emitAll(look.found, tracker, ctx)) return resume();
      this.#holdFrom(look.atMs, ctx);
    }
    return resume(this.config.partitionDiscoveryIntervalMs);
  }

  #holdFrom(lookedAtMs: TimestampMs, { watermark }: SplittableContext<typeof partitionOutputs>): void {
    const { partitionDiscoveryIntervalMs, maxOutOfOrdernessMs } = this.config;
    watermark.set(watermarkAfterLook(lookedAtMs, partitionDiscoveryIntervalMs, maxOutOfOrdernessMs));
  }

  /**
   * One claim for all, so that a bundle that is full never cuts between partitions that were looked up together.
   * False when the runner took them back.
   */
  #emitAll(
    sources: readonly PartitionSource[],
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<typeof partitionOutputs>,
  ): boolean {
    if (!tracker.tryClaim(sources.at(-1)!.partition)) return false;
    for (const source of sources) ctx.emit.partitions(source);
    return true;
  }

  #lookForMore(known: number): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    // Nothing is lost when it fails: the next round looks again, and the readers tell of an outage themselves.
    this.#lookFrom(known)
      .then((look) => {
        this.#look = look;
        this.#wake?.();
      })
      .catch(() => undefined)
      .finally(() => {
        this.#isLooking = false;
      });
  }

  /** A partition that appears later is new as a whole, wherever the read began. */
  async #lookFrom(known: number): Promise<Look> {
    const { topic } = this.config;
    const { client, clock, trustedClock } = this.#kafka;
    const atMs = trustedClock.now();
    const atElapsedMs = clock.elapsed();
    const found = await this.#inOneLog(async (log) => {
      const partitions = (await client.partitions(topic)).filter((partition) => partition >= known);
      if (partitions.length === 0) return [];
      const starts = await client.offsets(topic, "earliest");
      return partitions.map((partition) => ({
        topic,
        partition,
        range: { ...openRange(starts.get(partition) ?? 0), log },
      }));
    });
    return { atMs, atElapsedMs, found };
  }

  readonly #onLook = (wake: () => void): (() => void) => {
    if (this.#look !== undefined) wake();
    this.#wake = wake;
    return () => {
      this.#wake = undefined;
    };
  };

  /**
   * Finds partitions and offsets of one log. A topic that was made again meanwhile is looked at once more: else a
   * partition that only the new one has would be one of the old, and lost.
   */
  async #inOneLog(
    find: (log: LogMark) => Promise<readonly PartitionSource[]>,
  ): Promise<readonly PartitionSource[]> {
    const { client } = this.#kafka;
    for (let isSecond = false; ; isSecond = true) {
      const log = await client.log(this.config.topic);
      const found = await find({ ...log, anchor: undefined });
      // Brokers that contradict each other would do so for ever. What is read then tells of another log.
      if (found.length === 0 || isSecond || isSameLog(log, await client.log(this.config.topic))) return found;
    }
  }

  async #startOffsets(start: StartPoint): Promise<Map<number, number>> {
    const { topic, groupId } = this.config;
    const { client } = this.#kafka;
    const given = typeof start === "object" && "offsets" in start ? start.offsets : undefined;
    if (start !== "group" && given === undefined) {
      return client.offsets(topic, start as Exclude<StartPoint, "group" | { offsets: unknown }>);
    }
    const earliest = await client.offsets(topic, "earliest");
    if (given !== undefined) {
      return new Map([...earliest].map(([partition, first]) => [partition, given[partition] ?? first]));
    }
    const committed =
      groupId === null ? new Map<number, number>() : await client.committedOffsets(groupId, topic);
    return new Map([...earliest].map(([partition, first]) => [partition, committed.get(partition) ?? first]));
  }
}
registerDoFn(FindPartitions);
