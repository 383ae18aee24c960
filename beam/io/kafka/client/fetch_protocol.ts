/**
 * Fetch v11, request and answer. Unlike kafkajs's, this reading of the answer leaves the records where they are and
 * gives errors of single partitions as data.
 */
import { KafkaRequestError } from "./kafka_errors.js";
import { apiKeys, Encoder, type ProtocolCall } from "./kafkajs_internals.js";
import { type AbortedTransaction, readInt64 } from "./record_batch.js";

export const FETCH_VERSION = 11;
const READ_COMMITTED = 1;
/** "Not a broker", "no fetch session", "leader epoch unknown", "log start unknown". */
const NONE = -1;

export interface FetchRequest {
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly partitionMaxBytes: number;
  /** The broker fills its answer in this order. */
  readonly partitions: readonly { readonly topic: string; readonly partition: number; readonly fetchOffset: number }[];
}

/** What a fetch says of one partition. Records are buffer[recordsStart, recordsEnd). */
export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  /** 0: none. */
  readonly errorCode: number;
  readonly lastStableOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  readonly buffer: Buffer;
  readonly recordsStart: number;
  readonly recordsEnd: number;
}

export interface FetchAnswer {
  readonly clientSideThrottleTime: number;
  /** Of the whole request; 0: none. */
  readonly errorCode: number;
  readonly partitions: readonly FetchedPartition[];
}

/**
 *   request => replica_id int32, max_wait_ms int32, min_bytes int32, max_bytes int32, isolation_level int8,
 *              session_id int32, session_epoch int32, [topic string,
 *                [partition int32, leader_epoch int32, fetch_offset int64, log_start int64, max_bytes int32]],
 *              [forgotten topics], rack_id string
 */
export function fetchCall(fetch: FetchRequest): ProtocolCall<FetchAnswer> {
  return {
    request: {
      apiKey: apiKeys.Fetch,
      apiVersion: FETCH_VERSION,
      apiName: "Fetch",
      encode: async () =>
        new Encoder()
          .writeInt32(NONE)
          .writeInt32(fetch.maxWaitMs)
          .writeInt32(1)
          .writeInt32(fetch.maxBytes)
          .writeInt8(READ_COMMITTED)
          .writeInt32(0)
          .writeInt32(NONE)
          .writeArray(encodeTopics(fetch))
          .writeArray([])
          .writeString(""),
    },
    response: { decode: async (payload) => decodeFetchAnswer(payload), parse: async (answer: FetchAnswer) => answer },
  };
}

/** Neighbours of the same topic share an entry; the order of partitions is kept, so a topic may occur twice. */
function encodeTopics({ partitions, partitionMaxBytes }: FetchRequest) {
  const topics: { topic: string; partitions: InstanceType<typeof Encoder>[] }[] = [];
  for (const { topic, partition, fetchOffset } of partitions) {
    let last = topics.at(-1);
    if (last?.topic !== topic) {
      last = { topic, partitions: [] };
      topics.push(last);
    }
    last.partitions.push(
      new Encoder()
        .writeInt32(partition)
        .writeInt32(NONE)
        .writeInt64(fetchOffset)
        .writeInt64(NONE)
        .writeInt32(partitionMaxBytes),
    );
  }
  return topics.map((entry) => new Encoder().writeString(entry.topic).writeArray(entry.partitions));
}

/**
 *   answer => throttle_ms int32, error_code int16, session_id int32, [topic string, [partition]]
 *   partition => partition int32, error_code int16, high_watermark int64, last_stable_offset int64,
 *                log_start_offset int64, [producer_id int64, first_offset int64] or null,
 *                preferred_read_replica int32, length int32 or -1, records
 *   string => length int16, bytes;   [..] => count int32, items
 */
export function decodeFetchAnswer(payload: Buffer): FetchAnswer {
  let at = 0;
  const int16 = () => payload.readInt16BE((at += 2) - 2);
  const int32 = () => payload.readInt32BE((at += 4) - 4);
  const int64 = () => readInt64(payload, (at += 8) - 8);
  const string = () => {
    const length = int16();
    return payload.toString("utf8", at, (at += Math.max(0, length)));
  };

  try {
    const clientSideThrottleTime = int32();
    const errorCode = int16();
    int32(); // session id
    const partitions: FetchedPartition[] = [];
    for (let topics = int32(); topics > 0; topics--) {
      const topic = string();
      for (let count = int32(); count > 0; count--) {
        const partition = int32();
        const partitionError = int16();
        int64(); // high watermark, which read_committed may not read up to
        const lastStableOffset = int64();
        int64(); // log start offset
        const aborted: AbortedTransaction[] = [];
        for (let transactions = int32(); transactions > 0; transactions--) {
          aborted.push({ producerId: int64(), firstOffset: int64() });
        }
        int32(); // preferred read replica: never set without a rack id
        const length = Math.max(0, int32());
        if (at + length > payload.length) throw new RangeError("records longer than the answer");
        partitions.push({
          topic,
          partition,
          errorCode: partitionError,
          lastStableOffset,
          aborted,
          buffer: payload,
          recordsStart: at,
          recordsEnd: at + length,
        });
        at += length;
      }
    }
    return { clientSideThrottleTime, errorCode, partitions };
  } catch (cause) {
    throw new KafkaRequestError("malformed answer to a fetch", { cause });
  }
}
