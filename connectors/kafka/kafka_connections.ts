/**
 * The Kafka clients of this process, by name. All readers of a name share one client, and with it one connection for
 * fetching from each broker, however many partitions they read.
 */
import {
  type Clock,
  type HealthReporter,
  SharedConnections,
  silentHealth,
  systemClock,
  TrustedClock,
} from "@order-payment-stream/beam/io";

import { connectKafka } from "./client/connect_kafka.js";
import { type KafkaClient, type KafkaConfig, type KafkaLogger, stderrLogger } from "./client/kafka_client.js";
import type { LogMark } from "./client/log_identity.js";
import { KeptSubscription } from "./kept_subscription.js";
import { OffsetCommitter } from "./offset_committer.js";
import { type PartitionStatus, partitionStatus } from "./partition_status.js";
import { UntimelyRecords } from "./untimely_records.js";

/** A client in use, and what its users share. */
export class KafkaConnection {
  readonly untimely: UntimelyRecords;
  readonly #readers = new Map<string, KeptSubscription>();
  readonly #committers = new Map<string, OffsetCommitter>();

  constructor(
    readonly client: KafkaClient,
    readonly clock: Clock,
    readonly trustedClock: TrustedClock,
    private readonly health: HealthReporter,
    readonly logger: KafkaLogger,
  ) {
    this.untimely = new UntimelyRecords(clock, trustedClock, health);
  }

  /**
   * The reader of a partition, standing at `offset`: the one there is, if that is where it stands.
   * @param mark of the log that the offset is of
   */
  reader(topic: string, partition: number, offset: number, mark: LogMark | undefined): KeptSubscription {
    const key = `${topic}/${partition}`;
    let reader = this.#readers.get(key);
    if (reader === undefined || reader.nextOffset !== offset) {
      reader?.close();
      const recordsRead = reader?.recordsRead ?? 0;
      reader = new KeptSubscription(this.client, topic, partition, offset, mark);
      reader.recordsRead = recordsRead;
      this.#readers.set(key, reader);
    }
    return reader;
  }

  /** Where the log of a partition ended when it was last fetched from here; undefined: it was not. */
  knownEnd(topic: string, partition: number): number | undefined {
    const end = this.#readers.get(`${topic}/${partition}`)?.subscription.highWatermark ?? -1;
    return end < 0 ? undefined : end;
  }

  closeReader(topic: string, partition: number): void {
    const key = `${topic}/${partition}`;
    this.#readers.get(key)?.close();
    this.#readers.delete(key);
  }

  committer(groupId: string): OffsetCommitter {
    let committer = this.#committers.get(groupId);
    if (committer === undefined) {
      committer = new OffsetCommitter(this.client, groupId, this.clock, this.health);
      this.#committers.set(groupId, committer);
    }
    return committer;
  }

  /** Where the partitions stand that are read in this process. */
  status(): readonly PartitionStatus[] {
    const nowMs = this.clock.elapsed();
    return [...this.#readers.values()].map((reader) => partitionStatus(reader, nowMs));
  }

  async close(): Promise<void> {
    for (const committer of this.#committers.values()) await committer.close();
    for (const reader of this.#readers.values()) reader.close();
    await this.client.close();
  }
}

/** The Kafka clients of this process, by name. */
export const kafkaConnections = new SharedConnections<KafkaConnection>("Kafka", (connection) =>
  connection.close(),
);

/** Where the partitions stand that are read in this process through this connection; empty when it is not open. */
export function kafkaPartitions(name: string): readonly PartitionStatus[] {
  return kafkaConnections.peek(name)?.status() ?? [];
}

/** Registers a Kafka cluster in this process, under the name that graphs use. */
export function registerKafkaConnection(name: string, config: KafkaConfig): void {
  const { clock = systemClock, health = silentHealth } = config;
  const { trustedClock = new TrustedClock(clock) } = config;
  registerKafkaClient(name, () => connectKafka({ ...config, trustedClock }), {
    clock,
    trustedClock,
    health,
    ...(config.logger !== undefined && { logger: config.logger }),
  });
}

/** What a process has one of. */
export interface KafkaSurroundings {
  readonly clock?: Clock;
  readonly trustedClock?: TrustedClock;
  readonly health?: HealthReporter;
  readonly logger?: KafkaLogger;
}

/** For tests and simulations: a client made elsewhere. */
export function registerKafkaClient(
  name: string,
  connect: () => Promise<KafkaClient>,
  surroundings: KafkaSurroundings = {},
): void {
  const { clock = systemClock, health = silentHealth, logger = stderrLogger } = surroundings;
  const { trustedClock = new TrustedClock(clock) } = surroundings;
  kafkaConnections.register(
    name,
    async () => new KafkaConnection(await connect(), clock, trustedClock, health, logger),
  );
}
