/**
 * Events out of the blocks of Avro container files, where they stand one behind the other without anything in front.
 * What was written with our own schema is read here, as values of Kafka are in decode.ts; any other schema is the
 * business of whoever reads the file, who has its values checked here (`orderOf`, `paymentOf`).
 */
import avsc from "avsc";
import { AvroReader } from "./avro_reader.js";
import { eventTypes } from "./avro_types.js";
import type { EventKind, Order, Payment } from "./events.js";
import { fingerprintOf } from "./fingerprint.js";
import { TIMESTAMP_MAX_MS } from "./iso_timestamp.js";
import { invalid, type Malformed, undecodable } from "./malformed.js";
import { otherUnit } from "./time_unit.js";

/** Reads one event after the other from a block. */
export interface ContainerEvents<E> {
  /** Behind the event that was read last; NaN when the block is damaged there. */
  readonly end: number;
  read(buffer: Buffer, start: number, limit: number): E | Malformed;
}

/** Whether a file's schema is ours, so that its bytes can be read as they are. */
export function isOwnSchema(kind: EventKind, schema: string): boolean {
  // The canonical form leaves out logical types: micros would pass for millis.
  if (/timestamp-(micros|nanos)/.test(schema)) return false;
  try {
    return fingerprintOf(avsc.Type.forSchema(JSON.parse(schema))) === eventTypes[kind].fingerprint;
  } catch {
    return false;
  }
}

export class OrderEvents implements ContainerEvents<Order> {
  end = 0;
  readonly #reader = new AvroReader();

  read(buffer: Buffer, start: number, limit: number): Order | Malformed {
    const reader = this.#reader;
    reader.reset(buffer, start, limit);
    const order_id = reader.string("order_id");
    const order_date = reader.long("order_date");
    const created_at = reader.long("created_at");
    const customer_id = reader.string("customer_id");
    const amount = reader.int("amount");
    const fault = reader.firstFault;
    this.end = reader.position;
    return fault ?? checkedOrder({ order_id, order_date, created_at, customer_id, amount });
  }
}

export class PaymentEvents implements ContainerEvents<Payment> {
  end = 0;
  readonly #reader = new AvroReader();

  read(buffer: Buffer, start: number, limit: number): Payment | Malformed {
    const reader = this.#reader;
    reader.reset(buffer, start, limit);
    const payment_id = reader.string("payment_id");
    const order_id = reader.string("order_id");
    const payment_date = reader.long("payment_date");
    const created_at = reader.long("created_at");
    const amount = reader.int("amount");
    const fault = reader.firstFault;
    this.end = reader.position;
    return fault ?? checkedPayment({ payment_id, order_id, payment_date, created_at, amount });
  }
}

function checkedOrder(order: Order): Order | Malformed {
  if (order.order_id.length === 0) return invalid("order_id", "is empty");
  return timeFault("order_date", order.order_date) ?? timeFault("created_at", order.created_at) ?? order;
}

function checkedPayment(payment: Payment): Payment | Malformed {
  if (payment.payment_id.length === 0) return invalid("payment_id", "is empty");
  if (payment.order_id.length === 0) return invalid("order_id", "is empty");
  return (
    timeFault("payment_date", payment.payment_date) ?? timeFault("created_at", payment.created_at) ?? payment
  );
}

function timeFault(field: string, value: number): Malformed | undefined {
  if (value >= -TIMESTAMP_MAX_MS && value <= TIMESTAMP_MAX_MS) return undefined;
  const unit = otherUnit(value);
  return invalid(
    field,
    `is ${value} ms since the epoch, which no date can hold${unit === "" ? "" : `; ${unit}`}`,
  );
}

const STRINGS = { order: ["order_id", "customer_id"], payment: ["payment_id", "order_id"] } as const;
const TIMES = { order: ["order_date", "created_at"], payment: ["payment_date", "created_at"] } as const;

/**
 * As which schema a file is read that was written with another one: ours under the writer's name, with fields that may
 * be null and amounts of 64 bits, so that what does not fit is told for each record and not for the file.
 *
 * @param schema of the file, JSON
 * @throws Error that says what cannot be read
 */
export function readerSchema(kind: EventKind, schema: string): string {
  const written = JSON.parse(schema);
  if (written?.type !== "record") throw new Error(`its schema is no record, so it holds no ${kind}s`);
  if (/timestamp-nanos/.test(schema))
    throw new Error("its schema has times in nanoseconds: expected millis or micros");
  const field = (name: string, type: string) => ({ name, type: ["null", type] });
  return JSON.stringify({
    type: "record",
    name: written.name,
    ...(written.namespace !== undefined && { namespace: written.namespace }),
    fields: [
      ...STRINGS[kind].map((name) => field(name, "string")),
      ...TIMES[kind].map((name) => field(name, "long")),
      field("amount", "long"),
    ],
  });
}

/** The times that are in microseconds by a file's schema. */
export function microsFields(schema: string): ReadonlySet<string> {
  const { fields = [] } = JSON.parse(schema) as { fields?: { name: string; type: unknown }[] };
  const isMicros = (type: unknown): boolean => JSON.stringify(type).includes('"timestamp-micros"');
  return new Set(fields.flatMap(({ name, type }) => (isMicros(type) ? [name] : [])));
}

type Values = Readonly<Record<string, string | number | null>>;

/** @param values by the schema of `readerSchema` */
export function eventOf(kind: "order", values: Values, micros: ReadonlySet<string>): Order | Malformed;
export function eventOf(
  kind: EventKind,
  values: Values,
  micros: ReadonlySet<string>,
): Order | Payment | Malformed;
export function eventOf(
  kind: EventKind,
  values: Values,
  micros: ReadonlySet<string>,
): Order | Payment | Malformed {
  const event: Record<string, string | number> = {};
  for (const name of [...STRINGS[kind], ...TIMES[kind], "amount"]) {
    const value = values[name];
    if (value === null || value === undefined) return invalid(name, "is null");
    event[name] = micros.has(name) ? Math.floor((value as number) / 1000) : value;
  }
  const { amount } = event as { amount: number };
  if (amount !== (amount | 0)) return undecodable("Avro field amount is longer than 32 bits");
  return kind === "order"
    ? checkedOrder(event as unknown as Order)
    : checkedPayment(event as unknown as Payment);
}
