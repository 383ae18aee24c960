/**
 * Which records a run was to read. Where a log was changed under it that is what it has said itself: up to which offset
 * it had read the one before, and where it goes on. The rest has to be read whole, so nothing may be missing that was
 * not told; and whether what was told is true, a checker of its own looks at.
 */
import { ByteReader } from "../../beam/model/bytes.js";
import type { Store } from "../../beam/store/store.js";
import type { InputRecord } from "../oracle/oracle.js";
import type { Topic } from "./scenario.js";
import type { SimulatedKafka } from "./world/simulated_kafka.js";
import type { SimulatedPartition, VisibleRecord } from "./world/simulated_partition.js";

/** That the position in a partition is lost, and where the read goes on. */
export interface Telling {
  readonly topic: Topic;
  readonly partition: number;
  /** First offset that was not read. */
  readonly readUpTo: number;
  readonly offset: number;
  readonly skipped: number;
  readonly text: string;
  /** The log that there was then. */
  readonly log: SimulatedPartition;
}

/** Beyond every offset: those of a log that follows another are told apart so. */
const NEXT_LOG = 1_000_000;

export class ReadPath {
  readonly #tellings: Record<Topic, Telling[]> = { orders: [], payments: [] };

  constructor(private readonly kafka: SimulatedKafka) {}

  get tellings(): readonly Telling[] {
    return [...this.#tellings.orders, ...this.#tellings.payments];
  }

  tell(telling: Telling): void {
    this.#tellings[telling.topic].push(telling);
  }

  /** A process has begun that reads partitions from their beginnings of which its state knows no position. */
  beginUnknown(store: Store): void {
    for (const topic of ["orders", "payments"] as const) {
      for (const log of this.kafka.partitionsOf(topic)) {
        if (log.firstOffset > 0 && !isKnown(store, topic, log.partition)) log.forgetDeleted();
      }
    }
  }

  /** Forgets what a process has told and then not committed. */
  goOnFrom(topic: Topic, committed: number): void {
    const tellings = this.#tellings[topic];
    tellings.length = Math.min(tellings.length, committed);
  }

  /** Under offsets that are told apart. What is read twice, because that was told, is there twice. */
  records(): InputRecord[] {
    const found: InputRecord[] = [];
    for (const topic of ["orders", "payments"] as const) {
      for (const log of this.kafka.partitionsOf(topic)) {
        const telling = this.#tellings[topic].findLast(({ partition }) => partition === log.partition);
        const { former, visible, partition } = log;
        const add = (record: VisibleRecord, of: "former" | "present"): void => {
          const isOther = of === "present" && former !== undefined && record.offset >= former.keptUpTo;
          found.push({ topic, partition, ...record, offset: record.offset + (isOther ? NEXT_LOG : 0) });
        };
        if (telling === undefined) {
          for (const record of visible) add(record, "present");
          continue;
        }
        for (const record of former?.records ?? visible) {
          if (record.offset < telling.readUpTo) add(record, former === undefined ? "present" : "former");
        }
        for (const record of visible) if (record.offset >= telling.offset) add(record, "present");
      }
    }
    return found;
  }

  /** As the `_id`s of dead letters begin: the records of one log that were read twice. */
  readAgain(): string[] {
    const places = new Set<string>();
    const again: string[] = [];
    for (const { topic, partition, offset } of this.records()) {
      const place = `${topic}:${partition}:${offset}`;
      if (places.has(place)) again.push(place);
      places.add(place);
    }
    return again;
  }

  /** The offset of a dead letter's record as `records` has it. */
  offsetOf(topic: Topic, partition: number, offset: number, timestampMs: number, logId: string): number {
    const log = this.kafka.partition(topic, partition);
    if (log?.former === undefined) return offset;
    const { topicId, keptUpTo, records } = log.former;
    if (logId === topicId && offset < keptUpTo) return offset;
    const isFormer =
      logId === topicId &&
      records.some((record) => record.offset === offset && record.timestampMs === timestampMs);
    return isFormer ? offset : offset + NEXT_LOG;
  }
}

/** Whether a commit holds something that names the partition: see connectors/kafka/partition_source.ts. */
function isKnown(store: Store, topic: Topic, partition: number): boolean {
  const name = Buffer.from(`\0${topic}\0`);
  name[0] = topic.length;
  name[name.length - 1] = partition;
  const value = new ByteReader();
  let isFound = false;
  for (const tableName of ["progress/restrictions", "progress/pending"]) {
    const table = store.table(tableName);
    table.forEach((address) => {
      table.readValue(address, value);
      isFound ||= value.buffer.subarray(value.position, value.limit).includes(name);
    });
  }
  return isFound;
}
