/**
 * The join under a test stream: records are decoded as the Kafka read decodes them, partition by partition with its
 * watermark, and what they give is played to the graph's join. What a run shows is told as the oracle tells it.
 */

import type { Coder } from "../../../beam/model/coders/coder.js";
import { KVCoder } from "../../../beam/model/coders/kv_coder.js";
import { registerCoder } from "../../../beam/model/coders/registry.js";
import { StringUtf8Coder } from "../../../beam/model/coders/string_utf8_coder.js";
import { MAX_TIMESTAMP, MIN_TIMESTAMP } from "../../../beam/model/timestamps.js";
import {
  type DirectRun,
  type DirectRunnerOptions,
  runDirect,
} from "../../../beam/runners/direct/direct_runner.js";
import { withKeyShards } from "../../../beam/runners/portable/key_shards.js";
import { protoOf } from "../../../beam/sdk/collection.js";
import { DoFn, type ElementContext } from "../../../beam/sdk/do_fn.js";
import { createPipeline, parDo } from "../../../beam/sdk/graph.js";
import { registerDoFn } from "../../../beam/sdk/registry.js";
import { TestStream } from "../../../beam/sdk/test_stream.js";
import "../../../beam/shards/operators.js";
import type { RecordCursor } from "../../../connectors/kafka/client/kafka_client.js";
import { watermarkAfterEvent } from "../../../connectors/kafka/partition_watermark.js";
import { Rejected } from "../../../connectors/kafka/record_decoder.js";
import type { Order, Payment } from "../../../schemas/events.js";
import { coGroupByOrderId } from "../../../transforms/co_group.js";
import type { DeadLetter, RecordDeadLetter } from "../../../transforms/dead_letter.js";
import {
  ORDER_DECODER,
  type OrderById,
  PAYMENT_DECODER,
  type PaymentById,
} from "../../../transforms/decode.js";
import { joinedDocument, unmatchedDocument } from "../../../transforms/documents.js";
import { JoinOrdersPayments } from "../../../transforms/join.js";
import type { Pair, Unmatched } from "../../../transforms/outcomes.js";
import { receivedOrderCoder, receivedPaymentCoder } from "../../../transforms/received_event.js";
import { canonical, type InputRecord, recordKey } from "../../oracle/oracle.js";
import { collect, leftovers } from "../beam/runners/small_graphs.js";

type Arrival = OrderById | PaymentById;

const ordersById: Coder<OrderById> = new KVCoder(StringUtf8Coder.INSTANCE, receivedOrderCoder);
const paymentsById: Coder<PaymentById> = new KVCoder(StringUtf8Coder.INSTANCE, receivedPaymentCoder);

function isOrder(arrival: Arrival): arrival is OrderById {
  return !("payment_id" in arrival.value.event);
}

/** Both kinds in one stream, so that a test decides how they are interleaved. */
const arrivalCoder: Coder<Arrival> = {
  isDeterministic: true,
  encode(arrival, out) {
    out.writeByte(isOrder(arrival) ? 0 : 1);
    if (isOrder(arrival)) ordersById.encode(arrival, out, "nested");
    else paymentsById.encode(arrival, out, "nested");
  },
  decode: (input) => (input.readByte() === 0 ? ordersById : paymentsById).decode(input, "nested"),
  toProto: () => ({ spec: { urn: "test:coder:arrival", payload: new Uint8Array() }, componentCoderIds: [] }),
};
registerCoder("test:coder:arrival", () => arrivalCoder);

const byKind = { orders: ordersById, payments: paymentsById };
class Sort extends DoFn<Arrival, typeof byKind> {
  static readonly urn = "test:dofn:sort_arrivals";
  readonly outputs = byKind;
  process(arrival: Arrival, ctx: ElementContext<typeof byKind>): void {
    if (isOrder(arrival)) ctx.emit.orders(arrival);
    else ctx.emit.payments(arrival);
  }
}
registerDoFn(Sort);

/** What a run of the join gave, in the oracle's terms. */
export interface Outcome {
  readonly joined: Map<string, number>;
  readonly unmatched: Map<string, number>;
  readonly deadLetters: Map<string, string>;
  readonly conflicts: Map<string, RecordDeadLetter["conflict"]>;
  readonly pairs: readonly Pair[];
  readonly alone: readonly Unmatched[];
  readonly books: Books;
  readonly leftovers: readonly string[];
}

/** By the pipeline's own counters. */
export interface Books {
  readonly orders: Side;
  readonly payments: Side;
}
export interface Side {
  readonly paired: number;
  readonly unmatched: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly waiting: number;
}

export function booksOf(run: DirectRun): Books {
  const side = (kind: string): Side => ({
    paired: run.metrics.counter(`joined_${kind}`),
    unmatched: run.metrics.counter(`unmatched_${kind}`),
    duplicates: run.metrics.counter(`duplicates_${kind}`),
    conflicts: run.metrics.counter(`dead_letters_${kind}`),
    waiting: run.metrics.counter(`pending_${kind}`),
  });
  return { orders: side("orders"), payments: side("payments") };
}

/** Events that a side of the books speaks of. */
export function total({ paired, unmatched, duplicates, conflicts, waiting }: Side): number {
  return paired + unmatched + duplicates + conflicts + waiting;
}

/** Reads records as a source would, and plays what they give. */
export class JoinStream {
  readonly #stream = new TestStream<Arrival>(arrivalCoder);
  readonly #decoders: { readonly orders: any; readonly payments: any };
  readonly #watermarks = new Map<string, number>();
  readonly #batch: (readonly [Arrival, number])[] = [];
  readonly #deadLetters: RecordDeadLetter[] = [];
  #watermark = MIN_TIMESTAMP;

