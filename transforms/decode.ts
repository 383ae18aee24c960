/**
 * From Kafka records to events by order_id, or to dead letters: what a record must be to take part in the join. Here
 * are the rules LATE and FUTURE_TIMESTAMP; the bytes themselves are read in schemas/decode.ts.
 */

import {
  formatDuration,
  formatTimestamp,
  type KV,
  KVCoder,
  StringUtf8Coder,
} from "@order-payment-stream/beam";
import {
  NotReady,
  type RecordCursor,
  type RecordDecoder,
  Rejected,
  registerRecordDecoder,
  SchemaRegistryError,
  type TopicPartition,
  type UnreadableRecordsError,
  type Untimely,
} from "@order-payment-stream/kafka";

import { decoderWith, type EventDecoder } from "../schemas/decode.js";
import type { EventKind, EventOfKind, Order, Payment } from "../schemas/events.js";
import { Malformed, NULL_VALUE, undecodable } from "../schemas/malformed.js";
import { otherUnit } from "../schemas/time_unit.js";
import { otherBodies } from "../schemas/writer_schemas.js";
import { type DeadLetter, kafkaDeadLetter, recordDeadLetter } from "./dead_letter.js";
import { deadLetterCoder } from "./dead_letter_coder.js";
import { isExpired } from "./expiry.js";
import { ReceivedEvent, receivedOrderCoder, receivedPaymentCoder } from "./received_event.js";
import { RegisteredValues, schemaHeaderOf } from "./registered_values.js";

/** Of an error of our own, in a dead letter's message. */
const ERROR_LENGTH_MAX = 200;

export interface EventDecoderConfig {
  readonly timeoutMs: number;
  /** How far ahead of the clock an event may be; null: as far as it likes. */
  readonly maxAheadOfClockMs: number | null;
  /** Name of the schema registry, where there is one. */
  readonly schemaRegistry?: string;
  /** Avro schemas in JSON of other writers of single-object values. */
  readonly writerSchemas?: readonly string[];
}

export type OrderById = KV<string, ReceivedEvent<Order>>;
export type PaymentById = KV<string, ReceivedEvent<Payment>>;

/** Why an event's time is refused. */
export interface Refusal {
  readonly reason: "LATE" | "FUTURE_TIMESTAMP";
  readonly message: string;
  readonly field?: string;
  readonly untimely: Untimely;
}

/**
 * The rules LATE and FUTURE_TIMESTAMP; undefined: the event may take part.
 * @param watermark of the event's own partition, or file
 * @param now the latest time that it may be
 */
export function refusalOf(
  event: Order | Payment,
  watermark: number,
  now: number,
  timeoutMs: number,
  maxAheadOfClockMs: number,
): Refusal | undefined {
  if (event.created_at > now + maxAheadOfClockMs) {
    const message = aheadOfClock(event.created_at, now);
    return { reason: "FUTURE_TIMESTAMP", message, field: "created_at", untimely: "future" };
  }
  if (!isExpired(event, watermark, timeoutMs)) return undefined;
  return { reason: "LATE", message: behindWatermark(event.created_at, watermark), untimely: "late" };
}

