/**
 * From Kafka records to events by order_id, or to dead letters: what a record must be to take part in the join. Here
 * are the rules LATE and FUTURE_TIMESTAMP; the bytes themselves are read in schemas/decode.ts.
 */

import {
  type Coder,
  formatDuration,
  formatTimestamp,
  type KV,
  KVCoder,
  StringUtf8Coder,
} from "@order-payment-stream/beam";
import {
  type RecordCursor,
  type RecordDecoder,
  Rejected,
  registerRecordDecoder,
  type TopicPartition,
  type UnreadableRecordsError,
  type Untimely,
} from "@order-payment-stream/kafka";

import { decodeOrder, decodePayment, type EventDecoder } from "../schemas/decode.js";
import type { Order, Payment } from "../schemas/events.js";
import { Malformed, NULL_VALUE, undecodable } from "../schemas/malformed.js";
import { otherUnit } from "../schemas/time_unit.js";
import type { DeadLetter, RecordReason } from "./dead_letter.js";
import { deadLetterCoder } from "./dead_letter_coder.js";
import { isExpired } from "./expiry.js";
import { ReceivedEvent, receivedOrderCoder, receivedPaymentCoder } from "./received_event.js";

/** Of an error of our own, in a dead letter's message. */
const ERROR_LENGTH_MAX = 200;

export interface EventDecoderConfig {
  readonly timeoutMs: number;
  /** How far ahead of the clock an event may be; null: as far as it likes. */
  readonly maxAheadOfClockMs: number | null;
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

class EventRecordDecoder<E extends Order | Payment>
  implements RecordDecoder<KV<string, ReceivedEvent<E>>, DeadLetter>
{
  readonly coder: Coder<KV<string, ReceivedEvent<E>>>;
  readonly rejectedCoder = deadLetterCoder;
  readonly #timeoutMs: number;
  readonly #maxAheadOfClockMs: number;

  constructor(
    private readonly decodeBytes: EventDecoder<E>,
    coder: Coder<ReceivedEvent<E>>,
    { timeoutMs, maxAheadOfClockMs }: EventDecoderConfig,
  ) {
    this.coder = new KVCoder(StringUtf8Coder.INSTANCE, coder);
    this.#timeoutMs = timeoutMs;
    this.#maxAheadOfClockMs = maxAheadOfClockMs ?? Number.POSITIVE_INFINITY;
  }

  decode(
    record: RecordCursor,
    from: TopicPartition,
    watermark: number,
    now: number,
  ): KV<string, ReceivedEvent<E>> | Rejected<DeadLetter> {
    const event = record.valueStart < 0 ? NULL_VALUE : this.#decodeBytes(record);
    if (event instanceof Malformed) return reject(record, from, event.reason, event.message, event.field);
    const refusal = refusalOf(event, watermark, now, this.#timeoutMs, this.#maxAheadOfClockMs);
    if (refusal !== undefined) {
      return reject(record, from, refusal.reason, refusal.message, refusal.field, refusal.untimely);
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
  #decodeBytes(record: RecordCursor): E | Malformed {
    try {
      return this.decodeBytes(record.buffer, record.valueStart, record.valueEnd);
    } catch (error) {
      return undecodable(`the decoder failed unexpectedly: ${String(error).slice(0, ERROR_LENGTH_MAX)}`);
    }
  }

  /** One dead letter for all of them: it names the offsets, and holds the bytes of the batch as received. */
  unreadable(records: UnreadableRecordsError, { topic, partition, log }: TopicPartition): DeadLetter {
    return {
      reason: "UNDECODABLE",
      message: records.message,
      topic,
      partition,
      log,
      offset: records.firstOffset,
      timestamp: records.timestampMs,
      key: null,
      value: records.bytes,
    };
  }

  eventTime(value: KV<string, ReceivedEvent<E>>): number {
    return value.value.event.created_at;
  }
}

function reject(
  record: RecordCursor,
  { topic, partition, log }: TopicPartition,
  reason: RecordReason,
  message: string,
  field?: string,
  untimely?: Untimely,
): Rejected<DeadLetter> {
  const { buffer, keyStart, keyEnd, valueStart, valueEnd } = record;
  const report: DeadLetter = {
    reason,
    message,
    ...(field === undefined ? {} : { field }),
    topic,
    partition,
    offset: record.offset,
    log,
    timestamp: record.timestampMs,
    key: keyStart < 0 ? null : buffer.subarray(keyStart, keyEnd),
    value: valueStart < 0 ? null : buffer.subarray(valueStart, valueEnd),
  };
  return new Rejected(report, untimely);
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
export const ORDER_DECODER = registerRecordDecoder(
  "order-payment-stream:orders",
  (config: EventDecoderConfig) => new EventRecordDecoder(decodeOrder, receivedOrderCoder, config),
);
/** Of the payments' topic. */
export const PAYMENT_DECODER = registerRecordDecoder(
  "order-payment-stream:payments",
  (config: EventDecoderConfig) => new EventRecordDecoder(decodePayment, receivedPaymentCoder, config),
);
