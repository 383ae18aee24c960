/**
 * Fetch, request and answer. Unlike kafkajs's, this reading of the answer leaves the records where they are and gives
 * errors of single partitions as data.
 *
 * v13 names topics by their ids (KIP-516, Kafka 3.1 or newer), so that no record can be taken for one of another topic
 * that had the name before; it is a flexible version (KIP-482). v11, which is asked of older brokers, names them by name.
 */
import { AnswerReader } from "./answer_reader.js";
import { writeInt64 } from "./int64.js";
import { KafkaRequestError } from "./kafka_errors.js";
import { apiKeys, Encoder, type ProtocolCall, type ProtocolEncoder } from "./kafkajs_internals.js";
import type { AbortedTransaction } from "./record_batch.js";

export const FETCH_VERSION = 11;
export const FETCH_BY_ID_VERSION = 13;
const READ_COMMITTED = 1;
/** "Not a broker", "no fetch session", "log start unknown", "epoch of what was fetched last unknown". */
const NONE = -1;
const NO_TAGS = 0;
/** Of a partition in a request, at most. */
const PARTITION_BYTES = 33;

export interface FetchRequest {
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly partitionMaxBytes: number;
  /** The broker fills its answer in this order. */
  readonly partitions: readonly {
    readonly topic: string;
    /** Empty: not known. */
    readonly topicId: string;
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
  /** In ms; kafkajs holds further requests back for so long. Above 0 all partitions may be left out. */
  readonly clientSideThrottleTime: number;
  /** Of the whole request; 0: none. */
  readonly errorCode: number;
  /** Topics were named by their ids. False: what is told may be of another topic of the same name. */
  readonly isById: boolean;
  readonly partitions: readonly FetchedPartition[];
}

/**
 *   request v11 => replica_id int32, max_wait_ms int32, min_bytes int32, max_bytes int32, isolation_level int8,
 *                  session_id int32, session_epoch int32, [topic string, [partition]], [forgotten topics], rack_id string
 *   partition   => partition int32, leader_epoch int32, fetch_offset int64, log_start int64, max_bytes int32
 *
 *   request v13 => tags of the header, .. as above .., [topic_id uuid, [partition], tags], [forgotten topics],
 *                  rack_id string, tags
 *   partition   => partition int32, leader_epoch int32, fetch_offset int64, last_fetched_epoch int32, log_start int64,
 *                  max_bytes int32, tags
 *
 * @param brokerSpeaksV13 is heeded where all topics' ids are known
 */
export function fetchCall(fetch: FetchRequest, brokerSpeaksV13: boolean): ProtocolCall<FetchAnswer> {
  const isById = brokerSpeaksV13 && fetch.partitions.every(({ topicId }) => topicId !== "");
  return {
    request: {
      apiKey: apiKeys.Fetch,
      apiVersion: isById ? FETCH_BY_ID_VERSION : FETCH_VERSION,
      apiName: "Fetch",
      encode: async () => (isById ? encodeById(fetch) : encodeByName(fetch)),
    },
    response: {
      decode: async (payload) => decodeFetchAnswer(payload, isById ? fetch : undefined),
      parse: async (answer: FetchAnswer) => answer,
    },
  };
}

function encodeByName(fetch: FetchRequest): ProtocolEncoder {
  const topics = encodeTopics(fetch, false, (topic, _, count, partitions) =>
    new Encoder().writeString(topic).writeInt32(count).writeBuffer(partitions),
  );
  return encodeHead(new Encoder(), fetch).writeArray(topics).writeArray([]).writeString("");
}

function encodeById(fetch: FetchRequest): ProtocolEncoder {
  const topics = encodeTopics(fetch, true, (_, topicId, count, partitions) =>
    new Encoder()
      .writeBuffer(Buffer.from(topicId, "base64url"))
      .writeUVarInt(count + 1)
      .writeBuffer(partitions)
      .writeUVarInt(NO_TAGS),
  );
  return encodeHead(new Encoder().writeUVarInt(NO_TAGS), fetch)
    .writeUVarIntArray(topics)
    .writeUVarIntArray([])
    .writeUVarIntString("")
    .writeUVarInt(NO_TAGS);
}

function encodeHead(encoder: ProtocolEncoder, { maxWaitMs, maxBytes }: FetchRequest): ProtocolEncoder {
  return encoder
    .writeInt32(NONE)
    .writeInt32(maxWaitMs)
    .writeInt32(1)
    .writeInt32(maxBytes)
    .writeInt8(READ_COMMITTED)
    .writeInt32(0)
    .writeInt32(NONE);
}

/**
 * Neighbours of the same topic share an entry; the order of partitions is kept, so a topic may occur twice. While one is
 * being made again, partitions of two topics have its name.
 */
function encodeTopics(
  fetch: FetchRequest,
  isById: boolean,
  encode: (topic: string, topicId: string, count: number, partitions: Buffer) => ProtocolEncoder,
): ProtocolEncoder[] {
  const { partitions } = fetch;
  const topics: ProtocolEncoder[] = [];
  for (let from = 0, to = 0; from < partitions.length; from = to) {
    const { topic, topicId } = partitions[from]!;
    while (to < partitions.length && isOfTopic(partitions[to]!, topic, topicId)) to++;
    topics.push(encode(topic, topicId, to - from, encodePartitions(fetch, from, to, isById)));
  }
  return topics;
}

function isOfTopic(partition: FetchRequest["partitions"][number], topic: string, topicId: string): boolean {
  return partition.topic === topic && partition.topicId === topicId;
}

/** In one piece: an encoder for each partition makes most of the objects of an idle run's requests. */
function encodePartitions(
  { partitions, partitionMaxBytes }: FetchRequest,
  from: number,
  to: number,
  isById: boolean,
): Buffer {
  const buffer = Buffer.allocUnsafe((to - from) * PARTITION_BYTES);
  let at = 0;
  for (let i = from; i < to; i++) {
    const { partition, fetchOffset, leaderEpoch } = partitions[i]!;
    at = buffer.writeInt32BE(partition, at);
    at = buffer.writeInt32BE(leaderEpoch, at);
    at = writeInt64(fetchOffset, buffer, at);
    if (isById) at = buffer.writeInt32BE(NONE, at);
    at = writeInt64(NONE, buffer, at);
    at = buffer.writeInt32BE(partitionMaxBytes, at);
    if (isById) at = buffer.writeUInt8(NO_TAGS, at);
  }
  return buffer.subarray(0, at);
}

/**
 *   answer v11 => throttle_ms int32, error_code int16, session_id int32, [topic string, [partition]]
 *   partition  => partition int32, error_code int16, high_watermark int64, last_stable_offset int64,
 *                 log_start_offset int64, [producer_id int64, first_offset int64] or null,
 *                 preferred_read_replica int32, length int32 or -1, records
 *
 *   answer v13 => tags of the header, throttle_ms int32, error_code int16, session_id int32,
 *                 [topic_id uuid, [partition], tags], tags
 *   partition  => as above, with lengths of flexible versions, and tags behind each transaction and the records
 *
 * @param askedById the request of v13, which knows the names
 */
export function decodeFetchAnswer(payload: Buffer, askedById?: FetchRequest): FetchAnswer {
  try {
    const reader = new AnswerReader(payload);
    return askedById === undefined ? readAnswerByName(reader) : readAnswerById(reader, askedById);
  } catch (cause) {
    throw new KafkaRequestError("malformed answer to a fetch", { cause });
  }
}

function readAnswerByName(reader: AnswerReader): FetchAnswer {
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  reader.int32(); // session id
  const partitions: FetchedPartition[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.string();
    for (let count = reader.int32(); count > 0; count--) partitions.push(readPartition(topic, reader, false));
  }
  return { clientSideThrottleTime, errorCode, isById: false, partitions };
}

function readAnswerById(reader: AnswerReader, asked: FetchRequest): FetchAnswer {
  reader.skipTaggedFields();
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  reader.int32(); // session id
  const partitions: FetchedPartition[] = [];
  for (let topics = reader.uvarint() - 1; topics > 0; topics--) {
    const id = reader.uuid();
    const topic = asked.partitions.find(({ topicId }) => topicId === id)?.topic;
    if (topic === undefined) throw new RangeError(`nobody asked for a topic of the id ${id}`);
    for (let count = reader.uvarint() - 1; count > 0; count--) {
      partitions.push(readPartition(topic, reader, true));
      reader.skipTaggedFields();
    }
    reader.skipTaggedFields();
  }
  return { clientSideThrottleTime, errorCode, isById: true, partitions };
}

/** @param isFlexible of v13; what ends it is not read */
function readPartition(topic: string, reader: AnswerReader, isFlexible: boolean): FetchedPartition {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = reader.int64();
  const lastStableOffset = reader.int64();
  reader.int64(); // log start offset
  const aborted: AbortedTransaction[] = [];
  for (let count = isFlexible ? reader.uvarint() - 1 : reader.int32(); count > 0; count--) {
    aborted.push({ producerId: reader.int64(), firstOffset: reader.int64() });
    if (isFlexible) reader.skipTaggedFields();
  }
  reader.int32(); // preferred read replica: never set without a rack id
  const recordsEnd = reader.skip(isFlexible ? reader.uvarint() - 1 : reader.int32());
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
