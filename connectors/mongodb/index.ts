/** Writes a pipeline's documents to MongoDB. */

export { type ConnectOptions, connectMongo } from "./connect_mongo.js";
export { type DefinedMongoSink, defineMongoSink, type MongoSinkDefinition } from "./define_sink.js";
export { describeError, MongoConfigurationError, MongoUnavailableError } from "./errors.js";
export { mongoConnections, registerMongoClient, registerMongoConnection } from "./mongo_connections.js";
export { MongoSink, type MongoSinkConfig } from "./mongo_sink.js";
export { type CollectionPlan, type PrepareOptions, prepareCollections } from "./prepare_collections.js";
export type { RejectedOutputs } from "./rejected_lines.js";
export { ServerClock } from "./server_clock.js";
export { type WriteToMongo, writeToMongo } from "./write_to_mongo.js";
export type { MongoWriterLogger, MongoWriterOptions, RejectedDocument } from "./writer_options.js";
