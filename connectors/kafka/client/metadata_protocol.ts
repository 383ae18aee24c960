/**
 * Metadata v10, which tells the ids of topics and the epochs of leaders (Kafka 2.8 or newer); kafkajs ends at v6, which
 * is asked of older brokers. It is a flexible version (KIP-482): lengths are one more than they say, 0 is null, and
 * tagged fields follow each structure.
 */
import { KafkaRequestError } from "./kafka_errors.js";
import {
  apiKeys,
  Encoder,
  type MetadataAnswer,
  metadataCallV6,
  type ProtocolCall,
} from "./kafkajs_internals.js";

export const METADATA_VERSION = 10;
const NO_TAGS = 0;
const UUID_BYTES = 16;

/** Of exactly these topics; none: only the brokers. Never creates a topic. */
export function metadataCall(
  topics: readonly string[],
  brokerSpeaksV10: boolean,
): ProtocolCall<MetadataAnswer> {
  if (!brokerSpeaksV10) return metadataCallV6(topics);
  return {
    request: {
      apiKey: apiKeys.Metadata,
      apiVersion: METADATA_VERSION,
      apiName: "Metadata",
      encode: async () => new Encoder().writeBuffer(metadataRequest(topics)),
    },
    response: {
      decode: async (payload) => decodeMetadata(payload),
      parse: async (answer: MetadataAnswer) => answer,
    },
  };
}

/**
 *   request => tags of the header, [topic_id uuid, name string, tags], allow_auto_topic_creation bool,
 *              include_cluster_authorized_operations bool, include_topic_authorized_operations bool, tags
 */
function metadataRequest(topics: readonly string[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from([NO_TAGS]), uvarint(topics.length + 1)];
  for (const topic of topics) {
    const name = Buffer.from(topic);
    parts.push(Buffer.alloc(UUID_BYTES), uvarint(name.length + 1), name, Buffer.from([NO_TAGS]));
  }
  parts.push(Buffer.from([0, 0, 0, NO_TAGS]));
  return Buffer.concat(parts);
}

function uvarint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/**
 *   answer => tags of the header, throttle_ms int32, [broker], cluster_id string, controller_id int32, [topic],
 *             cluster_authorized_operations int32, tags
 *   broker => node_id int32, host string, port int32, rack string, tags
 *   topic => error_code int16, name string, topic_id uuid, is_internal bool, [partition],
 *            topic_authorized_operations int32, tags
 *   partition => error_code int16, partition int32, leader int32, leader_epoch int32, [replica int32],
 *                [in-sync replica int32], [offline replica int32], tags
 */
export function decodeMetadata(payload: Buffer): MetadataAnswer {
  try {
    const reader = new FlexibleReader(payload);
    reader.skipTags();
    const clientSideThrottleTime = reader.int32();
    const brokers = reader.array(() => {
      const broker = { nodeId: reader.int32(), host: reader.string(), port: reader.int32() };
      reader.string(); // rack
      reader.skipTags();
      return broker;
    });
    const clusterId = reader.string();
    reader.int32(); // controller
    const topicMetadata = reader.array(() => readTopic(reader));
    return { clientSideThrottleTime, brokers, clusterId, topicMetadata };
  } catch (cause) {
    throw new KafkaRequestError("malformed answer to a metadata request", { cause });
  }
}

function readTopic(reader: FlexibleReader): MetadataAnswer["topicMetadata"][number] {
  const topicErrorCode = reader.int16();
  const topic = reader.string();
  const topicId = uuidText(reader.bytes(UUID_BYTES));
  reader.bytes(1); // internal
  const partitionMetadata = reader.array(() => {
    const partition = {
      partitionErrorCode: reader.int16(),
      partitionId: reader.int32(),
      leader: reader.int32(),
      leaderEpoch: reader.int32(),
    };
    for (let lists = 0; lists < 3; lists++) reader.array(() => reader.int32());
    reader.skipTags();
    return partition;
  });
  reader.int32(); // authorized operations
  reader.skipTags();
  return { topicErrorCode, topic, topicId, partitionMetadata };
}

/** As Kafka's tools show it; the one of nothing is empty. */
function uuidText(bytes: Buffer): string {
  return bytes.every((byte) => byte === 0) ? "" : bytes.toString("base64url");
}

/** Throws a RangeError at the end. */
class FlexibleReader {
  #at = 0;

  constructor(private readonly payload: Buffer) {}

  int16(): number {
    this.#at += 2;
    return this.payload.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.payload.readInt32BE(this.#at - 4);
  }

  bytes(length: number): Buffer {
    this.#at += length;
    if (this.#at > this.payload.length) throw new RangeError("the answer ends early");
    return this.payload.subarray(this.#at - length, this.#at);
  }

  /** Null is empty. */
  string(): string {
    return this.bytes(Math.max(0, this.#uvarint() - 1)).toString("utf8");
  }

  /** Null is empty. */
  array<T>(readItem: () => T): T[] {
    const items: T[] = [];
    for (let left = this.#uvarint() - 1; left > 0; left--) items.push(readItem());
    return items;
  }

  skipTags(): void {
    for (let left = this.#uvarint(); left > 0; left--) {
      this.#uvarint(); // which tag
      this.bytes(this.#uvarint());
    }
  }

  #uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.payload.readUInt8(this.#at++);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a length of more than 32 bits");
  }
}
