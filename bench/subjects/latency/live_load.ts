/** The load of the latency subject: orders and payments at a steady pace, one message each, as producers send them. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Message, Producer } from "kafkajs";
import { encodeOrderAvro, encodePaymentAvro } from "../../../schemas/encode.js";
import type { Order, Payment } from "../../../schemas/events.js";
import { joinedDocument } from "../../../transforms/documents.js";
import type { SubjectInput } from "../../subject.js";

/** A payment follows its order by so many orders. */
const ORDERS_BETWEEN = 250;
const SEND_EVERY_MS = 2;
/** Sends that Kafka has not confirmed; when reached, the load waits. */
const SENDS_IN_FLIGHT_MAX = 100;

/** Who is told of payments that were sent. */
export interface SentPayments {
  /**
   * @param ids of the documents that they lead to
   * @param createdAtMs their time, since the epoch
   */
  add(ids: readonly string[], sentMs: number, createdAtMs: number): void;
}

/** Sends events evenly: an order, then the payment of an order sent a little before. */
export class LiveLoad {
  sent = 0;
  #orders: Order[] = [];
  #inFlight = 0;
  #error: unknown;

  constructor(
    private readonly producer: Producer,
    private readonly topics: SubjectInput["topics"],
    private readonly expected: SentPayments,
    private readonly eventsPerSecond = 1_000,
  ) {}

  /** Only payments after the warm-up are expected. */
  async run(warmUpMs: number, durationMs: number): Promise<void> {
    const startMs = performance.now();
    for (;;) {
      const elapsedMs = performance.now() - startMs;
      if (elapsedMs >= warmUpMs + durationMs) break;
      const due = Math.floor((elapsedMs * this.eventsPerSecond) / 1000);
      if (this.#inFlight < SENDS_IN_FLIGHT_MAX) this.#send(due - this.sent, elapsedMs >= warmUpMs);
      if (this.#error !== undefined) throw this.#error;
      await sleep(SEND_EVERY_MS);
    }
    while (this.#inFlight > 0) await sleep(SEND_EVERY_MS);
    if (this.#error !== undefined) throw this.#error;
  }

  #send(count: number, isMeasured: boolean): void {
    if (count <= 0) return;
    const orders: Message[] = [];
    const payments: Message[] = [];
    const documents: string[] = [];
    const now = Date.now();
    for (let i = 0; i < count; i++) {
      const number = this.sent++;
      const order = number % 2 === 1 ? this.#orders[(number >> 1) - ORDERS_BETWEEN] : undefined;
      if (order === undefined) {
        const next = orderOf(this.#orders.length, now);
        this.#orders.push(next);
        orders.push({ key: next.order_id, value: encodeOrderAvro(next) });
      } else {
        const payment = paymentOf(order, now);
        payments.push({ key: order.order_id, value: encodePaymentAvro(payment) });
        documents.push(joinedDocument(order, payment)._id);
      }
    }
    if (isMeasured) this.expected.add(documents, performance.now(), now);
    const topicMessages = [
      { topic: this.topics.orders, messages: orders },
      { topic: this.topics.payments, messages: payments },
    ].filter(({ messages }) => messages.length > 0);
    this.#inFlight++;
    this.producer.sendBatch({ topicMessages }).then(
      () => {
        this.#inFlight--;
      },
      (error) => {
        this.#error = error;
        this.#inFlight--;
      },
    );
  }
}

function orderOf(number: number, created_at: number): Order {
  const customer_id = `customer-${number % 10_000}`;
  return { order_id: `live-${number}`, order_date: created_at, created_at, customer_id, amount: 100 };
}

function paymentOf({ order_id, amount }: Order, created_at: number): Payment {
  return { payment_id: `p-${order_id}`, order_id, payment_date: created_at, created_at, amount };
}
