/**
 * Writes elements to a MongoDB collection: gathered over a bundle, sent before it commits. A subclass says what the
 * document of an element is and what becomes of one that the collection will never take.
 */

import {
  type BundleContext,
  DoFn,
  type ElementContext,
  type Json,
  type OutputSpecs,
} from "@order-payment-stream/beam";
import type { Db, Document } from "mongodb";
import { mongoConnections } from "./mongo_connections.js";
import { MongoWriter } from "./writer.js";
import type { MongoWriterOptions, RejectedDocument } from "./writer_options.js";

/** Where a sink's documents go. */
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

  /** The fields that identify an existing document with the one to be written. Undefined: all. */
  protected readonly comparedFields: readonly string[] | undefined = undefined;

  /** A deterministic `_id` makes a repeated write harmless. */
  abstract toDocument(element: T): Document;
  /**
   * Handles an element of which no document can be made, which would otherwise fail its bundle again and again.
   */
  abstract onUnmade(element: T, error: unknown, ctx: BundleContext<O>): void;
  /** Handles a document that cannot be written; if it returns another document, that one is written instead. */
  abstract onRejected(
    document: Document,
    rejected: RejectedDocument,
    ctx: BundleContext<O>,
  ): Document | undefined;

  /** Called when all documents of the bundle have been written or rejected. Default: does nothing. */
  protected onWritten(_ctx: BundleContext<O>): void {}

  /** A check that keeps documents from being written. Default: none. */
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
      ...(this.comparedFields !== undefined && { comparedFields: this.comparedFields }),
      collection: db.collection(collection),
    });
  }

  override startBundle(): void {
    this.#documents = [];
  }

  process(element: T, ctx: ElementContext<O>): void {
    let document: Document;
    try {
      document = this.toDocument(element);
    } catch (error) {
      this.onUnmade(element, error, ctx);
      return;
    }
    this.write(document);
  }

  protected write(document: Document): void {
    this.#documents.push(document);
  }

  override finishBundle(ctx: BundleContext<O>): void | Promise<void> {
    if (this.#documents.length > 0) {
      return this.#flush(this.#documents, ctx).then(() => this.onWritten(ctx));
    }
  }

  async #flush(documents: Document[], ctx: BundleContext<O>): Promise<void> {
    const { rejected } = await this.#writer.write(documents);
    const instead: Document[] = [];
    for (const rejection of rejected) {
      const other = this.onRejected(documents[rejection.index]!, rejection, ctx);
      if (other !== undefined) instead.push(other);
    }
    if (instead.length > 0) await this.#flush(instead, ctx);
  }

  override teardown(): Promise<void> {
    return mongoConnections.release(this.config.connection);
  }
}
