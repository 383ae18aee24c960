/** Decoders of JSON records, from the two functions that know the events: their value, and their time. */
import { type Coder, coders, type TimestampMs } from "@order-payment-stream/beam";
import type { RecordCursor } from "./client/kafka_client.js";
import {
  type RecordDecoder,
  type RecordDecoderDescriptor,
  Rejected,
  registerRecordDecoder,
  type TopicPartition,
} from "./record_decoder.js";

/** How a JSON decoder reads a record. `T` is the event. */
export interface JsonEvents<T> {
  /**
   * The event of a record; what it throws is the reason for which the record is rejected.
   *
   * @param json the value; `null` for a record without one
   * @param key as UTF-8; `null` for a record without one
   */
  value(json: any, key: string | null): T;
  /** When the event took place, ms since the epoch. */
  eventTime(event: T): TimestampMs;
}

/** The definition of a JSON decoder. `T` is the event. */
export interface JsonDecoderDefinition<T> extends JsonEvents<T> {
  /** The permanent name of the decoder, in jobs and in kept state. */
  readonly urn: string;
  readonly coder: Coder<T>;
}

/**
 * Defines and registers a decoder for `readFromKafka`. A record that it rejects is reported as one line of text: topic,
 * partition, offset and reason. Throws when its URN is taken.
 *
 * @returns what ReadFromKafka.decoder takes
 */
export function defineJsonDecoder<T>(
  definition: JsonDecoderDefinition<T>,
): RecordDecoderDescriptor<T, string> {
  const decoder = jsonDecoder(definition);
  return registerRecordDecoder({
    urn: definition.urn,
    coder: definition.coder,
    rejectedCoder: coders.string,
    create: () => decoder,
  });
}

/** A decoder of JSON that reports what it rejects as a line of text. */
export function jsonDecoder<T>(events: JsonEvents<T>): RecordDecoder<T, string> {
  return {
    eventTime: (event) => events.eventTime(event),
    unreadable: (records, from) => `${from.topic}/${from.partition}: ${records.message}`,
    decode(record, from) {
      try {
        const text = textOf(record, record.valueStart, record.valueEnd);
        const event = events.value(
          text === null ? null : JSON.parse(text),
          textOf(record, record.keyStart, record.keyEnd),
        );
        const time = events.eventTime(event);
        if (!Number.isSafeInteger(time))
          throw new TypeError(`its event time is ${time}, not whole milliseconds`);
        return event;
      } catch (error) {
        return new Rejected(`${placeOf(record, from)}: ${(error as Error).message}`);
      }
    },
  };
}

function textOf({ buffer }: RecordCursor, start: number, end: number): string | null {
  return start < 0 ? null : buffer.toString("utf8", start, end);
}

function placeOf({ offset }: RecordCursor, { topic, partition }: TopicPartition): string {
  return `${topic}/${partition} at offset ${offset}`;
}
