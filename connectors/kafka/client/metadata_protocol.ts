/**
 * Metadata v10, which tells the ids of topics and the epochs of leaders (Kafka 2.8 or newer); kafkajs ends at v6, which
 * is asked of older brokers. It is a flexible version (KIP-482): lengths are one more than they say, 0 is null, and
 * tagged fields follow each structure.
 */
import { AnswerReader } from "./answer_reader.js";
import { KafkaRequestError } from "./kafka_errors.js";
import {
  apiKeys,
  Encoder,
  type MetadataAnswer,
  metadataCallV6,
  type ProtocolCall,
  type ProtocolEncoder,
} from "./kafkajs_internals.js";

export const METADATA_VERSION = 10;
const NO_TAGS = 0;
/** Topics are asked for by name. */
const ANY_ID = Buffer.alloc(16);

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
      encode: async () => encodeRequest(topics),
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
function encodeRequest(topics: readonly string[]): ProtocolEncoder {
  const asked = topics.map((topic) =>
    new Encoder().writeBuffer(ANY_ID).writeUVarIntString(topic).writeUVarInt(NO_TAGS),
  );
  return new Encoder()
    .writeUVarInt(NO_TAGS)
    .writeUVarIntArray(asked)
    .writeBoolean(false)
    .writeBoolean(false)
    .writeBoolean(false)
    .writeUVarInt(NO_TAGS);
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
    const reader = new AnswerReader(payload);
    reader.skipTaggedFields();
    const clientSideThrottleTime = reader.int32();
    const brokers = reader.compactArray(() => {
      const broker = { nodeId: reader.int32(), host: reader.compactString(), port: reader.int32() };
      reader.compactString(); // rack
      reader.skipTaggedFields();
      return broker;
    });
    const clusterId = reader.compactString();
    reader.int32(); // controller
    const topicMetadata = reader.compactArray(() => readTopic(reader));
    return { clientSideThrottleTime, brokers, clusterId, topicMetadata };
  } catch (cause) {
    throw new KafkaRequestError("malformed answer to a metadata request", { cause });
  }
}

function readTopic(reader: AnswerReader): MetadataAnswer["topicMetadata"][number] {
  const topicErrorCode = reader.int16();
  const topic = reader.compactString();
  const topicId = reader.uuid();
  reader.skip(1); // internal
  const partitionMetadata = reader.compactArray(() => {
    const partition = {
      partitionErrorCode: reader.int16(),
      partitionId: reader.int32(),
      leader: reader.int32(),
      leaderEpoch: reader.int32(),
    };
    for (let lists = 0; lists < 3; lists++) reader.compactArray(() => reader.int32());
    reader.skipTaggedFields();
    return partition;
  });
  reader.int32(); // authorized operations
  reader.skipTaggedFields();
  return { topicErrorCode, topic, topicId, partitionMetadata };
}
