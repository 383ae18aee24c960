/**
 * Fetch v11, request and answer. Unlike kafkajs's, this reading of the answer leaves the records where they are and
 * gives errors of single partitions as data.
 */
import { AnswerReader } from "./answer_reader.js";
import { writeInt64 } from "./int64.js";
import { KafkaRequestError } from "./kafka_errors.js";
import { apiKeys, Encoder, type ProtocolCall } from "./kafkajs_internals.js";
import type { AbortedTransaction } from "./record_batch.js";

export const FETCH_VERSION = 11;
const READ_COMMITTED = 1;
/** "Not a broker", "no fetch session", "log start unknown". */
const NONE = -1;
/** Of a partition in a request. */
const PARTITION_BYTES = 28;

export interface FetchRequest {
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly partitionMaxBytes: number;
  /** The broker fills its answer in this order. */
  readonly partitions: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly fetchOffset: number;
    /** As told by the metadata: a broker that knows of another one refuses. -1: not known. */
    readonly leaderEpoch: number;
  }[];
}

/** What a fetch says of one partition. Records are buffer[recordsStart, recordsEnd). */
export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  /** 0: none. */
  readonly errorCode: number;
  /** End of the log. */
  readonly highWatermark: number;
  /** Where the first open transaction begins, or the end of the log: nothing behind it is shown yet. */
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
    response: {
      decode: async (payload) => decodeFetchAnswer(payload),
      parse: async (answer: FetchAnswer) => answer,
    },
  };
}

/** Neighbours of the same topic share an entry; the order of partitions is kept, so a topic may occur twice. */
function encodeTopics(fetch: FetchRequest): InstanceType<typeof Encoder>[] {
  const { partitions } = fetch;
  const topics: InstanceType<typeof Encoder>[] = [];
  for (let from = 0, to = 0; from < partitions.length; from = to) {
    const { topic } = partitions[from]!;
    while (to < partitions.length && partitions[to]!.topic === topic) to++;
    topics.push(
      new Encoder()
        .writeString(topic)
        .writeInt32(to - from)
        .writeBuffer(encodePartitions(fetch, from, to)),
    );
  }
  return topics;
}

/** In one piece: an encoder for each partition makes most of the objects of an idle run's requests. */
function encodePartitions({ partitions, partitionMaxBytes }: FetchRequest, from: number, to: number): Buffer {
  const buffer = Buffer.allocUnsafe((to - from) * PARTITION_BYTES);
  let at = 0;
  for (let i = from; i < to; i++) {
    const { partition, fetchOffset, leaderEpoch } = partitions[i]!;
    at = buffer.writeInt32BE(partition, at);
    at = buffer.writeInt32BE(leaderEpoch, at);
    at = writeInt64(fetchOffset, buffer, at);
    at = writeInt64(NONE, buffer, at);
    at = buffer.writeInt32BE(partitionMaxBytes, at);
  }
  return buffer;
}

/**
 *   answer => throttle_ms int32, error_code int16, session_id int32, [topic string, [partition]]
 *   partition => partition int32, error_code int16, high_watermark int64, last_stable_offset int64,
 *                log_start_offset int64, [producer_id int64, first_offset int64] or null,
 *                preferred_read_replica int32, length int32 or -1, records
 *   string => length int16, bytes;   [..] => count int32, items
 */
export function decodeFetchAnswer(payload: Buffer): FetchAnswer {
  try {
    return readAnswer(new AnswerReader(payload));
  } catch (cause) {
    throw new KafkaRequestError("malformed answer to a fetch", { cause });
  }
}

function readAnswer(reader: AnswerReader): FetchAnswer {
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  reader.int32(); // session id
  const partitions: FetchedPartition[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.string();
    for (let count = reader.int32(); count > 0; count--) partitions.push(readPartition(topic, reader));
  }
  return { clientSideThrottleTime, errorCode, partitions };
}

function readPartition(topic: string, reader: AnswerReader): FetchedPartition {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = reader.int64();
  const lastStableOffset = reader.int64();
  reader.int64(); // log start offset
  const aborted: AbortedTransaction[] = [];
  for (let transactions = reader.int32(); transactions > 0; transactions--) {
    aborted.push({ producerId: reader.int64(), firstOffset: reader.int64() });
  }
  reader.int32(); // preferred read replica: never set without a rack id
  const recordsEnd = reader.skip(reader.int32());
  const recordsStart = reader.lastSkipStart;
  const { payload: buffer } = reader;
  return {
    topic,
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    aborted,
    buffer,
    recordsStart,
    recordsEnd,
  };
}
