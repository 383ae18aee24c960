/** The Kafka client on kafkajs: requests by `Cluster`, records by `PartitionFetcher`. */
import { type Clock, systemClock } from "@order-payment-stream/beam/io";
import { Cluster, RetriableCodeError } from "./cluster.js";
import type { FetchRequest } from "./fetch_protocol.js";
import {
  defaultKafkaLimits,
  type KafkaClient,
  type KafkaConfig,
  type KafkaLimits,
  type OffsetPoint,
  type PartitionOffset,
  type PartitionSubscription,
  stderrLogger,
  type WholeKafkaConfig,
} from "./kafka_client.js";
import { KafkaAuthorizationError, TopicNotFoundError } from "./kafka_errors.js";
import { errorName, type MetadataAnswer } from "./kafkajs_internals.js";
import type { LogId } from "./log_id.js";
import type { LogMark } from "./log_identity.js";
import { PartitionFetcher } from "./partition_fetcher.js";
import { describeProducersCall, transactionalIdsCall } from "./transaction_protocol.js";

const UNKNOWN_TOPIC_OR_PARTITION = 3;
const LEADER_NOT_AVAILABLE = 5;
const INVALID_TOPIC = 17;
const TOPIC_AUTHORIZATION_FAILED = 29;

/** A topic that was created a moment ago is not known to every broker yet. */
const TOPIC_PROPAGATION_MS = 2_000;

const LATEST = -1;
const EARLIEST = -2;
const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;
const NOT_A_BROKER = -1;
const GROUP_COORDINATOR = 0;
/** Generation and member of a commit from outside the group. */
const NO_GENERATION = -1;
const NO_MEMBER = "";

/**
 * Connects to a cluster.
 * @throws KafkaUnreachableError after `connectTimeoutMs`, KafkaAuthenticationError at once
 */
export async function connectKafka(given: KafkaConfig): Promise<KafkaClient> {
  const config: WholeKafkaConfig = { clientId: "order-payment-stream", logger: stderrLogger, ...given };
  const limits: KafkaLimits = { ...defaultKafkaLimits, ...config.limits };
  const clock = config.clock ?? systemClock;
  const cluster = new Cluster(config, limits, clock);
  try {
    await cluster.connect();
  } catch (error) {
    cluster.close();
    throw error;
  }
  return new KafkaJsClient(cluster, limits, clock, config);
}

/** Its transactional id, where a broker knows it, and its producer id. */
async function transactionWriter(
  cluster: Cluster,
  leader: number,
  topic: string,
  partition: number,
  firstOffset: number,
): Promise<string | undefined> {
  const producers = await cluster.sendIfKnown(leader, describeProducersCall(topic, partition));
  const producer = producers.find(({ transactionStart }) => transactionStart === firstOffset);
  if (producer === undefined) return undefined;
  const { producerId } = producer;
  const answers = await Promise.allSettled(
    cluster.nodeIds.map((nodeId) => cluster.sendIfKnown(nodeId, transactionalIdsCall(producerId))),
  );
  const [id] = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  return id === undefined
    ? `producer ${producerId}`
    : `transactional.id ${JSON.stringify(id)} (producer ${producerId})`;
}

class KafkaJsClient implements KafkaClient {
  readonly #fetcher: PartitionFetcher;
  readonly #coordinators = new Map<string, number>();

  constructor(
    private readonly cluster: Cluster,
    limits: KafkaLimits,
    private readonly clock: Clock,
    config: WholeKafkaConfig,
  ) {
    const transport = {
      brokers: cluster.brokers,
      metadata: (topics: readonly string[]) => cluster.metadata(topics),
      fetch: (nodeId: number, request: FetchRequest) => cluster.fetch(nodeId, request),
      offsetRange: async (nodeId: number, topic: string, partition: number) => {
        const at = async (timestamp: number) =>
          (await this.#listOffsets(nodeId, topic, [partition], timestamp, READ_UNCOMMITTED)).get(partition)!;
        return { earliest: await at(EARLIEST), latest: await at(LATEST) };
      },
      transactionWriter: (nodeId: number, topic: string, partition: number, firstOffset: number) =>
        transactionWriter(cluster, nodeId, topic, partition, firstOffset),
      disconnect: (nodeId: number) => cluster.disconnect(nodeId),
      toKafkaError: (error: unknown) => cluster.toKafkaError(error),
    };
    const { logger, health, trustedClock } = config;
    this.#fetcher = new PartitionFetcher(transport, limits, clock, logger, Math.random, health, trustedClock);
  }

  async partitions(topic: string): Promise<readonly number[]> {
    const leaders = await this.cluster.retrying(this.#leadersAttempt(topic));
    return [...leaders.keys()].sort((a, b) => a - b);
  }

  async log(topic: string): Promise<LogId> {
    const attempt = this.#topicAttempt(topic);
    return this.cluster.retrying(async () => {
      const { clusterId, topicId } = await attempt();
      return { clusterId, topicId };
    });
  }

  async offsets(topic: string, at: OffsetPoint): Promise<Map<number, number>> {
    const leadersAttempt = this.#leadersAttempt(topic);
    return this.cluster.retrying(async () => {
      const leaders = await leadersAttempt();
      const byLeader = new Map<number, number[]>();
      for (const [partition, leader] of leaders) {
        if (leader < 0) throw new RetriableCodeError(`${topic}[${partition}]`, LEADER_NOT_AVAILABLE);
        const ofLeader = byLeader.get(leader);
        if (ofLeader === undefined) byLeader.set(leader, [partition]);
        else ofLeader.push(partition);
      }
      const timestamp = at === "earliest" ? EARLIEST : typeof at === "string" ? LATEST : at.timestampMs;
      const isolation = at === "end" ? READ_UNCOMMITTED : READ_COMMITTED;
      const answers = await Promise.all(
        [...byLeader].map(async ([leader, partitions]) => {
          const offsets = await this.#listOffsets(leader, topic, partitions, timestamp, isolation);
          const tooLate = partitions.filter((partition) => offsets.get(partition)! < 0);
          if (tooLate.length > 0) {
            const ends = await this.#listOffsets(leader, topic, tooLate, LATEST, READ_COMMITTED);
            for (const [partition, end] of ends) offsets.set(partition, end);
          }
          return offsets;
        }),
      );
      return new Map(answers.flatMap((offsets) => [...offsets]).sort(([a], [b]) => a - b));
    });
  }

  async committedOffsets(groupId: string, topic: string): Promise<Map<number, number>> {
    const partitions = await this.partitions(topic);
    return this.#atCoordinator(groupId, async (nodeId) => {
      const { responses } = await this.cluster.request(nodeId, (broker) =>
        broker.offsetFetch({
          groupId,
          topics: [{ topic, partitions: partitions.map((partition) => ({ partition })) }],
        }),
      );
      const committed = new Map<number, number>();
      for (const response of responses) {
        for (const { partition, offset } of response.partitions) {
          if (Number(offset) >= 0) committed.set(partition, Number(offset));
        }
      }
      return committed;
    });
  }

