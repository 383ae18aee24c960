/**
 * Finds the partitions of a topic, those that appear later too. Their numbers are its positions, so what it has not
 * claimed yet are the partitions that nobody knows yet.
 */
import type { Clock } from "../../model/clock.js";
import { SteadyHour } from "../../model/steady_hour.js";
import type { TimestampMs } from "../../model/timestamps.js";
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
import { type KafkaConnection, kafkaConnections } from "./kafka_connections.js";
import { type PartitionSource, partitionSourceCoder } from "./partition_source.js";
import { watermarkAfterLook } from "./partition_watermark.js";
import type { ReadConfig, StartPoint } from "./read_config.js";

const partitionOutputs = { partitions: partitionSourceCoder };

/** What a look has brought. */
interface Look {
  /** When it began: a partition made later may be unknown to it. */
  readonly atMs: TimestampMs;
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
  #hour: SteadyHour | undefined;

  override async setup(): Promise<void> {
    this.#kafka = await kafkaConnections.acquire(this.config.connection);
  }

  override teardown(): Promise<void> {
    return kafkaConnections.release(this.config.connection);
  }

  /** A bounded read is over with the partitions that there are. */
  async initialRestriction(): Promise<OffsetRange> {
    if (!this.isBounded) return { start: 0, end: Number.POSITIVE_INFINITY };
    const partitions = await this.#kafka.client.partitions(this.config.topic);
    return { start: 0, end: Math.max(...partitions) + 1 };
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
    const known = tracker.restriction.start;
    if (known === 0) return this.#findFirst(tracker, ctx);
    // Looking for more happens beside the bundles: an outage of the brokers must not keep one open.
    const look = this.#look;
    this.#look = undefined;
    const { partitionDiscoveryIntervalMs } = this.config;
    if (look === undefined) {
      this.#lookForMore(known, ctx.clock);
      return resume(partitionDiscoveryIntervalMs, this.#onLook);
    }
    if (look.found.length > 0 && !this.#emitAll(look.found, tracker, ctx)) return resume();
    this.#holdFrom(look.atMs, ctx);
    return resume(look.atMs + partitionDiscoveryIntervalMs - this.#hourOf(ctx.clock).latest());
  }

  /** The read does not begin before it knows its partitions, and where to begin in each. */
  async #findFirst(
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<typeof partitionOutputs>,
  ): Promise<ProcessContinuation> {
    const { topic, start, isBounded, partitionDiscoveryIntervalMs } = this.config;
    const { client } = this.#kafka;
    const { end } = tracker.restriction;
    const lookedAtMs = this.#hourOf(ctx.clock).latest();
    const partitions = (await client.partitions(topic)).filter((partition) => partition < end);
    const starts = await this.#startOffsets(start);
    const ends = isBounded ? await client.offsets(topic, "end") : undefined;
    const sources = partitions.map((partition) => {
      const from = starts.get(partition) ?? 0;
      const to = ends === undefined ? Number.POSITIVE_INFINITY : Math.max(from, ends.get(partition) ?? from);
      return { topic, partition, range: { start: from, end: to } };
    });
    if (!this.#emitAll(sources, tracker, ctx)) return resume();
    if (isBounded) return stop();
    this.#holdFrom(lookedAtMs, ctx);
    return resume(partitionDiscoveryIntervalMs);
  }

  /** Not the clock itself: set back, it would have looks stand still for as long, and with them every expiry. */
  #hourOf(clock: Clock): SteadyHour {
    this.#hour ??= new SteadyHour(clock);
    return this.#hour;
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

  /** A partition that appears later is new as a whole, wherever the read began. */
  #lookForMore(known: number, clock: Clock): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { topic } = this.config;
    const { client } = this.#kafka;
    const atMs = this.#hourOf(clock).latest();
    const look = async (): Promise<void> => {
      const partitions = (await client.partitions(topic)).filter((partition) => partition >= known);
      const starts = partitions.length === 0 ? undefined : await client.offsets(topic, "earliest");
      const found = partitions.map((partition) => ({
        topic,
        partition,
        range: { start: starts?.get(partition) ?? 0, end: Number.POSITIVE_INFINITY },
      }));
      this.#look = { atMs, found };
      this.#wake?.();
    };
    // Nothing is lost when it fails: the next round looks again, and the readers tell of an outage themselves.
    look()
      .catch(() => undefined)
      .finally(() => {
        this.#isLooking = false;
      });
  }

  readonly #onLook = (wake: () => void): (() => void) => {
    if (this.#look !== undefined) wake();
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
