/** Decoders from the functions that know the events: of Avro values or of JSON, what their event is and when it was. */
import { type Coder, coders, type TimestampMs } from "@order-payment-stream/beam";

import { AvroValues, typeOf } from "./avro_values.js";
import {
  type FileDecoder,
  type FileDecoderDescriptor,
  RejectedRecord,
  registerFileDecoder,
} from "./file_decoder.js";

/** The definition of a decoder. `T` is the event. */
export interface FileDecoderDefinition<T> {
  /** The permanent name of the decoder, in jobs and in kept state. */
  readonly urn: string;
  readonly coder: Coder<T>;
  /** As which Avro schema containers are read, JSON. Default: the one that they were written with. */
  readonly schema?: string;
  /**
   * The event of a record; what it throws is the reason for which the record is rejected.
   *
   * @param record an Avro value, as avsc has it with logical types left alone, or what JSON.parse gives of a line
   */
  value(record: any): T;
  /** When the event took place, ms since the epoch. */
  eventTime(event: T): TimestampMs;
}

/**
 * Defines and registers a decoder for `readFromFiles`. A record that it rejects is reported as one line of text: path,
 * offset and reason.
 *
 * @returns what ReadFromFiles.decoder takes
 */
export function defineFileDecoder<T>(definition: FileDecoderDefinition<T>): FileDecoderDescriptor<T, string> {
  const wanted = definition.schema === undefined ? undefined : typeOf(definition.schema);
  const event = (record: unknown, place: string): T | RejectedRecord<string> => {
    try {
      const value = definition.value(record);
      const time = definition.eventTime(value);
      if (!Number.isSafeInteger(time))
        throw new TypeError(`its event time is ${time}, not whole milliseconds`);
      return value;
    } catch (error) {
      return new RejectedRecord(`${place}: ${(error as Error).message}`);
    }
  };
  const decoder: FileDecoder<T, string> = {
    eventTime: (value) => definition.eventTime(value),
    unreadable: ({ path, offset, reason }) => `${path}, at byte ${offset}: ${reason}`,
    container(schema) {
      const values = AvroValues.of(schema, wanted);
      return {
        get end() {
          return values.end;
        },
        read: (buffer, start, limit, { path, block }, index) =>
          event(values.read(buffer, start, limit), `${path}, record ${index} of the block at byte ${block}`),
      };
    },
    line(buffer, start, end, { path }, offset) {
      const place = `${path}, line at byte ${offset}`;
      let record: unknown;
      try {
        record = JSON.parse(buffer.toString("utf8", start, end));
      } catch (error) {
        return new RejectedRecord(`${place}: ${(error as Error).message}`);
      }
      return event(record, place);
    },
  };
  return registerFileDecoder({
    urn: definition.urn,
    coder: definition.coder,
    rejectedCoder: coders.string,
    create: () => decoder,
  });
}
