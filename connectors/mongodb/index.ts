/** Writes a pipeline's documents to MongoDB. */

export { type DefinedMongoSink, defineMongoSink, type MongoSinkDefinition } from "./define_sink.js";
export { describeError } from "./errors.js";
export { mongoConnections, registerMongoClient, registerMongoConnection } from "./mongo_connections.js";
export { MongoSink, type MongoSinkConfig } from "./mongo_sink.js";
export { type CollectionIndexes, connectMongo, ensureIndexes, type RejectedDocument } from "./writer.js";
