/**
 * Records as nobody should send them: events of the pipeline, in Avro and JSON, changed at random. The same seed gives
 * the same records.
 */
import { decoderByName, decodeValue } from "../../schemas/decode.js";
import {
  encodeConfluent,
  encodeOrderAvro,
  encodeOrderJson,
  encodePaymentAvro,
  encodePaymentJson,
} from "../../schemas/encode.js";
import type { EventKind } from "../../schemas/events.js";
import { Malformed } from "../../schemas/malformed.js";

/** A number from 0 to below 1. */
export type Chance = () => number;

export interface MutatedRecord {
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/** Longer than all events of a round take. */
const FAR_AHEAD_MS = 3_600_000;
const AMOUNTS = [0, -1, 1, 100, 2 ** 31 - 1, -(2 ** 31)];
const TEXTS = [
  "",
  "a",
  "__proto__",
  "constructor",
  "\u0000",
  "\u20ac😀",
  ":".repeat(50),
  "x".repeat(3_000),
  "$where",
];
const JSON_PIECES = [
  "1e400",
  "NaN",
  "-0",
  "null",
  "[[[[[[",
  "{}",
  '"\\ud800"',
  "9007199254740993",
  "1.5",
  "true",
  "\u0001",
  '"',
  "\\",
  ",",
];

export function mulberry32(seed: number): Chance {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class MutatedRecords {
  #next = 0;

  constructor(
    private readonly chance: Chance,
    private readonly startMs: number,
    /** One event of the far future makes all later ones of its partition LATE: not here. */
    private readonly isCalm: boolean,
  ) {}

  take(kind: EventKind): MutatedRecord {
    let value = this.#mutate(this.#event(kind));
    while (this.isCalm && this.#isFarAhead(kind, value)) value = this.#event(kind);
    const key = this.#below(10) === 0 ? null : Buffer.from(this.#orderId());
    // Whatever a producer says, up to what no Date can hold.
    const timestampMs =
      this.#below(200) === 0 ? this.#of([-1, 0, 2 ** 53, -(2 ** 53)]) : this.startMs + this.#next;
    return { timestampMs, key, value };
  }

  #isFarAhead(kind: EventKind, value: Buffer | null): boolean {
    const event = decodeValue(decoderByName(kind as string), value);
    return !(event instanceof Malformed) && event.created_at > this.startMs + FAR_AHEAD_MS;
  }

  /** Few orders at a time, so that events meet; the same content now and then, so that they repeat. */
  #orderId(): string {
    return `order-${Math.floor(this.#next / 40) * 10 + this.#below(10)}`;
  }

  #event(kind: EventKind): Buffer {
    this.#next++;
    const order_id = this.#below(50) === 0 ? this.#of(TEXTS) || "e" : this.#orderId();
    const created_at = this.startMs + Math.floor(this.#next / 4) * 100 + this.#below(4) * 100;
    const date = this.#below(100) === 0 ? this.#of([0, -(2 ** 52), 2 ** 52]) : created_at - 1_000;
    const amount = this.#below(20) === 0 ? this.#of(AMOUNTS) : this.#below(3);
    const form = this.#below(20);
    if (kind === "order") {
      const order = {
        order_id,
        order_date: date,
        created_at,
        customer_id: this.#of(["c", ...TEXTS]),
        amount,
      };
      if (form === 0) return encodeConfluent(this.#below(2 ** 31), kind, order);
      return form < 8 ? encodeOrderJson(order) : encodeOrderAvro(order);
    }
    const payment = { payment_id: `p-${this.#below(3)}`, order_id, payment_date: date, created_at, amount };
    if (form === 0) return encodeConfluent(this.#below(2 ** 31), kind, payment);
    return form < 8 ? encodePaymentJson(payment) : encodePaymentAvro(payment);
  }

  /** Half of them stay as they are, or the join would have nothing to do. */
  #mutate(value: Buffer): Buffer | null {
    const how = this.#below(18);
    const at = this.#below(value.length);
    if (how === 0) return null;
    if (how === 1) return value.subarray(0, at);
    if (how === 2) return Buffer.concat([value, value.subarray(0, at)]);
    if (how === 3) return Buffer.from(Array.from({ length: this.#below(60) }, () => this.#below(256)));
    if (how === 4) return Buffer.concat([value.subarray(0, at), value.subarray(at + 1 + this.#below(8))]);
    if (how === 5) return this.#withPiece(value, at);
    if (how > 8) return value;
    const changed = Buffer.from(value);
    for (let i = 0; i <= this.#below(4); i++) {
      const where = this.#below(changed.length);
      changed[where] =
        how === 6
          ? changed[where]! ^ (1 << this.#below(8))
          : this.#of([0, 0x7f, 0x80, 0xff, this.#below(256)]);
    }
    return changed;
  }

  #withPiece(value: Buffer, at: number): Buffer {
    const piece = Buffer.from(this.#of(JSON_PIECES));
    if (value[0] !== 0x7b) return Buffer.concat([value.subarray(0, at), piece, value.subarray(at)]);
    // In place of a field's value, where it is most likely to be looked at.
    const text = value.toString();
    const fields = [...text.matchAll(/:("[^"]*"|-?\d+)/g)];
    const field = this.#of(fields.length === 0 ? [undefined] : fields);
    if (field === undefined) return piece;
    return Buffer.from(
      text.slice(0, field.index + 1) + piece.toString() + text.slice(field.index + field[0].length),
    );
  }

  #below(bound: number): number {
    return Math.floor(this.chance() * bound);
  }

  #of<T>(choices: readonly T[]): T {
    return choices[this.#below(choices.length)]!;
  }
}
