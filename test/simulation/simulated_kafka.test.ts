/** The simulation's Kafka passes the suite that the real one passes. */
import type { KafkaClient } from "../../connectors/kafka/client/kafka_client.js";
import { partitionOf } from "../../producers/partitioner.js";
import {
  type MortalKafkaHarness,
  type SentRecord,
  testKafkaClient,
  testKafkaOutage,
} from "../connector/kafka_client_suite.js";
import { START_MS } from "./scenario.js";
import { RunningLoop } from "./world/running_loop.js";
import { randomFor } from "./world/seeded.js";
import { SimulatedKafka } from "./world/simulated_kafka.js";
import { connectSimulatedKafka } from "./world/simulated_kafka_client.js";
import { Machine, SimulatedProcess } from "./world/simulated_process.js";

class SimulatedHarness implements MortalKafkaHarness {
  readonly #running = new RunningLoop(START_MS, 1);
  readonly #kafka: SimulatedKafka;
  readonly #process = new SimulatedProcess(new Machine(this.#running.loop, randomFor(1, "process")), 1);
  readonly address: string;
  #names = 0;

  constructor(fetchesById: boolean) {
    this.#kafka = new SimulatedKafka(this.#running.loop, randomFor(1, "kafka"), [1], fetchesById);
    this.address = this.#kafka.address;
  }

  connect(limits = {}): Promise<KafkaClient> {
    return connectSimulatedKafka(this.#kafka, this.#process, limits);
  }

  async createTopic(prefix: string, partitions: number): Promise<string> {
    const topic = `${prefix}-${++this.#names}`;
    this.#kafka.createTopic(topic, partitions);
    return topic;
  }

  async deleteTopic(topic: string): Promise<void> {
    this.#kafka.deleteTopic(topic);
  }

  async makeAgain(topic: string, partitions: number): Promise<void> {
    this.#kafka.deleteTopic(topic);
    this.#kafka.createTopic(topic, partitions);
  }

  async deleteRecordsBefore(topic: string, partition: number, offset: number): Promise<void> {
    this.#kafka.partition(topic, partition)!.deleteBefore(offset);
  }

  async send(topic: string, records: readonly SentRecord[]): Promise<void> {
    const partitions = this.#kafka.partitionsOf(topic);
    for (const { value, partition, timestampMs = this.now() } of records) {
      const key = Buffer.from(value);
      const to = partition ?? partitionOf(key, partitions.length);
      partitions[to]!.append({ timestampMs, key, value: Buffer.from(value) });
    }
  }

  async sendInTransaction(topic: string, values: readonly string[]) {
    const records = values.map((value) => ({
      timestampMs: this.now(),
      key: null,
      value: Buffer.from(value),
    }));
    const end = this.#kafka.partition(topic, 0)!.appendOpen(...records);
    return async (outcome: "commit" | "abort"): Promise<void> => end(outcome);
  }

  newGroup(): string {
    return `group-${++this.#names}`;
  }

  async joinGroup(groupId: string): Promise<() => Promise<void>> {
    this.#kafka.joinGroup(groupId);
    return async () => undefined;
  }

  /** In whole milliseconds, as Kafka's timestamps and what a client tells of its time; the process's have fractions. */
  now(): number {
    return Math.floor(this.#process.now());
  }

  wait(ms: number): Promise<void> {
    return this.#running.wait(ms);
  }

  async kill(): Promise<void> {
    this.#kafka.setDown(1, true);
  }

  async start(): Promise<void> {
    await this.wait(2_000);
    this.#kafka.setDown(1, false);
  }

  async close(): Promise<void> {
    this.#running.end();
  }
}

for (const fetchesById of [true, false]) {
  describe(`simulated Kafka, fetched from by ${fetchesById ? "id" : "name"}`, () => {
    let harness: SimulatedHarness;

    before(() => {
      harness = new SimulatedHarness(fetchesById);
    });

    after(() => harness.close());

    testKafkaClient(() => harness);
    testKafkaOutage(async () => new SimulatedHarness(fetchesById));
  });
}