class EventRecordDecoder<K extends EventKind, E extends EventOfKind[K] = EventOfKind[K]>
  implements RecordDecoder<KV<string, ReceivedEvent<E>>, DeadLetter>
{
  readonly #timeoutMs: number;
  readonly #maxAheadOfClockMs: number;
  readonly #decodeBytes: EventDecoder<E>;
  readonly #registered: RegisteredValues<K> | undefined;

  constructor(kind: K, config: EventDecoderConfig) {
    const { timeoutMs, maxAheadOfClockMs, schemaRegistry, writerSchemas = [] } = config;
    this.#decodeBytes = decoderWith(kind, otherBodies(kind, writerSchemas)) as EventDecoder<E>;
    this.#registered = schemaRegistry === undefined ? undefined : new RegisteredValues(kind, schemaRegistry);
    this.#timeoutMs = timeoutMs;
    this.#maxAheadOfClockMs = maxAheadOfClockMs ?? Number.POSITIVE_INFINITY;
  }

  async setup(): Promise<void> {
    await this.#registered?.setup();
  }

  async teardown(): Promise<void> {
    await this.#registered?.teardown();
  }

  decode(
    record: RecordCursor,
    from: TopicPartition,
    watermark: number,
    now: number,
  ): KV<string, ReceivedEvent<E>> | Rejected<DeadLetter> | NotReady {
    const event = record.valueStart < 0 ? NULL_VALUE : this.#decodeValue(record);
    if (event instanceof NotReady) return event;
    if (event instanceof Malformed) return new Rejected(kafkaDeadLetter(event, from, record));
    const refusal = refusalOf(event, watermark, now, this.#timeoutMs, this.#maxAheadOfClockMs);
    if (refusal !== undefined) {
      return new Rejected(kafkaDeadLetter(refusal, from, record), refusal.untimely);
    }
    const received = new ReceivedEvent(
      event,
      watermark,
      from,
      record.offset,
      record.timestampMs,
      record.buffer,
      record.keyStart,
      record.keyEnd,
      record.valueStart,
      record.valueEnd,
    );
    return { key: event.order_id, value: received };
  }

  /** A record that our own code stumbles over must not end each restart. */
  #decodeValue(record: RecordCursor): E | Malformed | NotReady {
    try {
      const registered = this.#registered?.decode(record);
      if (registered !== undefined) return registered as E | Malformed | NotReady;
      const event = this.#decodeBytes(record.buffer, record.valueStart, record.valueEnd);
      return event instanceof Malformed ? this.#withHeader(record, event) : event;
    } catch (error) {
      if (error instanceof SchemaRegistryError) throw error;
      return undecodable(`the decoder failed unexpectedly: ${String(error).slice(0, ERROR_LENGTH_MAX)}`);
    }
  }

  /** The body alone looks like anything; the header says what it is. */
  #withHeader(record: RecordCursor, malformed: Malformed): Malformed {
    if (malformed.reason !== "UNDECODABLE") return malformed;
    const said = schemaHeaderOf(record, this.#registered !== undefined);
    return said === undefined ? malformed : undecodable(said);
  }

  /** One dead letter for all of them: it names the offsets, and holds the bytes of the batch as received. */
  unreadable(records: UnreadableRecordsError, from: TopicPartition): DeadLetter {
    return recordDeadLetter({ reason: "UNDECODABLE", message: records.message }, from, {
      offset: records.firstOffset,
      timestamp: records.timestampMs,
      key: null,
      value: records.bytes,
    });
  }

  eventTime(value: KV<string, ReceivedEvent<E>>): number {
    return value.value.event.created_at;
  }
}

function aheadOfClock(createdAtMs: number, now: number): string {
  const ahead = `${formatDuration(createdAtMs - now)} ahead of the clock, ${formatTimestamp(now)}`;
  return `created_at is ${formatTimestamp(createdAtMs)}, ${ahead}${inOtherUnit(createdAtMs)}`;
}

function behindWatermark(createdAtMs: number, watermark: number): string {
  const passed = `its time to find a partner ended before the partition's watermark, ${formatTimestamp(watermark)}`;
  return `${passed}${inOtherUnit(createdAtMs)}`;
}

function inOtherUnit(createdAtMs: number): string {
  const unit = otherUnit(createdAtMs);
  return unit === "" ? "" : `; created_at is ${createdAtMs}: ${unit}`;
}

/** Of the orders' topic. */
export const ORDER_DECODER = registerRecordDecoder({
  urn: "order-payment-stream:orders",
  coder: new KVCoder(StringUtf8Coder.INSTANCE, receivedOrderCoder),
  rejectedCoder: deadLetterCoder,
  create: (config: EventDecoderConfig) => new EventRecordDecoder("order", config),
});
/** Of the payments' topic. */
export const PAYMENT_DECODER = registerRecordDecoder({
  urn: "order-payment-stream:payments",
  coder: new KVCoder(StringUtf8Coder.INSTANCE, receivedPaymentCoder),
  rejectedCoder: deadLetterCoder,
  create: (config: EventDecoderConfig) => new EventRecordDecoder("payment", config),
});