  constructor(
    private readonly timeoutMs: number,
    private readonly maxOutOfOrdernessMs: number,
  ) {
    const config = { timeoutMs, maxAheadOfClockMs: null };
    this.#decoders = {
      orders: ORDER_DECODER.create(config),
      payments: PAYMENT_DECODER.create(config),
    };
  }

  /** A partition that has records to come, and so holds the watermark back. */
  open(topic: string, partition: number): this {
    this.#watermarks.set(`${topic}/${partition}`, MIN_TIMESTAMP);
    return this;
  }

  /** Reads the next record of its partition. */
  read(record: InputRecord): this {
    const { topic, partition } = record;
    const place = `${topic}/${partition}`;
    const watermark = this.#watermarks.get(place) ?? MIN_TIMESTAMP;
    const decoder = this.#decoders[topic];
    const result = decoder.decode(cursorOver(record), { topic, partition, log: "" }, watermark, 0);
    if (result instanceof Rejected) {
      this.#deadLetters.push(result.report as RecordDeadLetter);
      return this;
    }
    const eventTime = decoder.eventTime(result);
    this.#batch.push([result, eventTime]);
    this.#watermarks.set(place, watermarkAfterEvent(watermark, eventTime, this.maxOutOfOrdernessMs));
    return this;
  }

  /** The partition has nothing more to give, now or later. */
  close(topic: string, partition: number): this {
    this.#watermarks.set(`${topic}/${partition}`, MAX_TIMESTAMP);
    return this;
  }

  /** Plays what was read, and then the watermark: the smallest of all partitions', or what is given. */
  flush(watermark: number = Math.min(...this.#watermarks.values())): this {
    if (this.#batch.length > 0) this.#stream.add(...this.#batch.splice(0));
    if (watermark > this.#watermark) {
      this.#watermark = watermark;
      this.#stream.advanceWatermarkTo(watermark);
    }
    return this;
  }

  advanceProcessingTimeBy(ms: number): this {
    this.#stream.advanceProcessingTimeBy(ms);
    return this;
  }

  /**
   * @param onStart sees the run before its first step
   * @param keyShards into how many shards order_ids are put; 0: into none
   */
  async run(
    options: DirectRunnerOptions = {},
    onStart: (run: DirectRun) => void = () => undefined,
    keyShards = 0,
  ): Promise<Outcome> {
    this.flush();
    const { pipeline, root } = createPipeline();
    const { orders, payments } = parDo("Sort", this.#stream.read("Arrivals", root), new Sort(null));
    const results = parDo(
      "Join",
      coGroupByOrderId(orders, payments),
      new JoinOrdersPayments({ timeoutMs: this.timeoutMs }),
    );
    const pairs = collect(results.joined);
    const alone = collect(results.unmatched);
    const refused = collect(results.deadLetters);
    withKeyShards(protoOf(pipeline), keyShards);
    const run = runDirect(pipeline, options);
    onStart(run);
    await run.finished;
    const letters = [
      ...this.#deadLetters,
      ...refused.map(({ value }) => value as DeadLetter as RecordDeadLetter),
    ];
    return {
      joined: counted(pairs.map(({ value: { order, payment } }) => joinedDocument(order, payment))),
      unmatched: counted(alone.map(({ value }) => documentOf(value))),
      deadLetters: new Map(letters.map((letter) => [placeOf(letter), letter.reason])),
      conflicts: new Map(letters.map((letter) => [placeOf(letter), letter.conflict])),
      pairs: pairs.map(({ value }) => value),
      alone: alone.map(({ value }) => value),
      books: booksOf(run),
      leftovers: leftovers(run),
    };
  }
}

function placeOf({ topic, partition, offset }: RecordDeadLetter): string {
  return recordKey({ topic, partition, offset } as InputRecord);
}

function documentOf(unmatched: Unmatched): { readonly _id: string } {
  return unmatched.kind === "order"
    ? unmatchedDocument("order", unmatched.event, "UNPAID", unmatched.expiresAt)
    : unmatchedDocument("payment", unmatched.event, "NO_ORDER", unmatched.expiresAt);
}

/** Documents without their `_id`, and how many of each. */
function counted(documents: readonly { readonly _id: string }[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { _id, ...fields } of documents) {
    const text = canonical(fields);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return counts;
}

function cursorOver({ key, value, offset, timestampMs }: InputRecord): RecordCursor {
  const keyEnd = key === null ? 0 : key.length;
  const unsupported = (): never => {
    throw new Error("a decoder looks at one record only");
  };
  return {
    next: unsupported,
    unread: unsupported,
    findHeader: () => false,
    headerStart: -1,
    headerEnd: -1,
    skipUnreadable: unsupported,
    offset,
    batch: undefined,
    timestampMs,
    buffer: Buffer.concat([key ?? Buffer.alloc(0), value ?? Buffer.alloc(0)]),
    keyStart: key === null ? -1 : 0,
    keyEnd: key === null ? -1 : keyEnd,
    valueStart: value === null ? -1 : keyEnd,
    valueEnd: value === null ? -1 : keyEnd + value.length,
  };
}

export function order(fields: Partial<Order> = {}): Order {
  const { created_at = 0 } = fields;
  return { order_id: "o", order_date: created_at, created_at, customer_id: "c", amount: 1, ...fields };
}

export function payment(fields: Partial<Payment> = {}): Payment {
  const { created_at = 0 } = fields;
  return { payment_id: "p", order_id: "o", payment_date: created_at, created_at, amount: 1, ...fields };
}
