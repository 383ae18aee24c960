/**
 * The load of the soak, in a process of its own: orders and payments on the clock, as fast as the rate says and Kafka
 * takes them. Its last line on stdout is what must become of them (SoakLoadResult); each is sent once and in order of its
 * time, so that is known exactly.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel, type Message } from "kafkajs";
import { createKeyPartitioner } from "../../producers/partitioner.js";
import { encodeOrderAvro, encodePaymentAvro } from "../../schemas/encode.js";

export interface SoakLoadInput {
  readonly bootstrap: string;
  readonly topics: { readonly orders: string; readonly payments: string };
  /** At least so many records. */
  readonly events: number;
  readonly ratePerSecond: number;
  /** T */
  readonly timeoutMs: number;
}

export interface SoakLoadResult {
  orders: number;
  payments: number;
  pairs: number;
  unmatchedOrders: number;
  unmatchedPayments: number;
  duplicates: number;
}

const BATCH_SIZE_MAX = 600;
const UNPAID_EVERY = 10;
const REPEATED_EVERY = 50;
const ORPHAN_EVERY = 100;
const IDLE_MS = 5;

/** Orders that will be paid, by when: a ring, since payments follow their orders after one and the same delay. */
interface Unpaid {
  readonly number: number;
  readonly createdMs: number;
}

const input = JSON.parse(process.argv[2] ?? "{}") as SoakLoadInput;
process.stdout.write(`${JSON.stringify(await load(input))}\n`);

async function load({
  bootstrap,
  topics,
  events,
  ratePerSecond,
  timeoutMs,
}: SoakLoadInput): Promise<SoakLoadResult> {
  const kafka = new Kafka({ brokers: [bootstrap], clientId: "soak-load", logLevel: logLevel.NOTHING });
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: createKeyPartitioner,
  });
  await producer.connect();
  const result: SoakLoadResult = {
    orders: 0,
    payments: 0,
    pairs: 0,
    unmatchedOrders: 0,
    unmatchedPayments: 0,
    duplicates: 0,
  };
  const startMs = performance.now();
  const delayMs = timeoutMs / 2;
  let unpaid: Unpaid[] = [];
  let head = 0;
  let sending: Promise<unknown> = Promise.resolve();
  for (let number = 0; ; ) {
    const due = (ratePerSecond * (performance.now() - startMs)) / 1000;
    const sent = () => result.orders + result.payments;
    const orders: Message[] = [];
    const payments: Message[] = [];
    const nowMs = Date.now();
    while (sent() < due && orders.length + payments.length < BATCH_SIZE_MAX) {
      const next = unpaid[head];
      if (next !== undefined && (next.createdMs + delayMs <= nowMs || sent() >= events)) {
        head++;
        payments.push(paymentMessage(next.number, "", nowMs));
        result.payments++;
        // Kafka may have held everything up.
        const isInTime = nowMs - next.createdMs <= timeoutMs;
        if (isInTime) result.pairs++;
        else {
          result.unmatchedOrders++;
          result.unmatchedPayments++;
        }
        continue;
      }
      if (sent() >= events) break;
      const message = orderMessage(number, nowMs);
      orders.push(message);
      result.orders++;
      if (number % UNPAID_EVERY === 0) result.unmatchedOrders++;
      else unpaid.push({ number, createdMs: nowMs });
      if (number % REPEATED_EVERY === 1) {
        orders.push(message);
        result.orders++;
        result.duplicates++;
      }
      if (number % ORPHAN_EVERY === 2) {
        payments.push(paymentMessage(number, "-orphan", nowMs));
        result.payments++;
        result.unmatchedPayments++;
      }
      number++;
    }
    if (head > 100_000) {
      unpaid = unpaid.slice(head);
      head = 0;
    }
    const topicMessages = [
      { topic: topics.orders, messages: orders },
      { topic: topics.payments, messages: payments },
    ].filter(({ messages }) => messages.length > 0);
    if (topicMessages.length > 0) {
      await sending;
      sending = producer.sendBatch({ acks: -1, topicMessages });
      sending.catch(() => undefined);
    } else if (sent() >= events && head === unpaid.length) {
      break;
    } else {
      await sleep(IDLE_MS);
    }
  }
  await sending;
  await producer.disconnect();
  return result;
}

function orderMessage(number: number, created_at: number): Message {
  const order_id = `order-${number}`;
  const order = {
    order_id,
    order_date: created_at,
    created_at,
    customer_id: `c-${number % 5_000}`,
    amount: number,
  };
  return { key: Buffer.from(order_id), value: encodeOrderAvro(order) };
}

/** @param suffix makes it the payment of another order, which does not exist */
function paymentMessage(number: number, suffix: string, created_at: number): Message {
  const order_id = `order-${number}${suffix}`;
  const payment = {
    payment_id: `p-${number}`,
    order_id,
    payment_date: created_at,
    created_at,
    amount: number,
  };
  return { key: Buffer.from(order_id), value: encodePaymentAvro(payment) };
}
