/**
 * A Kafka cluster: logs that outlive every process, and brokers that answer late, wrongly, or not at all. It speaks in
 * record batches and error codes, so that all of the product's fetching above the network is the real thing.
 */
import type {
  FetchAnswer,
  FetchedPartition,
  FetchRequest,
} from "../../../connectors/kafka/client/fetch_protocol.js";
import type { MetadataAnswer } from "../../../connectors/kafka/client/kafkajs_internals.js";
import type { Random } from "../../../producers/random.js";
import { type EventLoop, type Owner, WORLD } from "./event_loop.js";
import { SimulatedPartition } from "./simulated_partition.js";

const NO_ERROR = 0;
const OFFSET_OUT_OF_RANGE = 1;
const UNKNOWN_TOPIC_OR_PARTITION = 3;
const LEADER_NOT_AVAILABLE = 5;
const NOT_LEADER = 6;
const FENCED_LEADER_EPOCH = 74;
const UNKNOWN_LEADER_EPOCH = 76;
const UNKNOWN_TOPIC_ID = 100;

/** As the client's: a request that is not answered for longer has failed. */
const REQUEST_TIMEOUT_MS = 5_000;

/** What faults do to the way between the process and the brokers. */
export interface KafkaConditions {
  /** One way, ms. */
  latencyMaxMs: number;
  /** Share of requests whose connection breaks on the way there. */
  lostRequests: number;
  /** Share of requests that are done, and their answer lost. */
  lostAnswers: number;
}

export class SimulatedKafka {
  readonly conditions: KafkaConditions = { latencyMaxMs: 2, lostRequests: 0, lostAnswers: 0 };
  readonly address = "broker:9092";
  /** Another one: another cluster answers under the same addresses. */
  clusterId = "cluster-1";
  readonly #topics = new Map<string, SimulatedPartition[]>();
  readonly #topicIds = new Map<string, string>();
  /** By topic, the partitions of the last one of this name. */
  readonly #deleted = new Map<string, readonly SimulatedPartition[]>();
  #topicsMade = 0;
  readonly #committed = new Map<string, number>();
  readonly #down = new Set<number>();
  /** How often each broker has gone away. */
  readonly #ends = new Map<number, number>();
  /** Of each client: how often the broker had gone away when the connection was made. */
  readonly #connections = new WeakMap<Owner, Map<string, number>>();
  readonly #frozenUntilMs = new Map<number, number>();
  readonly #groupsWithMembers = new Set<string>();
  /** Requests other than fetches, in the second in which most were sent. */
  callsPerSecondMax = 0;
  #second = 0;
  #callsThisSecond = 0;

  constructor(
    readonly loop: EventLoop,
    readonly random: Random,
    readonly nodes: readonly number[],
    /** Fetches name topics by their ids: see connectors/kafka/client/fetch_protocol.ts. */
    readonly fetchesById: boolean,
  ) {}

  createTopic(topic: string, partitions: number): void {
    this.#topics.set(topic, []);
    this.#topicIds.set(topic, `topic-${++this.#topicsMade}`);
    for (let i = 0; i < partitions; i++) this.addPartition(topic);
  }

  deleteTopic(topic: string): void {
    const partitions = this.#topics.get(topic) ?? [];
    this.#topics.delete(topic);
    this.#deleted.set(topic, partitions);
    for (const partition of partitions) partition.wakeAll();
  }

