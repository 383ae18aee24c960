/** What becomes of a document that cannot be written, where nobody says otherwise: its reason, and its Extended JSON. */
import { inspect } from "node:util";
import { type BundleContext, coders, counter } from "@order-payment-stream/beam";
import { BSON, type Document } from "mongodb";
import { MongoSink } from "./mongo_sink.js";
import type { RejectedDocument } from "./writer_options.js";

export const rejectedOutputs = { rejected: coders.kv(coders.string, coders.string) };
/** The output `rejected`: the reason, and the document in Extended JSON. */
export type RejectedOutputs = typeof rejectedOutputs;

/** A sink whose output `rejected` has, for each document refused, the reason and its EJSON. */
export abstract class LineReportingSink<T> extends MongoSink<T, RejectedOutputs> {
  readonly outputs = rejectedOutputs;
  override readonly metrics = { refused: counter() };

  onUnmade(element: T, error: unknown, ctx: BundleContext<RejectedOutputs>): void {
    this.#report(`no document can be made of it: ${String(error)}`, inspect(element), ctx);
  }

  onRejected(
    document: Document,
    { message }: RejectedDocument,
    ctx: BundleContext<RejectedOutputs>,
  ): undefined {
    this.#report(message, BSON.EJSON.stringify(document), ctx);
  }

  #report(key: string, value: string, ctx: BundleContext<RejectedOutputs>): void {
    this.metrics.refused.inc();
    ctx.emit.rejected({ key, value }, Math.floor(ctx.clock.now()));
  }
}
