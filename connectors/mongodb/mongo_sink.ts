/**
 * Writes elements to a MongoDB collection: gathered over a bundle, sent before it commits. A subclass says what the
 * document of an element is and what becomes of one that the collection will never take.
 */

import { type BundleContext, DoFn, type Json, type OutputSpecs } from "@order-payment-stream/beam";
import type { Document } from "mongodb";
import { mongoConnections } from "./mongo_connections.js";
import { MongoWriter, type RejectedDocument } from "./writer.js";

export type MongoSinkConfig = {
  /** Name of the MongoDB connection; see mongo_connections.ts. */
  readonly connection: string;
  readonly database: string;
  readonly collection: string;
  readonly [name: string]: Json;
};

/** A DoFn that writes each element as a document: see the head of this file. */
export abstract class MongoSink<T, O extends OutputSpecs> extends DoFn<T, O, MongoSinkConfig> {
  /** What was written stays written, so a repeated bundle must write the same. */
  override readonly needsStableInput = true;
  #writer!: MongoWriter;
  #documents: Document[] = [];

  /** A deterministic `_id` makes a repeated write harmless. */
  abstract toDocument(element: T): Document;
  /** What becomes of a document that cannot be written. */
  abstract onRejected(document: Document, rejected: RejectedDocument, ctx: BundleContext<O>): void;

  override async setup(): Promise<void> {
    const { connection, database, collection } = this.config;
    const { client, writerOptions } = await mongoConnections.acquire(connection);
    this.#writer = new MongoWriter({
      ...writerOptions,
      collection: client.db(database).collection(collection),
    });
  }

  override startBundle(): void {
    this.#documents = [];
  }

  process(element: T): void {
    this.#documents.push(this.toDocument(element));
  }

  override finishBundle(ctx: BundleContext<O>): void | Promise<void> {
    const documents = this.#documents;
    if (documents.length === 0) return;
    return this.#writer.write(documents).then(({ rejected }) => {
      for (const rejection of rejected) this.onRejected(documents[rejection.index]!, rejection, ctx);
    });
  }

  override teardown(): Promise<void> {
    return mongoConnections.release(this.config.connection);
  }
}