  /** Deletes the topic, if that has not happened yet, and makes it again with as many partitions. */
  makeTopicAgain(topic: string): void {
    if (this.#topics.has(topic)) this.deleteTopic(topic);
    this.createTopic(topic, this.#deleted.get(topic)!.length);
  }

  /** Undefined: there is no such topic now. */
  addPartition(topic: string): SimulatedPartition | undefined {
    const partitions = this.#topics.get(topic);
    if (partitions === undefined) return undefined;
    const { length } = partitions;
    const leader = this.nodes[length % this.nodes.length]!;
    const former = this.#deleted.get(topic)?.[length]?.asFormer(0);
    const id = this.#topicIds.get(topic)!;
    const partition = new SimulatedPartition(topic, length, leader, id, () => this.loop.nowMs, former);
    partitions.push(partition);
    return partition;
  }

  partitionsOf(topic: string): readonly SimulatedPartition[] {
    return this.#topics.get(topic) ?? [];
  }

  partition(topic: string, partition: number): SimulatedPartition | undefined {
    return this.#topics.get(topic)?.[partition];
  }

  /** A broker that is frozen answers when that ends, if anybody waits so long. */
  freeze(node: number, untilMs: number): void {
    this.#frozenUntilMs.set(node, untilMs);
  }

  /** Cuts the process off from a broker, or ends that. */
  setDown(node: number, isDown: boolean): void {
    if (isDown && !this.#down.has(node)) this.#ends.set(node, this.#endsOf(node) + 1);
    if (isDown) this.#down.add(node);
    else this.#down.delete(node);
    // What waits at a broker that went away is answered by the connection's end.
    for (const partitions of this.#topics.values()) for (const partition of partitions) partition.wakeAll();
  }

  /** A group that consumers have joined takes no offsets from outside. */
  joinGroup(groupId: string): void {
    this.#groupsWithMembers.add(groupId);
  }

  committed(groupId: string, topic: string, partition: number): number | undefined {
    return this.#committed.get(`${groupId}/${topic}/${partition}`);
  }

  metadata(owner: Owner, topics: readonly string[]): Promise<MetadataAnswer> {
    return this.call(owner, this.#anyNode(), "metadata", () => ({
      brokers: this.nodes.map((nodeId) => ({ nodeId, host: `broker-${nodeId}`, port: 9092 })),
      clusterId: this.clusterId,
      topicMetadata: topics.map((topic) => {
        const partitions = this.#topics.get(topic);
        return {
          topic,
          topicId: partitions === undefined ? "" : this.#topicIds.get(topic)!,
          topicErrorCode: partitions === undefined ? UNKNOWN_TOPIC_OR_PARTITION : NO_ERROR,
          partitionMetadata: (partitions ?? []).map(({ partition, leader, leaderEpoch }) => ({
            partitionErrorCode: leader < 0 ? LEADER_NOT_AVAILABLE : NO_ERROR,
            partitionId: partition,
            leader,
            leaderEpoch,
          })),
        };
      }),
    }));
  }

  /** The offset of the first record that is not older than the time, or -1; of the ends where no time is given. */
  listOffset(
    owner: Owner,
    node: number,
    topic: string,
    partition: number,
    at: "earliest" | "written" | "end" | "stable" | number,
  ): Promise<{ readonly errorCode: number; readonly offset: number }> {
    return this.call(owner, node, "list offsets", () => {
      const log = this.partition(topic, partition);
      if (log === undefined) return { errorCode: UNKNOWN_TOPIC_OR_PARTITION, offset: -1 };
      if (log.leader !== node) return { errorCode: NOT_LEADER, offset: -1 };
      if (at === "earliest") {
        log.isLookedUp = true;
        return { errorCode: NO_ERROR, offset: log.firstOffset };
      }
      if (at === "written") return { errorCode: NO_ERROR, offset: log.nextOffset };
      if (at === "end") return { errorCode: NO_ERROR, offset: log.highWatermark };
      if (at === "stable") return { errorCode: NO_ERROR, offset: log.lastStableOffset };
      const found = log.visible.find(({ timestampMs }) => timestampMs >= at);
      return { errorCode: NO_ERROR, offset: found?.offset ?? -1 };
    });
  }

  commit(
    owner: Owner,
    groupId: string,
    offsets: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[],
  ): Promise<{ readonly isRefused: boolean }> {
    return this.call(owner, this.nodes[0]!, "commit offsets", () => {
      if (this.#groupsWithMembers.has(groupId)) return { isRefused: true };
      for (const { topic, partition, offset } of offsets) {
        this.#committed.set(`${groupId}/${topic}/${partition}`, offset);
      }
      return { isRefused: false };
    });
  }

  fetchCommitted(owner: Owner, groupId: string, topic: string): Promise<Map<number, number>> {
    return this.call(owner, this.nodes[0]!, "committed offsets", () => {
      const found = new Map<number, number>();
      for (const { partition } of this.partitionsOf(topic)) {
        const offset = this.committed(groupId, topic, partition);
        if (offset !== undefined) found.set(partition, offset);
      }
      return found;
    });
  }

  /** Held back by the broker until there is something to tell, or `maxWaitMs` is over. */
  fetch(owner: Owner, node: number, request: FetchRequest): Promise<FetchAnswer> {
    return this.#roundTrip(owner, node, "fetch", (answer) => {
      const logs = request.partitions.map(({ topic, partition }) => this.partition(topic, partition));
      let isAnswered = false;
      const ends: (() => void)[] = [];
      const finish = (): void => {
        if (isAnswered) return;
        isAnswered = true;
        for (const end of ends) end();
        answer(() => this.#fetchAnswer(node, request));
      };
      if (this.#hasNews(node, request) || request.maxWaitMs <= 0) {
        finish();
        return;
      }
      for (const log of logs) {
        const end = log?.whenNews(() => {
          if (this.#down.has(node) || this.#hasNews(node, request)) finish();
        });
        if (end !== undefined) ends.push(end);
      }
      ends.push(this.loop.after(request.maxWaitMs, WORLD, "a long poll ends", finish));
    });
  }

  /** A request that is answered as soon as it arrives. */
  call<T>(owner: Owner, node: number, what: string, answer: () => T): Promise<T> {
    const second = Math.floor(this.loop.nowMs / 1_000);
    this.#callsThisSecond = second === this.#second ? this.#callsThisSecond + 1 : 1;
    this.#second = second;
    this.callsPerSecondMax = Math.max(this.callsPerSecondMax, this.#callsThisSecond);
    return this.#roundTrip(owner, node, what, (reply) => reply(answer));
  }

  #roundTrip<T>(
    owner: Owner,
    node: number,
    what: string,
    handle: (reply: (answer: () => T) => void) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const isLost = this.random.chance(this.conditions.lostRequests);
      let endsBefore = 0;
      const fail = (why: string): void => {
        this.loop.after(this.#latency(), owner, `${what} fails: ${why}`, () =>
          reject(Object.assign(new Error(`${what}: ${why}`), { code: "ECONNRESET" })),
        );
      };
      this.loop.after(this.#latency(), WORLD, `${what} arrives at broker ${node}`, () => {
        if (isLost || this.#down.has(node) || this.#isReset(owner, node, what))
          return fail("connection lost");
        endsBefore = this.#endsOf(node);
        const frozenMs = (this.#frozenUntilMs.get(node) ?? 0) - this.loop.nowMs;
        if (frozenMs > REQUEST_TIMEOUT_MS) {
          this.loop.after(REQUEST_TIMEOUT_MS, owner, `${what} fails: no answer`, () =>
            reject(Object.assign(new Error(`${what}: request timed out`), { code: "ETIMEDOUT" })),
          );
          return;
        }
        if (frozenMs > 0) {
          this.loop.after(frozenMs, WORLD, `${what} is taken up by broker ${node}`, () => take());
          return;
        }
        take();
      });
      const isGone = (): boolean => this.#down.has(node) || this.#endsOf(node) !== endsBefore;
      const take = (): void => {
        if (isGone()) {
          fail("broker gone");
          return;
        }
        handle((answer) => {
          const result = answer();
          if (this.random.chance(this.conditions.lostAnswers)) return fail("answer lost");
          if (isGone()) return fail("broker gone");
          this.loop.after(this.#latency(), owner, `${what} is answered`, () => resolve(result));
        });
      };
    });
  }

  /**
   * A connection does not outlive the broker that it was made to; the first request by it finds that out. Requests of
   * each kind have a connection of their own.
   */
  #isReset(owner: Owner, node: number, what: string): boolean {
    const connections = this.#connections.get(owner) ?? new Map<string, number>();
    this.#connections.set(owner, connections);
    const connection = `${what} at ${node}`;
    const madeAt = connections.get(connection);
    connections.set(connection, this.#endsOf(node));
    return madeAt !== undefined && madeAt !== this.#endsOf(node);
  }

  #endsOf(node: number): number {
    return this.#ends.get(node) ?? 0;
  }

  #latency(): number {
    return this.random.skewed(this.conditions.latencyMaxMs, 2);
  }

  #anyNode(): number {
    const up = this.nodes.filter((node) => !this.#down.has(node));
    const among = up.length > 0 ? up : this.nodes;
    return among[this.random.between(0, among.length - 1)]!;
  }

  #hasNews(node: number, { partitions }: FetchRequest): boolean {
    return partitions.some(({ topic, topicId, partition, fetchOffset, leaderEpoch }) => {
      const log = this.partition(topic, partition);
      return (
        log === undefined ||
        this.#isOtherTopic(log, topicId) ||
        log.leader !== node ||
        epochError(log, leaderEpoch) !== NO_ERROR ||
        fetchOffset < log.lastStableOffset ||
        isOutOfRange(log, fetchOffset)
      );
    });
  }

