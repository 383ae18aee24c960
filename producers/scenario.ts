/**
 * The stream of messages that the producers send: reproducible, generated lazily and in constant memory even
 * when endless. Each order has a story (its payments, its faults) that is a function of the seed and the
 * order's number alone; therefore two processes, one sending orders and one payments, tell the same stories.
 *
 * Messages come in order of arrival. An event never arrives before it was created, and, unless it is `late`
 * or a `farDuplicate`, always before anything created `outOfOrdernessMs` after it.
 */
import {
  encodeConfluent,
  encodeOrderAvro,
  encodeOrderJson,
  encodePaymentAvro,
  encodePaymentJson,
} from "../schemas/encode.js";
import type { Order, Payment } from "../schemas/events.js";
import { ArrivalQueue } from "./arrival_queue.js";
import { MALFORMED_VARIANTS, malformedValue } from "./malformed_value.js";
import { Random } from "./random.js";
import { completeShares, outcomeWeights, type Shares } from "./shares.js";
import type { ValueFormat } from "./value_format.js";

export type ScenarioTopic = "orders" | "payments";

export interface ScenarioOptions {
  /** Low 32 bits count. Different seeds never share an id. */
  seed: number;
  /** How many orders; Infinity for an endless stream. Orphans, late events and other extras come on top. */
  orders: number;
  /** Event time of the first order, ms since the epoch. */
  startMs: number;
  /** Orders per second of event time; default 1000. */
  eventRatePerSecond?: number;
  /** Parts that are not given have their defaults. */
  shares?: Partial<Shares>;
  /** How far an event may arrive behind newer ones; default 30 s. */
  outOfOrdernessMs?: number;
  /** How far a payment and its order may be apart; default 15 min. */
  timeoutMs?: number;
  /** Leaves out the messages of the other topic; the rest is unchanged. Default "all". */
  which?: ScenarioTopic | "all";
  /** Of the events that are not JSON by their share. Default: single-object. */
  valueFormat?: ValueFormat;
}

export interface ScenarioMessage {
  topic: ScenarioTopic;
  /** The order's id. */
  key: string;
  value: Buffer | null;
  /** Event time, ms since the epoch; for a value that cannot be read, what it would have been. */
  createdAtMs: number;
  /** When it is due to be sent, on the clock of event time. Never decreases. */
  arrivalMs: number;
}

export const DEFAULT_EVENT_RATE_PER_SECOND = 1000;
export const DEFAULT_OUT_OF_ORDERNESS_MS = 30_000;
export const DEFAULT_TIMEOUT_MS = 15 * 60_000;

/** Roughly how many messages may wait because of each kind of delay. Delays shrink when the pace is higher. */
const PENDING_MAX = 100_000;
const PAID_SOON_MS = 5000;
const DAY_MS = 86_400_000;
/** Before so many orders a partition may be empty, and nothing can be late on it. */
const ORDERS_BEFORE_LATE = 100;

/** A message before it has bytes: only what is sent is encoded. */
interface Draft {
  readonly arrivalMs: number;
  readonly topic: ScenarioTopic;
  readonly event: Order | Payment;
  readonly form: "avro" | "json" | "null" | "malformed";
  readonly variant: number;
}

/** What is still to come. */
export interface ScenarioRest {
  /** Orders whose stories have not begun. */
  readonly orders: number;
  /** Messages of those that have: payments that are delayed, events that come again. */
  readonly messages: number;
  /** When the last of these is due, on the clock of event time. */
  readonly lastArrivalMs: number;
}

export interface Scenario extends Iterable<ScenarioMessage> {
  /** Of whoever iterates last. */
  rest(): ScenarioRest;
}

export function scenario(options: ScenarioOptions): Scenario {
  // Wrong options are reported here and not at the first message.
  let teller = new Storyteller(options);
  const iterate = (): Iterator<ScenarioMessage> => {
    teller = new Storyteller(options);
    return teller.tell();
  };
  return { [Symbol.iterator]: iterate, rest: () => teller.rest() };
}

class Storyteller {
  private readonly shares: Shares;
  private readonly weights: number;
  private readonly seed: number;
  private readonly orders: number;
  private readonly startMs: number;
  private readonly ordersPerMs: number;
  private readonly outOfOrdernessMs: number;
  private readonly timeoutMs: number;
  private readonly which: ScenarioTopic | "all";
  private readonly format: ValueFormat;
  private readonly idPrefix: string;
  /** Longest delay of a payment that comes soon, of one that comes late, and by disorder. */
  private readonly soonMs: number;
  private readonly farMs: number;
  private readonly jitterMs: number;
  private readonly random = new Random();
  private readonly queue = new ArrivalQueue<Draft>();
  private told = 0;
  private lastArrivalMs: number;

