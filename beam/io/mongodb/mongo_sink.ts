/**
 * Writes elements to a MongoDB collection: gathered over a bundle, sent before it commits. A subclass says what the
 * document of an element is and what becomes of one that the collection will never take.
 */
import type { Db, Document } from "mongodb";
import { type BundleContext, DoFn, type Json, type OutputSpecs } from "../../sdk/do_fn.js";
import { mongoConnections } from "./mongo_connections.js";
import { MongoWriter, type MongoWriterOptions, type RejectedDocument } from "./writer.js";

export type MongoSinkConfig = {
  /** Name of the MongoDB connection; see mongo_connections.ts. */
  readonly connection: string;
  readonly database: string;
  readonly collection: string;
  readonly [name: string]: Json;
};

export abstract class MongoSink<T, O extends OutputSpecs> extends DoFn<T, O, MongoSinkConfig> {
  /** What was written stays written, so a repeated bundle must write the same. */
  override readonly needsStableInput = true;
  #writer!: MongoWriter;
  #documents: Document[] = [];

  /** A deterministic `_id` makes a repeated write harmless. */
  abstract toDocument(element: T): Document;
  /** What becomes of a document that cannot be written. */
  abstract onRejected(document: Document, rejected: RejectedDocument, ctx: BundleContext<O>): void;

  /** What keeps documents from being written. Default: nothing does. */
  protected toldElsewhere(_database: Db): MongoWriterOptions["isToldElsewhere"] {
    return undefined;
  }

  override async setup(): Promise<void> {
    const { connection, database, collection } = this.config;
    const { client, writerOptions } = await mongoConnections.acquire(connection);
    const db = client.db(database);
    const isToldElsewhere = this.toldElsewhere(db);
    this.#writer = new MongoWriter({
      ...writerOptions,
      ...(isToldElsewhere === undefined ? {} : { isToldElsewhere }),
      collection: db.collection(collection),
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
