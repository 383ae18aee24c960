import type { FetchAnswer, FetchRequest } from "./fetch_protocol.js";
import type { KafkaError } from "./kafka_errors.js";
import type { MetadataAnswer } from "./kafkajs_internals.js";
import type { TransactionSource } from "./transaction_watch.js";

/** What the fetcher asks of the cluster. Each call is one attempt, and rejects when it fails. */
export interface FetchTransport extends TransactionSource {
  readonly brokers: readonly string[];
  metadata(topics: readonly string[]): Promise<MetadataAnswer>;
  fetch(nodeId: number, request: FetchRequest): Promise<FetchAnswer>;
  /** First offset, and one more than the last, whether visible under read_committed or not. */
  offsetRange(
    nodeId: number,
    topic: string,
    partition: number,
  ): Promise<{ earliest: number; latest: number }>;
  /** The next request to this node goes by a new connection. */
  disconnect(nodeId: number): void;
  /** A rejection, as one of our errors. */
  toKafkaError(error: unknown): KafkaError;
}