  constructor(options: ScenarioOptions) {
    const { orders, startMs } = options;
    if (!(orders >= 0)) throw new RangeError(`orders is ${orders}, not a number of orders`);
    if (!Number.isInteger(startMs)) throw new RangeError(`startMs is ${startMs}, not whole ms`);
    const eventRatePerSecond = options.eventRatePerSecond ?? DEFAULT_EVENT_RATE_PER_SECOND;
    this.shares = completeShares(options.shares);
    this.weights = outcomeWeights(this.shares);
    this.seed = options.seed;
    this.orders = orders;
    this.startMs = startMs;
    this.lastArrivalMs = startMs;
    this.ordersPerMs = positive("eventRatePerSecond", eventRatePerSecond) / 1000;
    this.outOfOrdernessMs = positive(
      "outOfOrdernessMs",
      options.outOfOrdernessMs ?? DEFAULT_OUT_OF_ORDERNESS_MS,
    );
    this.timeoutMs = positive("timeoutMs", options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    this.which = options.which ?? "all";
    this.format = options.valueFormat ?? { name: "single-object" };
    this.idPrefix = (options.seed >>> 0).toString(16).padStart(8, "0");

    const { early, delayed, farDuplicate } = this.shares;
    const spanMs = Math.floor(PENDING_MAX / this.ordersPerMs);
    const farShare = (early + delayed) / this.weights + 2 * farDuplicate;
    this.soonMs = Math.min(PAID_SOON_MS, Math.floor(this.timeoutMs / 2), spanMs);
    this.farMs = Math.min(this.timeoutMs, Math.floor(spanMs / Math.max(farShare, 0.01)));
    this.jitterMs = Math.min(Math.floor(this.outOfOrdernessMs * 0.8), spanMs);
  }

  rest(): ScenarioRest {
    const { orders, told, queue, lastArrivalMs } = this;
    return { orders: orders - told, messages: queue.size, lastArrivalMs };
  }

  *tell(): Generator<ScenarioMessage, void, undefined> {
    const { queue, format } = this;
    for (let number = 0; number < this.orders; number++) {
      // No message of this story or a later one arrives before this, so whatever is due by now can leave.
      const baseMs = this.startMs + Math.floor(number / this.ordersPerMs);
      while (queue.nextArrivalMs <= baseMs) yield encode(queue.pop()!, format);
      this.draftStory(number, baseMs);
      this.told = number + 1;
    }
    for (let draft = queue.pop(); draft !== undefined; draft = queue.pop()) yield encode(draft, format);
  }

  private draftStory(number: number, baseMs: number): void {
    const { random, shares } = this;
    random.reseed(this.seed, number);
    const id = `${this.idPrefix}-${number}`;
    const customer = `customer-${random.between(0, 9999)}`;
    const amount = random.between(100, 50_000);

    let outcome = random.uniform() * this.weights;
    const is = (share: number): boolean => {
      outcome -= share;
      return outcome < 0;
    };
    if (is(shares.early)) {
      this.draftPayment(`p-${id}-0`, `o-${id}`, baseMs, amount);
      this.draftOrder(`o-${id}`, baseMs + this.farDelay(1), customer, amount);
    } else {
      this.draftOrder(`o-${id}`, baseMs, customer, amount);
      if (is(shares.delayed)) {
        this.draftPayment(`p-${id}-0`, `o-${id}`, baseMs + this.farDelay(this.soonMs), amount);
      } else if (!is(shares.missing)) {
        const payments = is(shares.multiplePayments) ? random.between(2, 3) : 1;
        for (let i = 0; i < payments; i++) {
          this.draftPayment(`p-${id}-${i}`, `o-${id}`, baseMs + random.skewed(this.soonMs, 2), amount);
        }
      }
    }
    this.draftExtras(id, number, baseMs, customer, amount);
  }

  private draftExtras(id: string, number: number, baseMs: number, customer: string, amount: number): void {
    const { random, shares } = this;
    if (random.chance(shares.orphan)) this.draftPayment(`p-${id}-x`, `o-${id}-x`, baseMs, amount);
    if (random.chance(shares.late) && number >= ORDERS_BEFORE_LATE) {
      const expiredMs = random.between(this.outOfOrdernessMs + 10_000, 2 * this.outOfOrdernessMs + 60_000);
      const createdMs = baseMs - this.timeoutMs - this.outOfOrdernessMs - expiredMs;
      const isOrder = random.chance(0.5);
      if (isOrder) this.draft(baseMs, "orders", this.order(`o-${id}-l`, createdMs, customer, amount), "avro");
      else this.draft(baseMs, "payments", this.payment(`p-${id}-l`, `o-${id}-l`, createdMs, amount), "avro");
    }
    if (random.chance(shares.malformed)) this.draftUnreadable(id, baseMs, customer, amount, "malformed");
    if (random.chance(shares.nullValue)) this.draftUnreadable(id, baseMs, customer, amount, "null");
  }

  private draftUnreadable(
    id: string,
    baseMs: number,
    customer: string,
    amount: number,
    form: "malformed" | "null",
  ): void {
    const variant = this.random.between(0, MALFORMED_VARIANTS - 1);
    const isOrder = this.random.chance(0.5);
    if (isOrder) this.draft(baseMs, "orders", this.order(`o-${id}`, baseMs, customer, amount), form, variant);
    else this.draft(baseMs, "payments", this.payment(`p-${id}-m`, `o-${id}`, baseMs, amount), form, variant);
  }

  private draftOrder(orderId: string, createdMs: number, customer: string, amount: number): void {
    this.draftEvent("orders", this.order(orderId, createdMs, customer, amount));
  }

  private draftPayment(paymentId: string, orderId: string, createdMs: number, amount: number): void {
    this.draftEvent("payments", this.payment(paymentId, orderId, createdMs, amount));
  }

  /** An event with the disorder, copies and conflicts that befall it. */
  private draftEvent(topic: ScenarioTopic, event: Order | Payment): void {
    const { random, shares } = this;
    const createdMs = event.created_at;
    const form = random.chance(shares.json) ? "json" : "avro";
    const isDisordered = random.chance(shares.disorder);
    const jitterMs = 1 + random.skewed(this.jitterMs, 3);
    const arrivalMs = createdMs + (isDisordered ? jitterMs : 0);
    this.draft(arrivalMs, topic, event, form);

    // The jitter takes 0.8 of the bound at most: these stay within it, and behind the first.
    const soonAgainMs = 1 + Math.floor(this.jitterMs / 8);
    if (random.chance(shares.duplicate)) {
      this.draft(arrivalMs + random.between(1, soonAgainMs), topic, event, form);
    }
    if (random.chance(shares.conflict)) {
      const other = { ...event, amount: event.amount + random.between(1, 100) };
      this.draft(arrivalMs + random.between(1, soonAgainMs), topic, other, form);
    }
    if (random.chance(shares.farDuplicate)) {
      // Before the expiry, so that the event is still in state.
      const latestMs = Math.floor(this.farMs * 0.9);
      const againMs = random.between(Math.min(this.outOfOrdernessMs, latestMs), latestMs);
      this.draft(Math.max(createdMs + againMs, arrivalMs + 1), topic, event, form);
    }
  }

  /** Up to the timeout (or what memory allows); the very end of it in one case of eight. */
  private farDelay(lowMs: number): number {
    const isLongest = this.random.chance(1 / 8);
    const delayMs = this.random.between(lowMs, this.farMs);
    return isLongest ? this.farMs : delayMs;
  }

  private draft(
    arrivalMs: number,
    topic: ScenarioTopic,
    event: Order | Payment,
    form: Draft["form"],
    variant = 0,
  ): void {
    if (this.which === "all" || this.which === topic) {
      this.queue.push({ arrivalMs, topic, event, form, variant });
      if (arrivalMs > this.lastArrivalMs) this.lastArrivalMs = arrivalMs;
    }
  }

  private order(order_id: string, created_at: number, customer_id: string, amount: number): Order {
    const order_date = created_at - this.random.between(0, 7 * DAY_MS);
    return { order_id, order_date, created_at, customer_id, amount };
  }

  private payment(payment_id: string, order_id: string, created_at: number, amount: number): Payment {
    const payment_date = created_at - this.random.between(0, DAY_MS);
    return { payment_id, order_id, payment_date, created_at, amount };
  }
}

function encode(draft: Draft, format: ValueFormat): ScenarioMessage {
  const { topic, event, arrivalMs } = draft;
  return {
    topic,
    key: event.order_id,
    value: bytesOf(draft, format),
    createdAtMs: event.created_at,
    arrivalMs,
  };
}

function bytesOf({ event, form, variant }: Draft, format: ValueFormat): Buffer | null {
  if (form === "null") return null;
  if (form === "malformed") return malformedValue(event, variant);
  const isJson = form === "json" || format.name === "json";
  if ("payment_id" in event) {
    if (isJson) return encodePaymentJson(event);
    if (format.name !== "confluent") return encodePaymentAvro(event);
    return encodeConfluent(format.schemaIds.payment, "payment", event);
  }
  if (isJson) return encodeOrderJson(event);
  if (format.name !== "confluent") return encodeOrderAvro(event);
  return encodeConfluent(format.schemaIds.order, "order", event);
}

function positive(name: string, value: number): number {
  if (!(value > 0 && value < Number.POSITIVE_INFINITY)) {
    throw new RangeError(`${name} is ${value}, not a positive number`);
  }
  return value;
}
