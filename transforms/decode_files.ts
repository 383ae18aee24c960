/**
 * From files to events by order_id, or to dead letters: the same rules as for Kafka's records (decode.ts), with the
 * file's path and offset in place of topic, partition and offset.
 */
import { type KV, KVCoder, StringUtf8Coder } from "@order-payment-stream/beam";
import {
  AvroValues,
  DamagedBlockError,
  type FileDecoder,
  type FilePlace,
  type RecordReader,
  RejectedRecord,
  registerFileDecoder,
  type UnreadablePart,
} from "@order-payment-stream/files";
import type { TopicPartition } from "@order-payment-stream/kafka";
import avsc from "avsc";

import {
  type ContainerEvents,
  eventOf,
  isOwnSchema,
  microsFields,
  OrderEvents,
  PaymentEvents,
  readerSchema,
} from "../schemas/container_events.js";
import type { EventKind, Order, Payment } from "../schemas/events.js";
import { orderFromJson, paymentFromJson } from "../schemas/json_event.js";
import { Malformed, undecodable } from "../schemas/malformed.js";
import { type DeadLetter, FILE_LOG, type Refused, recordDeadLetter } from "./dead_letter.js";
import { deadLetterCoder } from "./dead_letter_coder.js";
import { type EventDecoderConfig, refusalOf } from "./decode.js";
import { ReceivedEvent, receivedOrderCoder, receivedPaymentCoder } from "./received_event.js";

type Received<E> = KV<string, ReceivedEvent<E>>;

/** Files tell no time of a record. */
const NO_TIMESTAMP = -1;
const OPEN_BRACE = 0x7b;

/** What decodes one kind of event. */
interface Kind<E> {
  readonly kind: EventKind;
  newReader(): ContainerEvents<E>;
  fromJson(buffer: Buffer, start: number, end: number): E | Malformed;
}

const ORDERS: Kind<Order> = { kind: "order", newReader: () => new OrderEvents(), fromJson: orderFromJson };
const PAYMENTS: Kind<Payment> = {
  kind: "payment",
  newReader: () => new PaymentEvents(),
  fromJson: paymentFromJson,
};

class EventFileDecoder<E extends Order | Payment> implements FileDecoder<Received<E>, DeadLetter> {
  readonly #timeoutMs: number;
  readonly #maxAheadOfClockMs: number;
  #place: FilePlace | undefined;
  #from: TopicPartition = { topic: "", partition: 0, log: FILE_LOG };

  constructor(
    private readonly events: Kind<E>,
    { timeoutMs, maxAheadOfClockMs }: EventDecoderConfig,
  ) {
    this.#timeoutMs = timeoutMs;
    this.#maxAheadOfClockMs = maxAheadOfClockMs ?? Number.POSITIVE_INFINITY;
  }

  container(schema: string): RecordReader<Received<E>, DeadLetter> {
    const { kind } = this.events;
    const events = isOwnSchema(kind, schema) ? this.events.newReader() : new ResolvedEvents<E>(kind, schema);
    return {
      get end() {
        return events.end;
      },
      read: (buffer, start, limit, place, index, watermark, now) => {
        const event = events.read(buffer, start, limit);
        const { end } = events;
        if (Number.isNaN(end)) throw new DamagedBlockError((event as Malformed).message);
        return this.#received(event, buffer, start, end, place, index, watermark, now);
      },
    };
  }

  line(
    buffer: Buffer,
    start: number,
    end: number,
    place: FilePlace,
    offset: number,
    watermark: number,
    now: number,
  ): Received<E> | RejectedRecord<DeadLetter> {
    let first = start;
    while (buffer[first] === 0x20 || buffer[first] === 0x09) first++;
    const event =
      buffer[first] === OPEN_BRACE
        ? this.events.fromJson(buffer, first, end)
        : undecodable("the line is no JSON object");
    return this.#received(event, buffer, start, end, place, offset, watermark, now);
  }

  #received(
    event: E | Malformed,
    buffer: Buffer,
    start: number,
    end: number,
    place: FilePlace,
    offset: number,
    watermark: number,
    now: number,
  ): Received<E> | RejectedRecord<DeadLetter> {
    const from = this.#fromOf(place);
    if (event instanceof Malformed) return reject(event, from, offset, buffer.subarray(start, end));
    const refusal = refusalOf(event, watermark, now, this.#timeoutMs, this.#maxAheadOfClockMs);
    if (refusal !== undefined) return reject(refusal, from, offset, buffer.subarray(start, end));
    const received = new ReceivedEvent<E>(
      event,
      watermark,
      from,
      offset,
      NO_TIMESTAMP,
      buffer,
      -1,
      -1,
      start,
      end,
    );
    return { key: event.order_id, value: received };
  }

  /** One object for all records of a block. */
  #fromOf(place: FilePlace): TopicPartition {
    if (place !== this.#place) {
      this.#place = place;
      this.#from = { topic: place.path, partition: place.block, log: FILE_LOG };
    }
    return this.#from;
  }

  unreadable({ path, offset, reason, bytes, isBlock }: UnreadablePart): DeadLetter {
    const origin = { topic: path, partition: isBlock ? offset : 0, log: FILE_LOG };
    return recordDeadLetter({ reason: "UNDECODABLE", message: reason }, origin, {
      offset: isBlock ? 0 : offset,
      timestamp: NO_TIMESTAMP,
      key: null,
      value: bytes,
    });
  }

  eventTime({ value }: Received<E>): number {
    return value.event.created_at;
  }
}

function reject(
  refused: Refused,
  from: TopicPartition,
  offset: number,
  value: Buffer,
): RejectedRecord<DeadLetter> {
  const record = { offset, timestamp: NO_TIMESTAMP, key: null, value };
  return new RejectedRecord(recordDeadLetter(refused, from, record));
}

/** Events of a file that was written with another schema than ours. */
class ResolvedEvents<E extends Order | Payment> implements ContainerEvents<E> {
  end = 0;
  readonly #values: AvroValues;
  readonly #micros: ReadonlySet<string>;

  constructor(
    private readonly kind: EventKind,
    schema: string,
  ) {
    // The file's own schema is looked at first: what is wrong with it is told before what does not fit ours.
    AvroValues.of(schema);
    try {
      this.#values = AvroValues.of(schema, avsc.Type.forSchema(JSON.parse(readerSchema(kind, schema))));
    } catch (error) {
      throw new Error(`its records cannot be read as ${kind}s: ${(error as Error).message}`);
    }
    this.#micros = microsFields(schema);
  }

  read(buffer: Buffer, start: number, limit: number): E | Malformed {
    const values = this.#values.read(buffer, start, limit) as Record<string, string | number | null>;
    this.end = this.#values.end;
    return eventOf(this.kind, values, this.#micros) as E | Malformed;
  }
}

/** Of files of orders. */
export const ORDER_FILE_DECODER = registerFileDecoder({
  urn: "order-payment-stream:order_files",
  coder: new KVCoder(StringUtf8Coder.INSTANCE, receivedOrderCoder),
  rejectedCoder: deadLetterCoder,
  create: (config: EventDecoderConfig) => new EventFileDecoder(ORDERS, config),
});
/** Of files of payments. */
export const PAYMENT_FILE_DECODER = registerFileDecoder({
  urn: "order-payment-stream:payment_files",
  coder: new KVCoder(StringUtf8Coder.INSTANCE, receivedPaymentCoder),
  rejectedCoder: deadLetterCoder,
  create: (config: EventDecoderConfig) => new EventFileDecoder(PAYMENTS, config),
});