  async commitOffsets(groupId: string, offsets: readonly PartitionOffset[]): Promise<void> {
    if (offsets.length === 0) return;
    const byTopic = new Map<string, { partition: number; offset: string }[]>();
    for (const { topic, partition, offset } of offsets) {
      const ofTopic = byTopic.get(topic) ?? [];
      ofTopic.push({ partition, offset: String(offset) });
      byTopic.set(topic, ofTopic);
    }
    await this.#atCoordinator(groupId, (nodeId) =>
      this.cluster.request(nodeId, (broker) =>
        broker.offsetCommit({
          groupId,
          groupGenerationId: NO_GENERATION,
          memberId: NO_MEMBER,
          topics: [...byTopic].map(([topic, partitions]) => ({ topic, partitions })),
        }),
      ),
    );
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
    const idle = this.#fetcher.close();
    this.cluster.close();
    await idle;
  }

  /** Attempts to find the leader (-1: none now) of each partition of a topic; for `Cluster.retrying`. */
  #leadersAttempt(topic: string): () => Promise<Map<number, number>> {
    const attempt = this.#topicAttempt(topic);
    return async () => {
      const { partitionMetadata } = await attempt();
      return new Map(partitionMetadata.map(({ partitionId, leader }) => [partitionId, leader]));
    };
  }

  /** Attempts to find out about a topic; for `Cluster.retrying`. */
  #topicAttempt(topic: string): () => Promise<LogId & MetadataAnswer["topicMetadata"][number]> {
    const startedAtMs = this.clock.elapsed();
    return async () => {
      const { clusterId, topicMetadata } = await this.cluster.metadata([topic]);
      const known = topicMetadata.find((entry) => entry.topic === topic);
      const code = known?.topicErrorCode ?? UNKNOWN_TOPIC_OR_PARTITION;
      if (code === UNKNOWN_TOPIC_OR_PARTITION && this.clock.elapsed() - startedAtMs < TOPIC_PROPAGATION_MS) {
        throw new RetriableCodeError(`topic "${topic}"`, code);
      }
      if (code === UNKNOWN_TOPIC_OR_PARTITION || code === INVALID_TOPIC) {
        throw new TopicNotFoundError(topic, this.cluster.brokers);
      }
      if (code === TOPIC_AUTHORIZATION_FAILED) {
        throw new KafkaAuthorizationError(`topic "${topic}"`, errorName(code));
      }
      if (code !== 0) throw new RetriableCodeError(`topic "${topic}"`, code);
      return { clusterId, ...known! };
    };
  }

  /** An offset of -1 means that no record is as new as the timestamp. */
  async #listOffsets(
    nodeId: number,
    topic: string,
    partitions: readonly number[],
    timestamp: number,
    isolationLevel: number,
  ): Promise<Map<number, number>> {
    const { responses } = await this.cluster.request(nodeId, (broker) =>
      broker.listOffsets({
        replicaId: NOT_A_BROKER,
        isolationLevel,
        topics: [{ topic, partitions: partitions.map((partition) => ({ partition, timestamp })) }],
      }),
    );
    return new Map(
      responses.flatMap((response) =>
        response.partitions.map(({ partition, offset }): [number, number] => [partition, Number(offset)]),
      ),
    );
  }

  /** Runs a request at the broker that keeps the group's offsets; that may change, and takes a while at first. */
  async #atCoordinator<T>(groupId: string, request: (nodeId: number) => Promise<T>): Promise<T> {
    return this.cluster.retrying(async () => {
      let nodeId = this.#coordinators.get(groupId);
      if (nodeId === undefined) {
        const { coordinator } = await this.cluster.requestAny((broker) =>
          broker.findGroupCoordinator({ groupId, coordinatorType: GROUP_COORDINATOR }),
        );
        this.cluster.learn(coordinator.nodeId, coordinator.host, coordinator.port);
        nodeId = coordinator.nodeId;
        this.#coordinators.set(groupId, nodeId);
      }
      try {
        return await request(nodeId);
      } catch (error) {
        this.#coordinators.delete(groupId);
        throw error;
      }
    });
  }
}
