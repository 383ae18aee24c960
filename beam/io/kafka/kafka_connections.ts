/**
 * Kafka connections by name. A graph holds only the name: addresses and passwords stay with the process that reads,
 * which registers them when it starts. All readers of a name share one client, and with it one connection for fetching
 * from each broker, however many partitions they read.
 */
import { connectKafka } from "./client/connect_kafka.js";
import type { KafkaClient, KafkaConfig } from "./client/kafka_client.js";
import { OffsetCommitter } from "./offset_committer.js";
import { PartitionReader } from "./partition_reader.js";

/** A client in use, and what its users share. */
export class KafkaConnection {
  readonly #readers = new Map<string, PartitionReader>();
  readonly #committers = new Map<string, OffsetCommitter>();

  constructor(readonly client: KafkaClient) {}

  /** The reader of a partition, standing at `offset`: the one there is, if that is where it stands. */
  reader(topic: string, partition: number, offset: number): PartitionReader {
    const key = `${topic}/${partition}`;
    let reader = this.#readers.get(key);
    if (reader === undefined || reader.nextOffset !== offset) {
      reader?.close();
      reader = new PartitionReader(this.client, topic, partition, offset);
      this.#readers.set(key, reader);
    }
    return reader;
  }

  closeReader(topic: string, partition: number): void {
    const key = `${topic}/${partition}`;
    this.#readers.get(key)?.close();
    this.#readers.delete(key);
  }

  committer(groupId: string): OffsetCommitter {
    let committer = this.#committers.get(groupId);
    if (committer === undefined) {
      committer = new OffsetCommitter(this.client, groupId);
      this.#committers.set(groupId, committer);
    }
    return committer;
  }

  async close(): Promise<void> {
    for (const committer of this.#committers.values()) await committer.close();
    for (const reader of this.#readers.values()) reader.close();
    await this.client.close();
  }
}

const configs = new Map<string, () => Promise<KafkaClient>>();
const open = new Map<string, { connection: Promise<KafkaConnection>; users: number }>();

export function registerKafkaConnection(name: string, config: KafkaConfig): void {
  configs.set(name, () => connectKafka(config));
}

/** For tests and simulations: a client made elsewhere. */
export function registerKafkaClient(name: string, connect: () => Promise<KafkaClient>): void {
  configs.set(name, connect);
}

/** Shares the connection with this name until `releaseKafkaConnection`; connects if nobody has it. */
export async function acquireKafkaConnection(name: string): Promise<KafkaConnection> {
  let entry = open.get(name);
  if (entry === undefined) {
    const connect = configs.get(name);
    if (connect === undefined) throw new Error(`no Kafka connection is registered under ${name}`);
    entry = { connection: connect().then((client) => new KafkaConnection(client)), users: 0 };
    open.set(name, entry);
  }
  entry.users++;
  try {
    return await entry.connection;
  } catch (error) {
    open.delete(name);
    throw error;
  }
}

/** The last user closes it. */
export async function releaseKafkaConnection(name: string): Promise<void> {
  const entry = open.get(name);
  if (entry === undefined || --entry.users > 0) return;
  open.delete(name);
  await (await entry.connection).close();
}
