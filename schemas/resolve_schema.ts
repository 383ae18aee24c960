/**
 * Reads values of other writers' schemas as our events, by Avro's rules of schema resolution: fields go by name or alias
 * and not by place, what we do not know is stepped over, numbers and texts are promoted, a union counts by the branch
 * that a value has. Two steps beyond the rules lose nothing: a `long` amount is taken where it fits into 32 bits, and a
 * field that was renamed is found by the alias that the writer's schema keeps. The name of the record does not count.
 *
 * Times are converted by what they mean: micros and nanos are not millis, a date is its midnight in UTC, and a local
 * time is taken as UTC. A plain long is milliseconds.
 *
 * Source: https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
 */
import type avsc from "avsc";
import { AvroReader } from "./avro_reader.js";
import { eventTypes } from "./avro_types.js";
import {
  checkedOrder,
  checkedPayment,
  type EventDecoder,
  orderFromAvro,
  paymentFromAvro,
} from "./event_bodies.js";
import type { EventKind, EventOfKind } from "./events.js";
import { invalid, Malformed } from "./malformed.js";
import { skipperOf } from "./skip_value.js";
import { underlying } from "./writer_schema.js";

/** What a field of ours got: null, or why it got nothing, is told once the whole value was read. */
type Slots = (string | number | null | Malformed)[];
type Step = (reader: AvroReader, slots: Slots) => void;

interface OwnField {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly meaning: "text" | "time" | "int";
  readonly index: number;
}

const FIELDS: Readonly<Record<EventKind, readonly OwnField[]>> = {
  order: ownFields("order"),
  payment: ownFields("payment"),
};

const FROM_SLOTS: { readonly [K in EventKind]: (slots: any[]) => EventOfKind[K] | Malformed } = {
  order: (slots) =>
    checkedOrder({
      order_id: slots[0],
      order_date: slots[1],
      created_at: slots[2],
      customer_id: slots[3],
      amount: slots[4],
    }),
  payment: (slots) =>
    checkedPayment({
      payment_id: slots[0],
      order_id: slots[1],
      payment_date: slots[2],
      created_at: slots[3],
      amount: slots[4],
    }),
};

const OWN: { readonly [K in EventKind]: EventDecoder<EventOfKind[K]> } = {
  order: orderFromAvro,
  payment: paymentFromAvro,
};

const reader = new AvroReader();
const slots: Slots = [];

/** Reads bodies of the writer's schema; a text says why none of them can become such an event. */
export function resolveSchema<K extends EventKind>(
  kind: K,
  writer: avsc.Type,
): EventDecoder<EventOfKind[K]> | string {
  if (isOwnLayout(kind, writer)) return OWN[kind];
  const fill = fillerOf(kind, writer);
  if (typeof fill === "string") return fill;
  const fields = FIELDS[kind];
  const eventOf = FROM_SLOTS[kind];
  return (buffer, start, end) => {
    reader.reset(buffer, start, end);
    for (let i = 0; i < fields.length; i++) slots[i] = null;
    fill(reader, slots);
    const fault = reader.finish();
    if (fault !== undefined) return fault;
    for (let i = 0; i < fields.length; i++) {
      const value = slots[i]!;
      if (value === null) return invalid(fields[i]!.name, "is null");
      if (value instanceof Malformed) return value;
    }
    return eventOf(slots);
  };
}

function ownFields(kind: EventKind): OwnField[] {
  const { fields } = eventTypes[kind].type as avsc.types.RecordType;
  return fields.map(({ name, aliases, type }, index) => ({
    name,
    aliases: aliases ?? [],
    meaning: type.typeName === "string" ? "text" : type.typeName === "int" ? "int" : "time",
    index,
  }));
}

/** The same bytes as our own schema's, whatever it is called and says beside. */
function isOwnLayout(kind: EventKind, writer: avsc.Type): boolean {
  if (!isRecord(writer)) return false;
  const own = FIELDS[kind];
  return (
    writer.fields.length === own.length &&
    writer.fields.every(({ name, type }, index) => {
      const { plain, logical } = underlying(type);
      const { name: ownName, meaning } = own[index]!;
      if (name !== ownName) return false;
      if (meaning === "text") return plain.typeName === "string" && logical === undefined;
      if (meaning === "int") return plain.typeName === "int" && logical === undefined;
      return plain.typeName === "long" && (logical === undefined || MS_LOGICAL.has(logical));
    })
  );
}

const MS_LOGICAL: ReadonlySet<string> = new Set(["timestamp-millis", "local-timestamp-millis"]);

function isRecord(type: avsc.Type): type is avsc.types.RecordType {
  return type.typeName === "record" || type.typeName === "error";
}

function fillerOf(kind: EventKind, writer: avsc.Type): Step | string {
  if (isRecord(writer)) return recordFiller(kind, writer);
  if (!isUnion(writer)) return `its schema is ${typeText(writer)}, not a record`;
  const branches = writer.types.map((branch) => fillerOf(kind, branch));
  const reasons = branches.filter((branch) => typeof branch === "string");
  if (reasons.length === branches.length) return reasons[0] ?? "its schema is a union of nothing";
  return (reader, slots) => {
    const index = reader.branch("(the event)", branches.length);
    if (index < 0) return;
    const fill = branches[index]!;
    if (typeof fill !== "string") fill(reader, slots);
    else reader.fail("(the event)", `is ${typeText(writer.types[index]!)}: ${fill}`);
  };
}

