/** Reads Kafka topics into a pipeline. */

export { connectKafka } from "./client/connect_kafka.js";
export type {
  FetchingState,
  KafkaClient,
  KafkaConfig,
  KafkaLogger,
  RecordCursor,
} from "./client/kafka_client.js";
export { TokenRefusedError, TopicNotFoundError, UnreadableRecordsError } from "./client/kafka_errors.js";
export { oauthBearer } from "./client/oauth_bearer.js";
export { defineJsonDecoder, type JsonDecoderDefinition, type JsonEvents } from "./define_decoder.js";
export {
  kafkaConnections,
  kafkaPartitions,
  registerKafkaClient,
  registerKafkaConnection,
} from "./kafka_connections.js";
export {
  type FreshToken,
  keptTokens,
  type OAuthClient,
  oauthTokens,
  type TokenSource,
} from "./oauth_tokens.js";
export { type KeptPosition, readKeptPosition } from "./partition_source.js";
export type { PartitionStatus } from "./partition_status.js";
export type { OffsetReset, StartPoint } from "./read_config.js";
export { type ReadFromKafka, readFromKafka } from "./read_from_kafka.js";
export { type KeyField, type NumberField, type ReadJsonFromKafka, readJsonFromKafka } from "./read_json.js";
export {
  NotReady,
  type RecordDecoder,
  type RecordDecoderDescriptor,
  Rejected,
  recordDecoder,
  registerRecordDecoder,
  type TopicPartition,
} from "./record_decoder.js";
export {
  NoRegistryError,
  RegistryRefusedError,
  RegistryUnreachableError,
  SchemaRefusedError,
  SchemaRegistryError,
} from "./schema_registry/registry_errors.js";
export type { RegistryAddress, RegistryLogin } from "./schema_registry/registry_http.js";
export { registerSchemaRegistry, schemaRegistries } from "./schema_registry/schema_registries.js";
export {
  type RegisteredSchema,
  type SchemaLookup,
  SchemaRegistry,
  type SchemaRegistryConfig,
  UnknownSchema,
} from "./schema_registry/schema_registry.js";
export type { Untimely } from "./untimely_records.js";
