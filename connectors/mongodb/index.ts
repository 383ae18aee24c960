/** Writes a pipeline's documents to MongoDB. */

export { describeError } from "./errors.js";
export { mongoConnections, registerMongoClient, registerMongoConnection } from "./mongo_connections.js";
export { MongoSink } from "./mongo_sink.js";
export { type CollectionIndexes, connectMongo, ensureIndexes, type RejectedDocument } from "./writer.js";
