/** The whole graph. */

import type { Pipeline } from "@order-payment-stream/beam";
import { type Collection, createPipeline, flattenAll, parDo } from "@order-payment-stream/beam";
import type { OffsetReset } from "@order-payment-stream/kafka";
import { readFromKafka, type StartPoint } from "@order-payment-stream/kafka";

import { coGroupByOrderId } from "../transforms/co_group.js";
import type { DeadLetter } from "../transforms/dead_letter.js";
import { ORDER_DECODER, PAYMENT_DECODER } from "../transforms/decode.js";
import { JoinOrdersPayments } from "../transforms/join.js";
import type { Pair, Unmatched } from "../transforms/outcomes.js";
import { WriteDeadLetters, WriteJoined, WriteUnmatched } from "../transforms/write.js";

/** Names under which a process registers its connections before it runs the graph. */
export const KAFKA_CONNECTION = "kafka";
export const MONGODB_CONNECTION = "mongodb";
export const SCHEMA_REGISTRY = "schema_registry";

export interface GraphOptions {
  readonly orderTopic: string;
  readonly paymentTopic: string;
  readonly isBounded: boolean;
  readonly start: StartPoint;
  /** Default: none. */
  readonly offsetReset?: OffsetReset;
  readonly groupId: string | undefined;
  /** T */
  readonly timeoutMs: number;
  /** D */
  readonly maxOutOfOrdernessMs: number;
  /** How far ahead of the clock an event may be; null: as far as it likes. */
  readonly maxAheadOfClockMs: number | null;
  /** Values may name schemas of a registry. Default: no. */
  readonly usesSchemaRegistry?: boolean;
  /** Avro schemas in JSON of other writers of single-object values. */
  readonly writerSchemas?: readonly string[] | undefined;
  readonly database: string;
  readonly joinedCollection: string;
  readonly unmatchedCollection: string;
  readonly deadLetterCollection: string;
  /** Records may be missing in front of what is read: what an earlier run has paired is not called unmatched. Default: no. */
  readonly recordsMayBeMissing?: boolean;
}

/** What the join and the reads give, before it is written. */
export interface Results {
  readonly joined: Collection<Pair>;
  readonly unmatched: Collection<Unmatched>;
  readonly deadLetters: readonly [Collection<DeadLetter>, ...Collection<DeadLetter>[]];
}

/** @param write where the results go; MongoDB unless a benchmark or a test says otherwise */
export function buildPipeline(
  options: GraphOptions,
  write: (results: Results) => void = writeToMongo(options),
): Pipeline {
  const { pipeline, root } = createPipeline();
  const { timeoutMs, maxOutOfOrdernessMs, isBounded, start, offsetReset = "none", groupId } = options;
  const { maxAheadOfClockMs, usesSchemaRegistry, writerSchemas } = options;
  const decoderConfig = {
    timeoutMs,
    maxAheadOfClockMs,
    ...(usesSchemaRegistry && { schemaRegistry: SCHEMA_REGISTRY }),
    ...(writerSchemas !== undefined && { writerSchemas }),
  };
  const common = {
    connection: KAFKA_CONNECTION,
    isBounded,
    start,
    offsetReset,
    groupId,
    maxOutOfOrdernessMs,
    decoderConfig,
  };

  const orders = readFromKafka("ReadOrders", root, {
    ...common,
    topic: options.orderTopic,
    decoder: ORDER_DECODER,
  });
  const payments = readFromKafka("ReadPayments", root, {
    ...common,
    topic: options.paymentTopic,
    decoder: PAYMENT_DECODER,
  });
  const byOrderId = coGroupByOrderId(orders.events, payments.events);
  const { joined, unmatched, deadLetters } = parDo(
    "JoinOrdersPayments",
    byOrderId,
    new JoinOrdersPayments({ timeoutMs }),
  );
  write({ joined, unmatched, deadLetters: [orders.rejected, payments.rejected, deadLetters] });
  return pipeline;
}

function writeToMongo(options: GraphOptions): (results: Results) => void {
  const { database, joinedCollection, unmatchedCollection, deadLetterCollection } = options;
  const sink = (collection: string) => ({ connection: MONGODB_CONNECTION, database, collection });
  return ({ joined, unmatched, deadLetters }) => {
    const refusedPairs = parDo("WriteJoined", joined, new WriteJoined(sink(joinedCollection)));
    const refusedEvents = parDo(
      "WriteUnmatched",
      unmatched,
      new WriteUnmatched({
        ...sink(unmatchedCollection),
        unlessPairedIn: options.recordsMayBeMissing ? joinedCollection : null,
      }),
    );
    const all = flattenAll("DeadLetters", [
      ...deadLetters,
      refusedPairs.deadLetters,
      refusedEvents.deadLetters,
    ]);
    parDo("WriteDeadLetters", all, new WriteDeadLetters(sink(deadLetterCollection)));
  };
}
