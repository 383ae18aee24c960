/** A client of the simulated cluster: the product's own fetching of partitions, over requests that are simulated. */

import type { Clock } from "../../../beam/platform/clock.js";
import { silentHealth } from "../../../beam/platform/health.js";
import { TrustedClock } from "../../../beam/platform/trusted_clock.js";
import { backoffMs } from "../../../connectors/kafka/client/backoff.js";
import { isOutage, RetriableCodeError } from "../../../connectors/kafka/client/cluster.js";
import {
  defaultKafkaLimits,
  type KafkaClient,
  type KafkaLimits,
  type KafkaLogger,
  type OffsetPoint,
  type PartitionOffset,
  type PartitionSubscription,
} from "../../../connectors/kafka/client/kafka_client.js";
import {
  KafkaClosedError,
  KafkaError,
  KafkaRequestError,
  KafkaUnreachableError,
  TopicNotFoundError,
} from "../../../connectors/kafka/client/kafka_errors.js";
import type { MetadataAnswer } from "../../../connectors/kafka/client/kafkajs_internals.js";
import type { LogId } from "../../../connectors/kafka/client/log_id.js";
import type { LogMark } from "../../../connectors/kafka/client/log_identity.js";
import { PartitionFetcher } from "../../../connectors/kafka/client/partition_fetcher.js";
import type { Owner } from "./event_loop.js";
import type { SimulatedKafka } from "./simulated_kafka.js";

const UNKNOWN_TOPIC_OR_PARTITION = 3;
const NO_ERROR = 0;
/** As long as a real broker may not know of a topic that was just made. */
const TOPIC_PROPAGATION_MS = 2_000;

const silent: KafkaLogger = { debug() {}, info() {}, warn() {}, error() {} };

/** @throws KafkaUnreachableError */
export async function connectSimulatedKafka(
  kafka: SimulatedKafka,
  owner: Owner & Clock,
  limits: Partial<KafkaLimits> = {},
  trustedClock = new TrustedClock(owner),
): Promise<KafkaClient> {
  const client = new SimulatedKafkaClient(kafka, owner, { ...defaultKafkaLimits, ...limits }, trustedClock);
  await client.connect();
  return client;
}

class SimulatedKafkaClient implements KafkaClient {
  readonly #fetcher: PartitionFetcher;
  readonly #random: () => number;
  #isClosed = false;

