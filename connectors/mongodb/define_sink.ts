/** MongoDB sinks from one function: the document of an element. */
import { registerDoFn } from "@order-payment-stream/beam";
import type { Document } from "mongodb";
import type { MongoSink, MongoSinkConfig } from "./mongo_sink.js";
import { LineReportingSink, type RejectedOutputs } from "./rejected_lines.js";

/**
 * A sink made by `defineMongoSink`: for each rejected document, its output `rejected` has the reason and the EJSON.
 */
export type DefinedMongoSink<T> = MongoSink<T, RejectedOutputs>;

/** The definition of a sink. */
export interface MongoSinkDefinition<T> {
  /** The permanent name of the sink, in jobs and in kept state. */
  readonly urn: string;
  /**
   * The document of an element. Give it an `_id` that is a function of the element: a bundle that is repeated after a
   * failure then writes what is there already, and each element is one document.
   */
  toDocument(element: T): Document;
}

/**
 * Defines and registers a sink. Throws if another DoFn has its URN.
 *
 * @returns makes instances for `parDo`: which connection, database and collection
 */
export function defineMongoSink<T>(
  definition: MongoSinkDefinition<T>,
): (config: MongoSinkConfig) => DefinedMongoSink<T> {
  class Defined extends LineReportingSink<T> {
    static readonly urn = definition.urn;

    toDocument(element: T): Document {
      return definition.toDocument(element);
    }
  }
  Object.defineProperty(Defined, "name", { value: definition.urn });
  registerDoFn(Defined);
  return (config) => new Defined(config);
}
