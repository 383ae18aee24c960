/** The three sinks: what the join gives becomes documents, and a document that is refused becomes a dead letter. */

import {
  type BundleContext,
  type Counter,
  counter,
  type Emitters,
  registerDoFn,
} from "@order-payment-stream/beam";
import {
  MongoConfigurationError,
  MongoSink,
  type MongoWriterOptions,
  type RejectedDocument,
} from "@order-payment-stream/mongodb";
import type { Db, Document } from "mongodb";

import { reasonCounters } from "./count_dead_letters.js";
import type { DeadLetter, StoredDocument } from "./dead_letter.js";
import { deadLetterCoder } from "./dead_letter_coder.js";
import { leastDocument } from "./dead_letter_cuts.js";
import {
  deadLetterDocument,
  deadLetterId,
  digestOf,
  IDENTITY_FIELDS,
  sinkDeadLetter,
  unmadeDocument,
} from "./dead_letter_document.js";
import {
  isPairOf,
  type JoinedDocument,
  joinedDocument,
  type UnmatchedDocument,
  unmatchedDocument,
} from "./documents.js";
import { LatencyRecorder, latencyCounters } from "./latency.js";
import type { Pair, Unmatched } from "./outcomes.js";

const refusedOutputs = { deadLetters: deadLetterCoder };
type RefusedOutputs = typeof refusedOutputs;

/** A sink whose refused documents go to the dead letters. */
abstract class OutcomeSink<T> extends MongoSink<T, RefusedOutputs> {
  readonly outputs = refusedOutputs;
  override readonly metrics: Readonly<Record<"refused" | "id_taken", Counter>> = {
    refused: counter(),
    id_taken: counter(),
  };

  onRejected(
    document: Document,
    { code, message, idIsTaken }: RejectedDocument,
    ctx: BundleContext<RefusedOutputs>,
  ): undefined {
    if (idIsTaken) this.metrics.id_taken.inc();
    this.#refuse(document as StoredDocument, code, message, ctx);
  }

  onUnmade(element: T, error: unknown, ctx: BundleContext<RefusedOutputs>): void {
    this.#refuse(unmadeDocument(element), undefined, `no document can be made of it: ${String(error)}`, ctx);
  }

  #refuse(
    document: StoredDocument,
    code: number | undefined,
    message: string,
    ctx: BundleContext<RefusedOutputs>,
  ): void {
    this.metrics.refused.inc();
    const deadLetter = sinkDeadLetter(this.config.collection, document, code, message);
    (ctx.emit as Emitters<RefusedOutputs>).deadLetters(deadLetter, Math.floor(ctx.clock.now()));
  }
}

export class WriteJoined extends OutcomeSink<Pair> {
  static readonly urn = "order-payment-stream:dofn:write_joined:v1";
  readonly #latencies = latencyCounters();
  override readonly metrics = { refused: counter(), id_taken: counter(), ...this.#latencies };
  readonly #recorder = new LatencyRecorder(this.#latencies);
  /** Of the payments in this bundle whose way is measured. */
  readonly #timestamps: number[] = [];

  override startBundle(): void {
    super.startBundle();
    this.#timestamps.length = 0;
  }

  toDocument({ order, payment, paymentTimestamp }: Pair): Document {
    // A record may be without a time.
    if (paymentTimestamp !== undefined && paymentTimestamp >= 0) this.#timestamps.push(paymentTimestamp);
    return joinedDocument(order, payment);
  }

  protected override onWritten({ clock }: BundleContext<RefusedOutputs>): void {
    const now = clock.now();
    for (const timestamp of this.#timestamps) this.#recorder.record(now - timestamp);
  }
}
registerDoFn(WriteJoined);

/**
 * Where records may be missing in front of what is read, an event may seem to have no partner although an earlier run
 * has paired it. `unlessPairedIn` names the collection of the pairs then, and it is asked first; null: not needed.
 */
export class WriteUnmatched extends OutcomeSink<Unmatched> {
  static readonly urn = "order-payment-stream:dofn:write_unmatched:v1";

  protected override toldElsewhere(database: Db): MongoWriterOptions["isToldElsewhere"] {
    const { unlessPairedIn } = this.config;
    if (typeof unlessPairedIn !== "string") return undefined;
    const pairs = database.collection<JoinedDocument>(unlessPairedIn);
    return async (documents, timeoutMS) => {
      const unmatched = documents as readonly UnmatchedDocument[];
      const ids = [...new Set(unmatched.map(({ order_id }) => order_id))];
      const stored = await pairs.find({ order_id: { $in: ids } }, { timeoutMS }).toArray();
      const byOrder = new Map<string, JoinedDocument[]>();
      for (const pair of stored) {
        const ofOrder = byOrder.get(pair.order_id);
        if (ofOrder === undefined) byOrder.set(pair.order_id, [pair]);
        else ofOrder.push(pair);
      }
      const isPaired = (document: UnmatchedDocument): boolean =>
        byOrder.get(document.order_id)?.some((pair) => isPairOf(pair, document)) ?? false;
      return new Set(unmatched.flatMap((document, i) => (isPaired(document) ? [i] : [])));
    };
  }

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
  override readonly metrics = reasonCounters();

  /** What is said of a record may change with the clock; the record does not. */
  protected override readonly comparedFields = IDENTITY_FIELDS;

  readonly #lastResorts = new WeakSet<Document>();

  toDocument(deadLetter: DeadLetter): Document {
    this.metrics[deadLetter.reason].inc();
    return deadLetterDocument(deadLetter);
  }

  onUnmade(deadLetter: DeadLetter, error: unknown): void {
    this.write(leastDocument({ ...deadLetter }, deadLetterId(deadLetter), String(error)));
  }

  /**
   * Where another has its _id, it gets one more that is made of its content. One that is refused as it is, is reduced to
   * what every server takes. There is nowhere left for it to go then, and it must not be lost: the run ends here.
   */
  onRejected(document: Document, { code, message, idIsTaken }: RejectedDocument): Document {
    const { _id, topic, partition, offset, file } = document;
    const isLast = this.#lastResorts.has(document);
    if (!isLast) {
      const id = idIsTaken ? `${_id}:${digestOf(document)}` : String(_id);
      const least = idIsTaken
        ? { ...document, _id: id }
        : leastDocument(document as StoredDocument, id, message);
      this.#lastResorts.add(least);
      return least;
    }
    const ofRecord = topic === undefined ? String(_id) : `${topic}, partition ${partition}, offset ${offset}`;
    const of = file === undefined ? ofRecord : `${file}, at byte ${offset}`;
    throw new MongoConfigurationError(
      `the collection ${this.config.collection} refuses the dead letter of ${of} (code ${code ?? "none"}): ${message}. ` +
        "Change what refuses it there, or name another collection in MONGODB_DEAD_LETTER_COLLECTION",
    );
  }
}
registerDoFn(WriteDeadLetters);
