/**
 * The join as one would write it by hand for one Node process, with a Map and a heap of expiries and nothing else: no
 * Beam, no durability, no restart. It decodes with the product's decoders and must come to the same counts as the product.
 */
import { decodeOrder, decodePayment, decodeValue, type EventDecoder } from "../../schemas/decode.js";
import type { Order, Payment } from "../../schemas/events.js";
import { Malformed } from "../../schemas/malformed.js";
import type { JoinCounts, SubjectInput } from "../subject.js";
import { ExpiryHeap } from "./expiry_heap.js";
import type { Batch } from "./kafkajs_reader.js";

/** An event in state. */
interface Held<T> {
  readonly event: T;
  isPaired: boolean;
}

/** State of one order_id. */
interface Waiting {
  order: Held<Order> | undefined;
  /** Undefined until the first: most orders here wait for one in vain, and an empty array each costs memory. */
  payments: Held<Payment>[] | undefined;
}

export class BareJoin {
  pairs = 0;
  unmatched = 0;
  duplicates = 0;
  deadLetters = 0;
  readonly #waiting = new Map<string, Waiting>();
  readonly #expiries = new ExpiryHeap<Held<Order | Payment>>();
  /** Newest created_at of each partition of each topic; +∞ when it has been read to its end. */
  readonly #newestMs = new Map<string, number>();

  constructor(
    partitions: readonly string[],
    readonly timeoutMs: number,
    readonly outOfOrdernessMs: number,
    readonly onPair: (payment: Payment) => void = () => undefined,
    /** Whether a partition is over where its log ends. */
    readonly isBounded = true,
  ) {
    for (const partition of partitions) this.#newestMs.set(partition, Number.NEGATIVE_INFINITY);
  }

  get counts(): JoinCounts {
    const { pairs, unmatched, duplicates, deadLetters } = this;
    return { pairs, unmatched, duplicates, deadLetters };
  }

  addOrders(batch: Batch): void {
    this.#addBatch(batch, decodeOrder, this.#addOrder);
  }

  addPayments(batch: Batch): void {
    this.#addBatch(batch, decodePayment, this.#addPayment);
  }

  /** Expires everything that the watermark has passed. */
  expireBefore(watermarkMs: number): void {
    const expiries = this.#expiries;
    while (expiries.nextMs < watermarkMs) this.#expire(expiries.pop()!);
  }

  #addBatch<T extends Order | Payment>(batch: Batch, decode: EventDecoder<T>, add: (event: T) => void): void {
    const { messages } = batch;
    const partition = partitionName(batch.topic, batch.partition);
    let newestMs = this.#newestMs.get(partition)!;
    const reachMs = this.timeoutMs + this.outOfOrdernessMs;
    for (let i = 0; i < messages.length; i++) {
      const event = decodeValue(decode, messages[i]!.value);
      if (event instanceof Malformed) this.deadLetters++;
      else if (newestMs > event.created_at + reachMs) this.deadLetters++;
      else {
        add.call(this, event);
        if (event.created_at > newestMs) newestMs = event.created_at;
      }
    }
    const isAtEnd = this.isBounded && Number(batch.lastOffset()) + 1 >= Number(batch.highWatermark);
    this.#newestMs.set(partition, isAtEnd ? Number.POSITIVE_INFINITY : newestMs);
    this.expireBefore(Math.min(...this.#newestMs.values()) - this.outOfOrdernessMs);
  }

  #addOrder(order: Order): void {
    const waiting = this.#waitingOf(order.order_id);
    const first = waiting.order;
    if (first !== undefined) {
      if (isSameOrder(first.event, order)) this.duplicates++;
      else this.deadLetters++;
      return;
    }
    const held = { event: order, isPaired: false };
    waiting.order = held;
    this.#expiries.push(order.created_at + this.timeoutMs, held);
    if (waiting.payments !== undefined) for (const payment of waiting.payments) this.#pair(held, payment);
  }

  #addPayment(payment: Payment): void {
    const waiting = this.#waitingOf(payment.order_id);
    const held = { event: payment, isPaired: false };
    if (waiting.payments === undefined) {
      waiting.payments = [held];
    } else {
      for (const { event } of waiting.payments) {
        if (event.payment_id !== payment.payment_id) continue;
        if (isSamePayment(event, payment)) this.duplicates++;
        else this.deadLetters++;
        return;
      }
      waiting.payments.push(held);
    }
    this.#expiries.push(payment.created_at + this.timeoutMs, held);
    if (waiting.order !== undefined) this.#pair(waiting.order, held);
  }

  #waitingOf(orderId: string): Waiting {
    let waiting = this.#waiting.get(orderId);
    if (waiting === undefined) {
      waiting = { order: undefined, payments: undefined };
      this.#waiting.set(orderId, waiting);
    }
    return waiting;
  }

  #pair(order: Held<Order>, payment: Held<Payment>): void {
    if (Math.abs(payment.event.created_at - order.event.created_at) > this.timeoutMs) return;
    order.isPaired = true;
    payment.isPaired = true;
    this.pairs++;
    this.onPair(payment.event);
  }

  #expire(held: Held<Order | Payment>): void {
    if (!held.isPaired) this.unmatched++;
    const orderId = held.event.order_id;
    const waiting = this.#waiting.get(orderId)!;
    const { payments } = waiting;
    if (waiting.order === held) waiting.order = undefined;
    else if (payments!.length === 1) waiting.payments = undefined;
    else payments!.splice(payments!.indexOf(held as Held<Payment>), 1);
    if (waiting.order === undefined && waiting.payments === undefined) this.#waiting.delete(orderId);
  }
}

function isSameOrder(a: Order, b: Order): boolean {
  return (
    a.created_at === b.created_at &&
    a.order_date === b.order_date &&
    a.amount === b.amount &&
    a.customer_id === b.customer_id
  );
}

function isSamePayment(a: Payment, b: Payment): boolean {
  return a.created_at === b.created_at && a.payment_date === b.payment_date && a.amount === b.amount;
}

export function partitionNames({ topics, partitions }: SubjectInput): string[] {
  return [topics.orders, topics.payments].flatMap((topic) =>
    Array.from({ length: partitions }, (_, partition) => partitionName(topic, partition)),
  );
}

function partitionName(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