  #isOtherTopic(log: SimulatedPartition, topicId: string): boolean {
    return this.fetchesById && log.topicId !== topicId;
  }

  #fetchAnswer(node: number, request: FetchRequest): FetchAnswer {
    const nothing = {
      errorCode: NO_ERROR,
      highWatermark: -1,
      lastStableOffset: -1,
      aborted: [],
      buffer: Buffer.alloc(0),
    };
    const room = { bytes: request.maxBytes };
    const partitions = request.partitions.map(
      ({ topic, topicId, partition, fetchOffset, leaderEpoch }): FetchedPartition => {
        const part = { topic, partition, ...nothing, recordsStart: 0, recordsEnd: 0 };
        const log = this.partition(topic, partition);
        if (log === undefined) {
          return { ...part, errorCode: this.fetchesById ? UNKNOWN_TOPIC_ID : UNKNOWN_TOPIC_OR_PARTITION };
        }
        if (this.#isOtherTopic(log, topicId)) return { ...part, errorCode: UNKNOWN_TOPIC_ID };
        if (log.leader !== node) return { ...part, errorCode: NOT_LEADER };
        const fenced = epochError(log, leaderEpoch);
        if (fenced !== NO_ERROR) return { ...part, errorCode: fenced };
        if (isOutOfRange(log, fetchOffset)) return { ...part, errorCode: OFFSET_OUT_OF_RANGE };
        const maxBytes = Math.min(request.partitionMaxBytes, room.bytes);
        const buffer = room.bytes <= 0 ? Buffer.alloc(0) : log.read(fetchOffset, maxBytes);
        room.bytes -= buffer.length;
        return {
          ...part,
          highWatermark: log.highWatermark,
          lastStableOffset: log.lastStableOffset,
          aborted: log.aborted,
          buffer,
          recordsEnd: buffer.length,
        };
      },
    );
    return { clientSideThrottleTime: 0, errorCode: NO_ERROR, isById: this.fetchesById, partitions };
  }
}

function isOutOfRange(log: SimulatedPartition, fetchOffset: number): boolean {
  return fetchOffset < log.firstOffset || fetchOffset > log.nextOffset;
}

function epochError(log: SimulatedPartition, asked: number): number {
  if (asked < 0 || asked === log.leaderEpoch) return NO_ERROR;
  return asked < log.leaderEpoch ? FENCED_LEADER_EPOCH : UNKNOWN_LEADER_EPOCH;
}
