/** The whole graph. */

import type { Pipeline } from "@order-payment-stream/beam";
import { createPipeline, parDo } from "@order-payment-stream/beam";

import { coGroupByOrderId } from "../transforms/co_group.js";
import { JoinOrdersPayments } from "../transforms/join.js";
import { type ReadOptions, readOrders, readPayments } from "./read_events.js";
import { type Collections, type Results, writeToMongo } from "./write_results.js";

export {
  FILES_CONNECTION,
  KAFKA_CONNECTION,
  MONGODB_CONNECTION,
  SCHEMA_REGISTRY,
} from "./connection_names.js";
export type { Results } from "./write_results.js";

export type GraphOptions = ReadOptions & Collections;

/** @param write where the results go; MongoDB unless settings, a benchmark or a test say otherwise */
export function buildPipeline(
  options: GraphOptions,
  write: (results: Results) => void = writeToMongo(options),
): Pipeline {
  const { pipeline, root } = createPipeline();
  const orders = readOrders(root, options);
  const payments = readPayments(root, options);
  const byOrderId = coGroupByOrderId(orders.events, payments.events);
  const { joined, unmatched, deadLetters } = parDo(
    "JoinOrdersPayments",
    byOrderId,
    new JoinOrdersPayments({ timeoutMs: options.timeoutMs }),
  );
  const rejected = [...orders.rejected, ...payments.rejected];
  write({ joined, unmatched, deadLetters: [...rejected, deadLetters] as unknown as Results["deadLetters"] });
  return pipeline;
}
