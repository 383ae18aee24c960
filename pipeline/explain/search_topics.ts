/**
 * Looks for records with one key between two times, in all partitions of a topic: producers of other makes may put a key
 * elsewhere. Bounded in records and in time, and read beside the pipeline, with a client of its own.
 */

import { sleep, systemClock } from "@order-payment-stream/beam/io";
import { type KafkaClient, type PartitionStatus, UnreadableRecordsError } from "@order-payment-stream/kafka";

export interface FoundRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** -1: none. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export interface Search {
  readonly topic: string;
  readonly fromMs: number;
  /** Records of a later time end the search of a partition. */
  readonly toMs: number;
  readonly isWanted: (record: FoundRecord) => boolean;
  readonly recordsMax?: number;
  readonly timeMaxMs?: number;
}

export interface SearchResult {
  readonly found: readonly FoundRecord[];
  readonly recordsRead: number;
  /** Not everything was looked at: it was too much. */
  readonly isCut: boolean;
}

const RECORDS_MAX = 2_000_000;
const TIME_MAX_MS = 20_000;
const FOUND_MAX = 200;
const TAKEN_AT_ONCE = 5_000;
const POLL_MS = 10;
/** Producers' clocks differ, so that records are not in the order of their times. */
const DISORDER_MS = 60_000;

export async function searchTopic(client: KafkaClient, search: Search): Promise<SearchResult> {
  const { topic, fromMs, toMs, recordsMax = RECORDS_MAX, timeMaxMs = TIME_MAX_MS } = search;
  const starts = await client.offsets(topic, { timestampMs: Math.max(0, fromMs) });
  const ends = await client.offsets(topic, "latest");
  const deadline = systemClock.elapsed() + timeMaxMs;
  const found: FoundRecord[] = [];
  let recordsRead = 0;
  let isCut = false;
  const subscriptions = [...starts]
    .filter(([partition, start]) => start < (ends.get(partition) ?? 0))
    .map(([partition, start]) => client.subscribe(topic, partition, start, () => undefined));
  const left = new Set(subscriptions);
  try {
    while (left.size > 0 && !isCut) {
      let hasRead = false;
      for (const subscription of left) {
        const { partition } = subscription;
        if (subscription.error !== undefined) throw subscription.error;
        const records = subscription.take(TAKEN_AT_ONCE);
        let isOver = subscription.position >= ends.get(partition)!;
        while (records !== undefined && !isOver) {
          try {
            if (!records.next()) break;
          } catch (error) {
            if (!(error instanceof UnreadableRecordsError)) throw error;
            records.skipUnreadable();
            continue;
          }
          hasRead = true;
          recordsRead++;
          const { offset, timestampMs, buffer, keyStart, keyEnd, valueStart, valueEnd } = records;
          isOver = offset >= ends.get(partition)! - 1 || timestampMs > toMs + DISORDER_MS;
          const record = {
            topic,
            partition,
            offset,
            timestampMs,
            key: keyStart < 0 ? null : buffer.subarray(keyStart, keyEnd),
            value: valueStart < 0 ? null : buffer.subarray(valueStart, valueEnd),
          };
          if (!search.isWanted(record)) continue;
          // Copied: a view would keep a whole fetch.
          found.push({ ...record, key: copyOf(record.key), value: copyOf(record.value) });
        }
        if (isOver || subscription.position >= ends.get(partition)!) left.delete(subscription);
      }
      isCut = recordsRead > recordsMax || systemClock.elapsed() > deadline || found.length >= FOUND_MAX;
      if (!hasRead) await sleep(POLL_MS);
    }
  } finally {
    for (const subscription of subscriptions) subscription.close();
  }
  return { found, recordsRead, isCut };
}

function copyOf(bytes: Buffer | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes);
}

export type Positions = readonly Pick<PartitionStatus, "topic" | "partition" | "position">[];
