/**
 * Partitions that stand behind an open transaction. Records of a transaction are shown when it is committed, and until
 * it ends the broker shows nothing behind its first record either, whoever wrote it. Such a partition is not caught up:
 * what others have written to it meanwhile is in the log and acknowledged, so its watermark must stand still. That can
 * last, because a producer that died takes its transaction's time-out to be noticed, and one that hangs is never; so
 * it is told by name and offset.
 */
import type { Clock } from "../../../model/clock.js";
import type { HealthReporter } from "../../../model/health.js";
import type { FetchedPartition } from "./fetch_protocol.js";
import type { KafkaLimits, KafkaLogger } from "./kafka_client.js";
import { OpenTransactionError, openTransaction } from "./kafka_errors.js";
import type { HeldUp, PartitionReader } from "./partition_reader.js";

/** Most transactions are shorter. */
const TELL_AFTER_MS = 5_000;

/** Asks a broker. */
export interface TransactionSource {
  /** Who writes the open transaction that begins at this offset of a partition; undefined: not known. */
  transactionWriter(
    nodeId: number,
    topic: string,
    partition: number,
    firstOffset: number,
  ): Promise<string | undefined>;
}

export class TransactionWatch {
  readonly #asking = new Set<Promise<void>>();

  constructor(
    private readonly source: TransactionSource,
    private readonly limits: KafkaLimits,
    private readonly clock: Clock,
    private readonly logger: KafkaLogger,
    private readonly health: HealthReporter,
  ) {}

  /** After each answer to a fetch. */
  watch(
    reader: PartitionReader,
    nextOffset: number,
    { lastStableOffset, highWatermark }: FetchedPartition,
    leader: number,
  ): void {
    if (nextOffset < lastStableOffset || lastStableOffset >= highWatermark) {
      this.ended(reader);
      return;
    }
    const now = this.clock.elapsed();
    if (reader.heldUp?.firstOffset !== lastStableOffset) {
      this.ended(reader);
      reader.heldUp = { firstOffset: lastStableOffset, sinceMs: now, writer: undefined, isTold: false };
    }
    const heldUp = reader.heldUp!;
    const waitedMs = now - heldUp.sinceMs;
    if (waitedMs >= Math.min(TELL_AFTER_MS, this.limits.retryMaxMs) && !heldUp.isTold) {
      heldUp.isTold = true;
      const asking = this.#tell(reader, heldUp, leader).finally(() => this.#asking.delete(asking));
      this.#asking.add(asking);
    }
    if (waitedMs >= this.limits.retryMaxMs) {
      const { topic, partition } = reader;
      const { firstOffset, writer } = heldUp;
      reader.transactionTimeout = new OpenTransactionError(topic, partition, firstOffset, writer, waitedMs);
    }
  }

  /** The partition is not held up, or not any more. */
  ended(reader: PartitionReader): void {
    if (reader.heldUp?.isTold) this.health.clear(componentOf(reader));
    reader.heldUp = undefined;
    reader.transactionTimeout = undefined;
  }

  /** Resolves when no broker is being asked. */
  async idle(): Promise<void> {
    await Promise.all(this.#asking);
  }

  async #tell(reader: PartitionReader, heldUp: HeldUp, leader: number): Promise<void> {
    const { topic, partition, name } = reader;
    const { firstOffset } = heldUp;
    // For the message alone: brokers before 2.8 cannot tell, and rights may be missing.
    heldUp.writer = await this.source
      .transactionWriter(leader, topic, partition, firstOffset)
      .catch(() => undefined);
    if (reader.heldUp !== heldUp) return;
    const problem = openTransaction(name, firstOffset, heldUp.writer);
    this.logger.warn("Kafka partition waits for an open transaction", { topic, partition, problem });
    this.health.report(componentOf(reader), problem);
  }
}

/** One for each partition: each transaction is somebody else's to end. */
function componentOf({ name }: PartitionReader): string {
  return `Kafka transaction in ${name}`;
}
