/** Names under which a process registers its connections before it runs the graph. */
export const KAFKA_CONNECTION = "kafka";
export const MONGODB_CONNECTION = "mongodb";
export const FILES_CONNECTION = "files";
export const SCHEMA_REGISTRY = "schema_registry";
