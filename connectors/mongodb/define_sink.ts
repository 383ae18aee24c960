/** MongoDB sinks from one function: the document of an element. */
import { inspect } from "node:util";
import { type BundleContext, coders, counter, registerDoFn } from "@order-payment-stream/beam";
import { BSON, type Document } from "mongodb";
import { MongoSink, type MongoSinkConfig } from "./mongo_sink.js";
import type { RejectedDocument } from "./writer_options.js";

const outputs = { rejected: coders.kv(coders.string, coders.string) };

/** What `defineMongoSink` defines: its output `rejected` has, for each document refused, the reason and its EJSON. */
export type DefinedMongoSink<T> = MongoSink<T, typeof outputs>;

/** What `defineMongoSink` is told. */
export interface MongoSinkDefinition<T> {
  /** Names the sink for ever, in jobs and in kept state. */
  readonly urn: string;
  /**
   * The document of an element. Give it an `_id` that is a function of the element: a bundle that is repeated after a
   * failure then writes what is there already, and each element is one document.
   */
  toDocument(element: T): Document;
}

/**
 * Defines and registers a sink. Throws when another DoFn has its URN.
 *
 * @returns makes instances for `parDo`: which connection, database and collection
 */
export function defineMongoSink<T>(
  definition: MongoSinkDefinition<T>,
): (config: MongoSinkConfig) => DefinedMongoSink<T> {
  class Defined extends MongoSink<T, typeof outputs> {
    static readonly urn = definition.urn;
    readonly outputs = outputs;
    override readonly metrics = { refused: counter() };

    toDocument(element: T): Document {
      return definition.toDocument(element);
    }

    onUnmade(element: T, error: unknown, ctx: BundleContext<typeof outputs>): void {
      this.#report(`no document can be made of it: ${String(error)}`, inspect(element), ctx);
    }

    onRejected(
      document: Document,
      { message }: RejectedDocument,
      ctx: BundleContext<typeof outputs>,
    ): undefined {
      this.#report(message, BSON.EJSON.stringify(document), ctx);
    }

    #report(key: string, value: string, ctx: BundleContext<typeof outputs>): void {
      this.metrics.refused.inc();
      ctx.emit.rejected({ key, value }, Math.floor(ctx.clock.now()));
    }
  }
  Object.defineProperty(Defined, "name", { value: definition.urn });
  registerDoFn(Defined);
  return (config) => new Defined(config);
}