function recordFiller(kind: EventKind, writer: avsc.types.RecordType): Step | string {
  const steps: Step[] = writer.fields.map(({ name, type }) => skipperOf(type, name));
  for (const own of FIELDS[kind]) {
    const at = placeOf(own, writer);
    if (at < 0) return `its schema has no field ${own.name}, and there is no default for it`;
    const step = readStep(own, writer.fields[at]!.type);
    if (typeof step === "string") return `${own.name} is ${step}`;
    steps[at] = step;
  }
  return (reader, slots) => {
    for (let i = 0; i < steps.length; i++) steps[i]!(reader, slots);
  };
}

/** By its name, then by our aliases for it, then by the writer's. */
function placeOf({ name, aliases }: OwnField, { fields }: avsc.types.RecordType): number {
  for (const wanted of [name, ...aliases]) {
    const at = fields.findIndex((field) => field.name === wanted);
    if (at >= 0) return at;
  }
  return fields.findIndex((field) => field.aliases?.includes(name));
}

/** How to read a field of this type; a text ends the sentence "the field is …". */
function readStep(own: OwnField, type: avsc.Type): Step | string {
  const { name, index } = own;
  if (isUnion(type)) return unionStep(own, type);
  const { plain, logical } = underlying(type);
  const { typeName } = plain;
  const refusal = `${typeText(type)} in its schema, which cannot be read as ${MEANINGS[own.meaning]}`;
  if (own.meaning === "text") {
    if ((typeName !== "string" && typeName !== "bytes") || logical !== undefined) return refusal;
    return (reader, slots) => {
      slots[index] = reader.string(name);
    };
  }
  if (typeName !== "int" && typeName !== "long") return refusal;
  if (own.meaning === "int") {
    if (logical !== undefined) return refusal;
    return (reader, slots) => {
      slots[index] = reader.int(name);
    };
  }
  const toMs = timeReader(logical);
  if (toMs === undefined) return refusal;
  return (reader, slots) => {
    slots[index] = toMs(reader, name);
  };
}

const MEANINGS = { text: "a string", int: "an int", time: "a time" } as const;

/** A branch that cannot be read is no fault of values that have another. */
function unionStep(own: OwnField, { types }: Union): Step | string {
  const { name, index } = own;
  const branches = types.map((branch): Step | string =>
    branch.typeName === "null" ? NOTHING : readStep(own, branch),
  );
  const reasons = branches.filter((branch) => typeof branch === "string");
  if (reasons.length > 0 && !branches.some((branch) => typeof branch !== "string" && branch !== NOTHING)) {
    return reasons[0]!;
  }
  const skippers = types.map((branch) => skipperOf(branch, name));
  return (reader, slots) => {
    const branch = reader.branch(name, branches.length);
    if (branch < 0) return;
    const step = branches[branch]!;
    if (typeof step !== "string") {
      step(reader, slots);
      return;
    }
    skippers[branch]!(reader);
    slots[index] = invalid(name, `is ${step}`);
  };
}

/** The slot is null already. */
const NOTHING: Step = () => undefined;

const DAY_MS = 86_400_000;

/** Reads a number of that meaning as ms since the epoch; undefined: it means no point in time. */
function timeReader(logical: string | undefined): ((reader: AvroReader, name: string) => number) | undefined {
  switch (logical) {
    case undefined:
    case "timestamp-millis":
    case "local-timestamp-millis":
      return (reader, name) => reader.long(name);
    case "timestamp-micros":
    case "local-timestamp-micros":
      // Micros are exact up to the year 2255, and beyond to the ms.
      return (reader, name) => Math.floor(reader.long(name) / 1_000);
    case "timestamp-nanos":
    case "local-timestamp-nanos":
      // A double rounds nanos of today to the next 256.
      return (reader, name) => floorDivide(reader.bigLong(name), 1_000_000n);
    case "date":
      return (reader, name) => reader.long(name) * DAY_MS;
    default:
      return undefined;
  }
}

function floorDivide(value: bigint, by: bigint): number {
  const quotient = value / by;
  return Number(value % by < 0n ? quotient - 1n : quotient);
}

type Union = avsc.types.UnwrappedUnionType | avsc.types.WrappedUnionType;

function isUnion(type: avsc.Type): type is Union {
  return type.typeName.startsWith("union:");
}

/** For messages: "a string", "a long (time-micros)", "a record com.acme.Order". */
function typeText(type: avsc.Type): string {
  const { plain, logical } = underlying(type);
  const kind = plain.typeName.replace(/^(union|abstract):.*/, "$1");
  const article = /^[aeiou]/.test(kind) && kind !== "union" ? "an" : "a";
  const name = plain.name === undefined ? "" : ` ${plain.name}`;
  return `${article} ${kind}${name}${logical === undefined ? "" : ` (${logical})`}`;
}
