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
import type { AbortedTransaction } from "../../../connectors/kafka/client/record_batch.js";
import type { Random } from "../../../producers/random.js";
import { type EventLoop, type Owner, WORLD } from "./event_loop.js";
import { type BatchRecord, PLAIN, recordBatchBytes } from "./record_batch_bytes.js";

const NO_ERROR = 0;
const OFFSET_OUT_OF_RANGE = 1;
const UNKNOWN_TOPIC_OR_PARTITION = 3;
const LEADER_NOT_AVAILABLE = 5;
const NOT_LEADER = 6;
const FENCED_LEADER_EPOCH = 74;
const UNKNOWN_LEADER_EPOCH = 76;

/** What faults do to the way between the process and the brokers. */
export interface KafkaConditions {
  /** One way, ms. */
  latencyMaxMs: number;
  /** Share of requests whose connection breaks on the way there. */
  lostRequests: number;
  /** Share of requests that are done, and their answer lost. */
  lostAnswers: number;
}

interface StoredBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly bytes: Buffer;
}

/** What a consumer may see of a partition. */
export interface VisibleRecord extends BatchRecord {
  readonly offset: number;
}

/** A log at some time. */
export interface LogCopy {
  readonly batches: readonly StoredBatch[];
  readonly visible: readonly VisibleRecord[];
  readonly aborted: readonly AbortedTransaction[];
  readonly firstOffset: number;
  readonly nextOffset: number;
}

export class SimulatedPartition {
  readonly batches: StoredBatch[] = [];
  /** In order of offset, those of aborted transactions left out. */
  readonly visible: VisibleRecord[] = [];
  readonly aborted: AbortedTransaction[] = [];
  firstOffset = 0;
  nextOffset = 0;
  /** First offset of a transaction that is open. */
  openTransactionAt: number | undefined;
  /** Counts the elections. */
  leaderEpoch = 0;
  #leader: number;
  /** A leader that is new may not know yet how far its followers are: what lies behind is not shown. */
  shownUpTo = Number.POSITIVE_INFINITY;
  readonly #waiting = new Set<() => void>();
  #nextProducer = 1;

  constructor(
    readonly topic: string,
    readonly partition: number,
    leader: number,
  ) {
    this.#leader = leader;
  }

  /** Node id; -1: being elected. */
  get leader(): number {
    return this.#leader;
  }

  set leader(node: number) {
    this.#leader = node;
    if (node >= 0) this.leaderEpoch++;
  }

  /** What is stored and shown, open transactions included. */
  get highWatermark(): number {
    return Math.min(this.nextOffset, this.shownUpTo);
  }

  get lastStableOffset(): number {
    return Math.min(this.openTransactionAt ?? this.nextOffset, this.shownUpTo);
  }

  append(...records: readonly BatchRecord[]): void {
    const baseOffset = this.#store(
      recordBatchBytes(this.nextOffset, records, PLAIN, this.leaderEpoch),
      records.length,
    );
    for (const [i, record] of records.entries()) this.visible.push({ ...record, offset: baseOffset + i });
    this.wakeAll();
  }

  /** Begins a transaction, and ends it when the returned function is called. */
  appendOpen(...records: readonly BatchRecord[]): (outcome: "commit" | "abort") => void {
    const kind = { producerId: this.#nextProducer++, isTransactional: true, isControl: false };
    const baseOffset = this.#store(
      recordBatchBytes(this.nextOffset, records, kind, this.leaderEpoch),
      records.length,
    );
    this.openTransactionAt = baseOffset;
    this.wakeAll();
    return (outcome) => {
      if (outcome === "commit") {
        for (const [i, record] of records.entries()) this.visible.push({ ...record, offset: baseOffset + i });
      } else {
        this.aborted.push({ producerId: kind.producerId, firstOffset: baseOffset });
      }
      const key = Buffer.from([0, 0, 0, outcome === "commit" ? 1 : 0]);
      const marker = { timestampMs: records[0]!.timestampMs, key, value: Buffer.alloc(6) };
      this.#store(
        recordBatchBytes(this.nextOffset, [marker], { ...kind, isControl: true }, this.leaderEpoch),
        1,
      );
      this.openTransactionAt = undefined;
      this.visible.sort((a, b) => a.offset - b.offset);
      this.wakeAll();
    };
  }

  /** Removes what lies before the offset, as retention does. */
  deleteBefore(offset: number): void {
    this.firstOffset = offset;
  }

  /** What a backup keeps. */
  copy(): LogCopy {
    const { firstOffset, nextOffset } = this;
    return {
      batches: [...this.batches],
      visible: [...this.visible],
      aborted: [...this.aborted],
      firstOffset,
      nextOffset,
    };
  }

  /** Puts the log back to what it was, as a restored backup, or a replica that was behind, does. */
  restore(copy: LogCopy): void {
    this.batches.splice(0, this.batches.length, ...copy.batches);
    this.visible.splice(0, this.visible.length, ...copy.visible);
    this.aborted.splice(0, this.aborted.length, ...copy.aborted);
    this.firstOffset = copy.firstOffset;
    this.nextOffset = copy.nextOffset;
    this.openTransactionAt = undefined;
    this.wakeAll();
  }

  /** Calls once when there is something new to tell. Returns a function that ends the wait. */
  whenNews(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => this.#waiting.delete(wake);
  }

  wakeAll(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Whole batches from the one that holds `offset`, so many bytes at most, but one if there is one. */
  read(offset: number, maxBytes: number): Buffer {
    const chosen: Buffer[] = [];
    let bytes = 0;
    for (const batch of this.batches) {
      if (batch.lastOffset < offset) continue;
      if (batch.baseOffset >= this.lastStableOffset) break;
      if (chosen.length > 0 && bytes + batch.bytes.length > maxBytes) break;
      chosen.push(batch.bytes);
      bytes += batch.bytes.length;
    }
    return Buffer.concat(chosen);
  }

  #store(bytes: Buffer, count: number): number {
    const baseOffset = this.nextOffset;
    this.nextOffset += count;
    this.batches.push({ baseOffset, lastOffset: this.nextOffset - 1, bytes });
    return baseOffset;
  }
}

