/** The three sinks: what the join gives becomes documents, and a document that is refused becomes a dead letter. */
import type { Document } from "mongodb";
import { MongoSink } from "../beam/io/mongodb/mongo_sink.js";
import type { RejectedDocument } from "../beam/io/mongodb/writer.js";
import type { BundleContext, Emitters } from "../beam/sdk/do_fn.js";
import { counter } from "../beam/sdk/metrics.js";
import { registerDoFn } from "../beam/sdk/registry.js";
import { type DeadLetter, deadLetterDocument, type StoredDocument, sinkDeadLetter } from "./dead_letter.js";
import { deadLetterCoder } from "./dead_letter_coder.js";
import { joinedDocument, unmatchedDocument } from "./documents.js";
import type { Pair, Unmatched } from "./outcomes.js";

const refusedOutputs = { deadLetters: deadLetterCoder };
type RefusedOutputs = typeof refusedOutputs;

/** A sink whose refused documents go to the dead letters. */
abstract class OutcomeSink<T> extends MongoSink<T, RefusedOutputs> {
  readonly outputs = refusedOutputs;
  override readonly metrics = { refused: counter() };

  onRejected(
    document: Document,
    { code, message }: RejectedDocument,
    ctx: BundleContext<RefusedOutputs>,
  ): void {
    this.metrics.refused.inc();
    const deadLetter = sinkDeadLetter(this.config.collection, document as StoredDocument, code, message);
    (ctx.emit as Emitters<RefusedOutputs>).deadLetters(deadLetter, ctx.clock.now());
  }
}

export class WriteJoined extends OutcomeSink<Pair> {
  static readonly urn = "order-payment-stream:dofn:write_joined:v1";

  toDocument({ order, payment }: Pair): Document {
    return joinedDocument(order, payment);
  }
}
registerDoFn(WriteJoined);

export class WriteUnmatched extends OutcomeSink<Unmatched> {
  static readonly urn = "order-payment-stream:dofn:write_unmatched:v1";

  toDocument(unmatched: Unmatched): Document {
    return unmatched.kind === "order"
      ? unmatchedDocument("order", unmatched.event, "UNPAID", unmatched.expiresAt)
      : unmatchedDocument("payment", unmatched.event, "NO_ORDER", unmatched.expiresAt);
  }
}
registerDoFn(WriteUnmatched);

export class WriteDeadLetters extends MongoSink<DeadLetter, Record<never, never>> {
  static readonly urn = "order-payment-stream:dofn:write_dead_letters:v1";
  readonly outputs = {};
  override readonly metrics = {
    UNDECODABLE: counter(),
    INVALID: counter(),
    NULL_VALUE: counter(),
    FUTURE_TIMESTAMP: counter(),
    LATE: counter(),
    CONFLICT: counter(),
    SINK_REJECTED: counter(),
  };

  toDocument(deadLetter: DeadLetter): Document {
    this.metrics[deadLetter.reason].inc();
    return deadLetterDocument(deadLetter);
  }

  /** There is nowhere left for it to go, and it must not be lost: the run ends here. */
  onRejected(document: Document, { code, message }: RejectedDocument): never {
    throw new Error(
      `the collection ${this.config.collection} refuses the dead letter ${String(document._id)} (code ${code}): ${message}`,
    );
  }
}
registerDoFn(WriteDeadLetters);
