/**
 * Every record that was read ends in exactly one place: paired, unmatched, or a dead letter; of several that say the
 * same, one may stand for all. That holds for late and conflicting events too, however far beyond the bound.
 */
import type { Document } from "mongodb";
import type { Order, Payment } from "../../../schemas/events.js";
import type { InputRecord } from "../../oracle/oracle.js";
import { decodeOrderRecord, decodePaymentRecord } from "../../oracle/record_decoder.js";
import type { Checker, CheckerFactory } from "./checker.js";
import { storedCollections } from "./stored_collections.js";

export const everyEventInOnePlace: CheckerFactory = (world, report): Checker => {
  const { timeoutMs, earlierRuns = [] } = world.scenario;
  // A repeat is an event of its own behind a drain, and where a larger T takes it that a smaller one has expired.
  const mayForget = earlierRuns.some((run) => run.ending === "expire" || run.timeoutMs !== timeoutMs);
  /** @param isOver all that was read has come to its end; before, only that nothing is in two places is certain */
  const check = (isOver: boolean): void => {
    const { joined, unmatched, deadLetters } = storedCollections(world);
    const paired = new Set(joined.flatMap((document) => [orderOf(document), paymentOf(document)]));
    const alone = new Map<string, number>();
    for (const document of unmatched) {
      const key = keyOfUnmatched(document);
      alone.set(key, (alone.get(key) ?? 0) + 1);
    }
    const letters = new Map<string, string>();
    for (const { topic, partition, offset, reason } of deadLetters) {
      const key = `${topic}/${partition}/${offset}`;
      if (letters.has(key)) report(`${key} has two dead letters: ${letters.get(key)} and ${reason}`);
      letters.set(key, reason);
    }
    for (const [key, records] of byContent(world.records())) {
      const [first] = records;
      if (key === undefined) {
        for (const record of records) {
          if (isOver && !letters.has(placeOf(record)))
            report(`${placeOf(record)} is lost: it cannot be decoded`);
        }
        continue;
      }
      const isPaired = paired.has(key.paired);
      const timesAlone = alone.get(key.alone) ?? 0;
      const refused = records.filter((record) => letters.has(placeOf(record))).length;
      const where = `${placeOf(first!)} (${records.length} times)`;
      const isAnew = records.length > 1 && mayForget;
      if (timesAlone > 1 && !isAnew) report(`${where} is unmatched ${timesAlone} times`);
      if (isPaired && timesAlone > 0 && !isAnew) report(`${where} is both paired and unmatched`);
      const ends = Number(isPaired) + timesAlone;
      // One that was read again, from a log that was cut, is late then.
      const isReadAgain = new Set(records.map(placeOf)).size < records.length;
      if (ends > 0 && refused === records.length && !isReadAgain)
        report(`${where} is in a collection and in the dead letters`);
      if (isOver && ends === 0 && refused < records.length) report(`${where} is lost`);
    }
  };
  return { onStart: () => check(false), onEnd: () => check(true) };
};

interface Content {
  /** As it can be told from a joined document. */
  readonly paired: string;
  readonly alone: string;
}

/** Records of the same event; those that cannot be decoded under undefined. */
function byContent(records: readonly InputRecord[]): [Content | undefined, InputRecord[]][] {
  const groups = new Map<string, [Content | undefined, InputRecord[]]>();
  for (const record of records) {
    const content = contentOf(record);
    const key = content?.alone ?? "";
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [content, [record]]);
    else group[1].push(record);
  }
  return [...groups.values()];
}

function contentOf({ topic, value }: InputRecord): Content | undefined {
  const decoded = topic === "orders" ? decodeOrderRecord(value) : decodePaymentRecord(value);
  if (!("event" in decoded)) return undefined;
  const { event } = decoded;
  return { paired: "payment_id" in event ? paidKey(event) : orderKey(event), alone: aloneKey(event) };
}

function orderKey({ order_id, order_date, created_at, customer_id, amount }: Order): string {
  return JSON.stringify(["order", order_id, order_date, created_at, customer_id, amount]);
}

/** Without created_at, which a joined document does not show of its payment. */
function paidKey({ payment_id, order_id, payment_date, amount }: Omit<Payment, "created_at">): string {
  return JSON.stringify(["payment", payment_id, order_id, payment_date, amount]);
}

function aloneKey(event: Order | Payment): string {
  return "payment_id" in event ? `${paidKey(event)} ${event.created_at}` : orderKey(event);
}

function orderOf(joined: Document): string {
  const { order_id, order_date, created_at, customer_id, order_amount } = joined;
  const times = { order_date: order_date.getTime(), created_at: created_at.getTime() };
  return orderKey({ order_id, ...times, customer_id, amount: order_amount });
}

function paymentOf({ payment_id, order_id, payment_date, payment_amount }: Document): string {
  return paidKey({ payment_id, order_id, payment_date: payment_date.getTime(), amount: payment_amount });
}

function keyOfUnmatched(document: Document): string {
  const { kind, order_id, amount } = document;
  const created_at = document.created_at.getTime();
  if (kind === "order") {
    const { customer_id, order_date } = document;
    return aloneKey({ order_id, order_date: order_date.getTime(), created_at, customer_id, amount });
  }
  const { payment_id, payment_date } = document;
  return aloneKey({ payment_id, order_id, payment_date: payment_date.getTime(), created_at, amount });
}

function placeOf({ topic, partition, offset }: InputRecord): string {
  return `${topic}/${partition}/${offset}`;
}