export class SimulatedKafka {
  readonly conditions: KafkaConditions = { latencyMaxMs: 2, lostRequests: 0, lostAnswers: 0 };
  readonly address = "broker:9092";
  /** Another one: another cluster answers under the same addresses. */
  clusterId = "cluster-1";
  readonly #topics = new Map<string, SimulatedPartition[]>();
  readonly #topicIds = new Map<string, string>();
  #topicsMade = 0;
  readonly #committed = new Map<string, number>();
  readonly #down = new Set<number>();
  readonly #groupsWithMembers = new Set<string>();
  /** Requests other than fetches, in the second in which most were sent. */
  callsPerSecondMax = 0;
  #second = 0;
  #callsThisSecond = 0;

  constructor(
    readonly loop: EventLoop,
    readonly random: Random,
    readonly nodes: readonly number[],
  ) {}

  createTopic(topic: string, partitions: number): void {
    this.#topics.set(topic, []);
    this.#topicIds.set(topic, `topic-${++this.#topicsMade}`);
    for (let i = 0; i < partitions; i++) this.addPartition(topic);
  }

  deleteTopic(topic: string): void {
    const partitions = this.#topics.get(topic) ?? [];
    this.#topics.delete(topic);
    for (const partition of partitions) partition.wakeAll();
  }

  addPartition(topic: string): SimulatedPartition {
    const partitions = this.#topics.get(topic)!;
    const { length } = partitions;
    const partition = new SimulatedPartition(topic, length, this.nodes[length % this.nodes.length]!);
    partitions.push(partition);
    return partition;
  }

  partitionsOf(topic: string): readonly SimulatedPartition[] {
    return this.#topics.get(topic) ?? [];
  }

  partition(topic: string, partition: number): SimulatedPartition | undefined {
    return this.#topics.get(topic)?.[partition];
  }

  /** Cuts the process off from a broker, or ends that. */
  setDown(node: number, isDown: boolean): void {
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
      if (at === "earliest") return { errorCode: NO_ERROR, offset: log.firstOffset };
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
      const fail = (why: string): void => {
        this.loop.after(this.#latency(), owner, `${what} fails: ${why}`, () =>
          reject(Object.assign(new Error(`${what}: ${why}`), { code: "ECONNRESET" })),
        );
      };
      this.loop.after(this.#latency(), WORLD, `${what} arrives at broker ${node}`, () => {
        if (isLost || this.#down.has(node)) return fail("connection lost");
        handle((answer) => {
          const result = answer();
          if (this.random.chance(this.conditions.lostAnswers)) return fail("answer lost");
          if (this.#down.has(node)) return fail("broker gone");
          this.loop.after(this.#latency(), owner, `${what} is answered`, () => resolve(result));
        });
      });
    });
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
    return partitions.some(({ topic, partition, fetchOffset, leaderEpoch }) => {
      const log = this.partition(topic, partition);
      return (
        log === undefined ||
        log.leader !== node ||
        epochError(log, leaderEpoch) !== NO_ERROR ||
        fetchOffset < log.lastStableOffset ||
        isOutOfRange(log, fetchOffset)
      );
    });
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
      ({ topic, partition, fetchOffset, leaderEpoch }): FetchedPartition => {
        const part = { topic, partition, ...nothing, recordsStart: 0, recordsEnd: 0 };
        const log = this.partition(topic, partition);
        if (log === undefined) return { ...part, errorCode: UNKNOWN_TOPIC_OR_PARTITION };
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
    return { clientSideThrottleTime: 0, errorCode: NO_ERROR, partitions };
  }
}

function isOutOfRange(log: SimulatedPartition, fetchOffset: number): boolean {
  return fetchOffset < log.firstOffset || fetchOffset > log.nextOffset;
}

function epochError(log: SimulatedPartition, asked: number): number {
  if (asked < 0 || asked === log.leaderEpoch) return NO_ERROR;
  return asked < log.leaderEpoch ? FENCED_LEADER_EPOCH : UNKNOWN_LEADER_EPOCH;
}
