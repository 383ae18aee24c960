/**
 * What must come out of a set of records, by the semantics alone: an independent second opinion. It imports
 * nothing of the product but the event types, has no watermark engine, no timers and no state to expire, and
 * may read everything before it answers.
 *
 * Limits, which are those of the semantics themselves:
 * - The answer is exact as long as no accepted event was read more than D behind a newer one of its partition
 *   (`beyondBound` counts those that were). Beyond that, whether a partner still waited depends on the run.
 * - Events of one kind and id are compared in log order. When they lie in different partitions (which takes a
 *   Kafka key that is not the order_id), the order is not defined; the oracle takes the lower partition first.
 */
import type { EventKind, Order, Payment } from "../../schemas/events.js";
import { decodeOrderRecord, decodePaymentRecord } from "./record_decoder.js";

export interface InputRecord {
  readonly topic: "orders" | "payments";
  readonly partition: number;
  readonly offset: number;
  /** The Kafka record's timestamp. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export interface OracleOptions {
  /** T. */
  readonly timeoutMs: number;
  /** D. */
  readonly outOfOrdernessMs: number;
  /**
   * The wall clock: events more than 5 min beyond it are FUTURE_TIMESTAMP. Leave it out where that check is off, or
   * where there are no such events.
   */
  readonly nowMs?: number;
}

export type DeadLetterReason =
  | "UNDECODABLE"
  | "INVALID"
  | "NULL_VALUE"
  | "FUTURE_TIMESTAMP"
  | "LATE"
  | "CONFLICT";

/** What a dead letter must hold beside its reason. */
export interface Evidence {
  readonly record: InputRecord;
  /** For CONFLICT: the event that stands, and the one refused. */
  readonly conflict?: {
    readonly kind: EventKind;
    readonly first: Order | Payment;
    readonly event: Order | Payment;
  };
}

/** Where the events of one topic ended; read = paired + unmatched + duplicates + deadLetters. */
export interface Books {
  read: number;
  paired: number;
  unmatched: number;
  duplicates: number;
  deadLetters: number;
}

export interface Expected {
  /** Documents without `_id` in canonical form (`canonical`), and how many of each: payments may differ in nothing shown. */
  readonly joined: ReadonlyMap<string, number>;
  readonly unmatched: ReadonlyMap<string, number>;
  /** By "topic/partition/offset". */
  readonly deadLetters: ReadonlyMap<string, DeadLetterReason>;
  readonly evidence: ReadonlyMap<string, Evidence>;
  /** Repeats of an event in state with the same content. */
  readonly duplicates: number;
  readonly books: { readonly orders: Books; readonly payments: Books };
  /** Accepted events that were read more than D behind a newer one; above 0 the answer is not exact. */
  readonly beyondBound: number;
}

const FUTURE_MS = 5 * 60_000;
const DATE_MAX_MS = 8.64e15;

export function oracle(records: readonly InputRecord[], options: OracleOptions): Expected {
  const deadLetters = new Map<string, DeadLetterReason>();
  const evidence = new Map<string, Evidence>();
  const orders = new Reading<Order>("order", options, deadLetters, evidence);
  const payments = new Reading<Payment>("payment", options, deadLetters, evidence);
  for (const record of inLogOrder(records)) {
    if (record.topic === "orders") orders.read(record, decodeOrderRecord(record.value));
    else payments.read(record, decodePaymentRecord(record.value));
  }

  const joined = new Map<string, number>();
  const unmatched = new Map<string, number>();
  const paidOrders = new Set<Order>();
  const ordersById = groupBy(orders.accepted, (order) => order.order_id);
  for (const payment of payments.accepted) {
    const partners = (ordersById.get(payment.order_id) ?? []).filter(
      (order) => Math.abs(payment.created_at - order.created_at) <= options.timeoutMs,
    );
    for (const order of partners) {
      paidOrders.add(order);
      count(joined, canonical(pair(order, payment)));
    }
    if (partners.length > 0) payments.books.paired++;
    else count(unmatched, canonical(unmatchedFields("payment", payment, options.timeoutMs)));
  }
  for (const order of orders.accepted) {
    if (!paidOrders.has(order))
      count(unmatched, canonical(unmatchedFields("order", order, options.timeoutMs)));
  }
  orders.books.paired = paidOrders.size;
  for (const { books, accepted } of [orders, payments]) books.unmatched = accepted.length - books.paired;

  return {
    joined,
    unmatched,
    deadLetters,
    evidence,
    duplicates: orders.books.duplicates + payments.books.duplicates,
    books: { orders: orders.books, payments: payments.books },
    beyondBound: orders.beyondBound + payments.beyondBound,
  };
}

