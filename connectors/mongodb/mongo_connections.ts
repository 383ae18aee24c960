/** The MongoDB clients of this process, by name. */

import { SharedConnections } from "@order-payment-stream/beam/io";
import type { MongoClient } from "mongodb";

import { connectMongo } from "./connect_mongo.js";
import type { MongoWriterOptions } from "./writer_options.js";

export type SharedWriterOptions = Omit<MongoWriterOptions, "collection">;

export interface MongoConnection {
  readonly client: MongoClient;
  readonly writerOptions: SharedWriterOptions;
}

/** The MongoDB clients of this process, by name. */
export const mongoConnections = new SharedConnections<MongoConnection>("MongoDB", ({ client }) =>
  client.close(),
);

/** Registers a MongoDB deployment in this process, under the name that graphs use. */
export function registerMongoConnection(
  name: string,
  uri: string,
  writerOptions: SharedWriterOptions = {},
): void {
  registerMongoClient(name, () => connectMongo(uri), writerOptions);
}

/** For tests and simulations: a client made elsewhere. */
export function registerMongoClient(
  name: string,
  connect: () => Promise<MongoClient>,
  writerOptions: SharedWriterOptions = {},
): void {
  mongoConnections.register(name, async () => ({ client: await connect(), writerOptions }));
}
