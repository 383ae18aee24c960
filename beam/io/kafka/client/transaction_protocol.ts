/**
 * Who writes a transaction: DescribeProducers v0, asked of a partition's leader, and ListTransactions v0, asked of every
 * broker, because each coordinates some. Both are of Kafka 2.8 or newer, and in the protocol's flexible form, which
 * kafkajs does not know: the tagged fields that end both headers are written and read here, with the body.
 */
import { AnswerReader } from "./answer_reader.js";
import { Encoder, type ProtocolCall, type ProtocolEncoder } from "./kafkajs_internals.js";

export const DESCRIBE_PRODUCERS = 61;
export const LIST_TRANSACTIONS = 66;
const VERSION = 0;
const NO_TAGS = 0;

export interface ActiveProducer {
  readonly producerId: number;
  /** First offset of its open transaction; -1: none is open. */
  readonly transactionStart: number;
}

/**
 *   request => tags, [topic, [partition int32], tags], tags
 *   answer  => tags, throttle_ms int32, [topic, [partition int32, error int16, message, [producer], tags], tags], tags
 *   producer => producer_id int64, epoch int32, last_sequence int32, last_timestamp int64, coordinator_epoch int32,
 *               transaction_start int64, tags
 */
export function describeProducersCall(topic: string, partition: number): ProtocolCall<ActiveProducer[]> {
  return call(
    DESCRIBE_PRODUCERS,
    "DescribeProducers",
    (encoder) =>
      encoder
        .writeUVarIntArray([
          new Encoder()
            .writeUVarIntString(topic)
            .writeUVarIntArray([new Encoder().writeInt32(partition)])
            .writeUVarInt(NO_TAGS),
        ])
        .writeUVarInt(NO_TAGS),
    (answer) =>
      answer
        .compactArray(() => {
          answer.compactString();
          const partitions = answer.compactArray(() => readProducers(answer));
          answer.skipTaggedFields();
          return partitions.flat();
        })
        .flat(),
  );
}

function readProducers(answer: AnswerReader): ActiveProducer[] {
  answer.int32(); // partition
  answer.int16(); // error code: there are no producers then
  answer.compactString();
  const producers = answer.compactArray(() => {
    const producerId = answer.int64();
    answer.skip(20); // epoch, last sequence, last timestamp, coordinator epoch
    const transactionStart = answer.int64();
    answer.skipTaggedFields();
    return { producerId, transactionStart };
  });
  answer.skipTaggedFields();
  return producers;
}

/**
 *   request => tags, [state], [producer_id int64], tags
 *   answer  => tags, throttle_ms int32, error int16, [unknown state],
 *              [transactional_id, producer_id int64, state, tags], tags
 */
export function transactionalIdsCall(producerId: number): ProtocolCall<string[]> {
  return call(
    LIST_TRANSACTIONS,
    "ListTransactions",
    (encoder) =>
      encoder
        .writeUVarIntArray([])
        .writeUVarIntArray([new Encoder().writeInt64(producerId)])
        .writeUVarInt(NO_TAGS),
    (answer) => {
      answer.int16(); // error code: there are no transactions then
      answer.compactArray(() => answer.compactString());
      return answer.compactArray(() => {
        const transactionalId = answer.compactString();
        answer.int64();
        answer.compactString();
        answer.skipTaggedFields();
        return transactionalId;
      });
    },
  );
}

function call<T>(
  apiKey: number,
  apiName: string,
  encode: (encoder: ProtocolEncoder) => ProtocolEncoder,
  decode: (answer: AnswerReader) => T,
): ProtocolCall<T> {
  return {
    request: {
      apiKey,
      apiVersion: VERSION,
      apiName,
      encode: async () => encode(new Encoder().writeUVarInt(NO_TAGS)),
    },
    response: {
      decode: async (payload) => {
        const answer = new AnswerReader(payload);
        answer.skipTaggedFields();
        return { clientSideThrottleTime: answer.int32(), result: decode(answer) };
      },
      parse: async ({ result }: { result: T }) => result,
    },
  };
}