/** One topic, read in log order: which events are accepted, and where the others end. */
class Reading<T extends Order | Payment> {
  readonly accepted: T[] = [];
  readonly books: Books = { read: 0, paired: 0, unmatched: 0, duplicates: 0, deadLetters: 0 };
  beyondBound = 0;
  /** By partition: the greatest created_at so far. */
  private readonly newestMs = new Map<number, number>();
  private readonly acceptedById = new Map<string, T[]>();

  constructor(
    private readonly kind: EventKind,
    private readonly options: OracleOptions,
    private readonly deadLetters: Map<string, DeadLetterReason>,
    private readonly evidence: Map<string, Evidence>,
  ) {}

  read(record: InputRecord, decoded: { readonly event: T } | { readonly fault: DeadLetterReason }): void {
    this.books.read++;
    if ("fault" in decoded) {
      this.refuse(decoded.fault, { record });
      return;
    }
    const { event } = decoded;
    const { timeoutMs, outOfOrdernessMs, nowMs } = this.options;
    if (nowMs !== undefined && event.created_at > nowMs + FUTURE_MS) {
      this.refuse("FUTURE_TIMESTAMP", { record });
      return;
    }
    const newestMs = this.newestMs.get(record.partition) ?? Number.NEGATIVE_INFINITY;
    const watermarkMs = newestMs - outOfOrdernessMs;
    // From here on every event moves the watermark of those behind it, a conflicting one too: whoever reads the
    // partition cannot know yet that it is refused. (A late one is older and moves nothing.)
    this.newestMs.set(record.partition, Math.max(newestMs, event.created_at));
    if (watermarkMs > event.created_at + timeoutMs) {
      this.refuse("LATE", { record });
      return;
    }
    // A payment belongs to its order's state: the same payment_id under another order_id is another payment.
    const id = JSON.stringify([event.order_id, "payment_id" in event ? event.payment_id : null]);
    const namesakes = this.acceptedById.get(id) ?? [];
    const first = namesakes.find((earlier) => watermarkMs <= earlier.created_at + timeoutMs);
    if (first === undefined) {
      this.accepted.push(event);
      this.acceptedById.set(id, [...namesakes, event]);
      if (watermarkMs > event.created_at) this.beyondBound++;
    } else if (sameContent(first, event)) {
      this.books.duplicates++;
    } else {
      this.refuse("CONFLICT", { record, conflict: { kind: this.kind, first, event } });
    }
  }

  private refuse(reason: DeadLetterReason, evidence: Evidence): void {
    const key = recordKey(evidence.record);
    this.books.deadLetters++;
    this.deadLetters.set(key, reason);
    this.evidence.set(key, evidence);
  }
}

/** "topic/partition/offset". */
export function recordKey({ topic, partition, offset }: InputRecord): string {
  return `${topic}/${partition}/${offset}`;
}

/** One text for equal documents: fields by name, Dates marked as such, so that a Date never equals a number. */
export function canonical(fields: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(fields).sort();
  return JSON.stringify(names.map((name) => [name, canonicalValue(fields[name])]));
}

function canonicalValue(value: unknown): unknown {
  if (!(value instanceof Date)) return value;
  return { date: Number.isNaN(value.getTime()) ? "invalid" : value.toISOString() };
}

function pair(order: Order, payment: Payment): Record<string, unknown> {
  return {
    order_id: order.order_id,
    order_date: new Date(order.order_date),
    created_at: new Date(order.created_at),
    customer_id: order.customer_id,
    order_amount: order.amount,
    payment_id: payment.payment_id,
    payment_date: new Date(payment.payment_date),
    payment_amount: payment.amount,
  };
}

function unmatchedFields(
  kind: EventKind,
  event: Order | Payment,
  timeoutMs: number,
): Record<string, unknown> {
  return {
    ...eventFields(event),
    kind,
    reason: kind === "order" ? "UNPAID" : "NO_ORDER",
    expires_at: new Date(Math.min(event.created_at + timeoutMs, DATE_MAX_MS)),
  };
}

/** An event as it is stored: its `*_date` and `*_at` fields as Dates. */
export function eventFields(event: Order | Payment): Record<string, unknown> {
  const entries = Object.entries(event) as [string, string | number][];
  return Object.fromEntries(
    entries.map(([name, value]) => [name, /_(?:date|at)$/.test(name) ? new Date(value) : value]),
  );
}

function sameContent(a: Order | Payment, b: Order | Payment): boolean {
  return canonical({ ...a }) === canonical({ ...b });
}

function inLogOrder(records: readonly InputRecord[]): InputRecord[] {
  return [...records].sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