  constructor(
    private readonly kafka: SimulatedKafka,
    private readonly owner: Owner & Clock,
    private readonly limits: KafkaLimits,
    trustedClock: TrustedClock,
  ) {
    this.#random = () => kafka.random.uniform();
    const transport = {
      brokers: [kafka.address],
      metadata: (topics: readonly string[]) => this.#unlessClosed(kafka.metadata(owner, topics)),
      fetch: (node: number, request: Parameters<SimulatedKafka["fetch"]>[2]) =>
        this.#unlessClosed(kafka.fetch(owner, node, request)),
      offsetRange: async (node: number, topic: string, partition: number) => ({
        earliest: await this.#listOffset(node, topic, partition, "earliest"),
        latest: await this.#listOffset(node, topic, partition, "written"),
      }),
      disconnect: () => undefined,
      transactionWriter: async () => undefined,
      toKafkaError: (error: unknown) => this.#toKafkaError(error),
    };
    this.#fetcher = new PartitionFetcher(
      transport,
      limits,
      owner,
      silent,
      this.#random,
      silentHealth,
      trustedClock,
    );
  }

  async connect(): Promise<void> {
    await this.#retrying(this.limits.connectTimeoutMs, () => this.kafka.metadata(this.owner, []));
  }

  async partitions(topic: string): Promise<readonly number[]> {
    return [...(await this.#retrying(this.limits.requestRetryMaxMs, this.#leadersAttempt(topic))).keys()];
  }

  async log(topic: string): Promise<LogId> {
    const attempt = this.#topicAttempt(topic);
    return this.#retrying(this.limits.requestRetryMaxMs, async () => {
      const { clusterId, topicId } = await attempt();
      return { clusterId, topicId };
    });
  }

  async offsets(topic: string, at: OffsetPoint): Promise<Map<number, number>> {
    const attempt = this.#leadersAttempt(topic);
    return this.#retrying(this.limits.requestRetryMaxMs, async () => {
      const found = new Map<number, number>();
      const unknown = this.kafka.partitionsOf(topic).filter(({ isLookedUp }) => !isLookedUp);
      try {
        for (const [partition, leader] of await attempt()) {
          if (leader < 0) throw new RetriableCodeError(`${topic}[${partition}]`, 5);
          const point = at === "earliest" || at === "end" ? at : at === "latest" ? "stable" : at.timestampMs;
          let offset = await this.#listOffset(leader, topic, partition, point);
          if (offset < 0) offset = await this.#listOffset(leader, topic, partition, "stable");
          found.set(partition, offset);
        }
      } catch (error) {
        // Nothing begins at what an attempt has found that failed as a whole.
        for (const log of unknown) log.forgetDeleted();
        throw error;
      }
      return found;
    });
  }

  committedOffsets(groupId: string, topic: string): Promise<Map<number, number>> {
    return this.#retrying(this.limits.requestRetryMaxMs, () =>
      this.kafka.fetchCommitted(this.owner, groupId, topic),
    );
  }

  async commitOffsets(groupId: string, offsets: readonly PartitionOffset[]): Promise<void> {
    if (offsets.length === 0) return;
    const { isRefused } = await this.#retrying(this.limits.requestRetryMaxMs, () =>
      this.kafka.commit(this.owner, groupId, offsets),
    );
    if (isRefused) throw new KafkaRequestError("Kafka answered UNKNOWN_MEMBER_ID: the group has members");
  }

  subscribe(
    topic: string,
    partition: number,
    offset: number,
    onData: () => void,
    mark?: LogMark,
  ): PartitionSubscription {
    return this.#fetcher.subscribe(topic, partition, offset, onData, mark);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const end of [...this.#underWay]) end(new KafkaClosedError());
    await this.#fetcher.close();
  }

  #leadersAttempt(topic: string): () => Promise<Map<number, number>> {
    const attempt = this.#topicAttempt(topic);
    return async () => {
      const { partitionMetadata } = await attempt();
      return new Map(partitionMetadata.map(({ partitionId, leader }) => [partitionId, leader]));
    };
  }

  #topicAttempt(topic: string): () => Promise<LogId & MetadataAnswer["topicMetadata"][number]> {
    const startedAtMs = this.owner.elapsed();
    return async () => {
      const { clusterId, topicMetadata } = await this.kafka.metadata(this.owner, [topic]);
      const known = topicMetadata[0]!;
      const { topicErrorCode } = known;
      if (topicErrorCode === UNKNOWN_TOPIC_OR_PARTITION) {
        if (this.owner.elapsed() - startedAtMs >= TOPIC_PROPAGATION_MS) {
          throw new TopicNotFoundError(topic, [this.kafka.address]);
        }
        throw new RetriableCodeError(`topic "${topic}"`, topicErrorCode);
      }
      return { clusterId, ...known };
    };
  }

  async #listOffset(
    node: number,
    topic: string,
    partition: number,
    at: Parameters<SimulatedKafka["listOffset"]>[4],
  ): Promise<number> {
    const { errorCode, offset } = await this.kafka.listOffset(this.owner, node, topic, partition, at);
    if (errorCode !== NO_ERROR) throw new RetriableCodeError(`${topic}[${partition}]`, errorCode);
    return offset;
  }

  /** What ends the requests under way when the client is closed. */
  readonly #underWay = new Set<(error: Error) => void>();

  #unlessClosed<T>(request: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#underWay.add(reject);
      request.then(resolve, reject).finally(() => this.#underWay.delete(reject));
    });
  }

  async #retrying<T>(maxMs: number, attempt: () => Promise<T>): Promise<T> {
    const deadline = this.owner.elapsed() + maxMs;
    for (let failures = 1; ; failures++) {
      if (this.#isClosed) throw new KafkaClosedError();
      try {
        return await this.#unlessClosed(attempt());
      } catch (error) {
        if (this.#isClosed) throw new KafkaClosedError();
        const delayMs = backoffMs(failures, this.#random);
        if (!isOutage(error) || this.owner.elapsed() + delayMs > deadline) throw this.#toKafkaError(error);
        await this.#unlessClosed(new Promise<void>((resolve) => this.owner.schedule(delayMs, resolve)));
      }
    }
  }

  #toKafkaError(error: unknown): KafkaError {
    return error instanceof KafkaError ? error : new KafkaUnreachableError([this.kafka.address], error);
  }
}
