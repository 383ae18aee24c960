/**
 * Reads a topic of JSON objects by the description of their fields alone: no decoder is written, and none has to be
 * registered on a worker.
 */
import {
  type Coder,
  type Collection,
  coders,
  type FieldType,
  type KV,
  type ObjectCoder,
  type Root,
  type Schema,
} from "@order-payment-stream/beam";
import { isTimestamp, objectFromJson } from "@order-payment-stream/beam/io";
import { jsonDecoder } from "./define_decoder.js";
import { type ReadFromKafka, readFromKafka } from "./read_from_kafka.js";
import { type RecordDecoder, registerRecordDecoder } from "./record_decoder.js";

/** The fields of `T` that hold a number. */
export type NumberField<T> = { [N in keyof T]: T[N] extends number ? N : never }[keyof T] & string;
/** The fields of `T` that can be a key: they hold something, and equal values have equal bytes. */
export type KeyField<T> = {
  [N in keyof T]: T[N] extends string | number | bigint | boolean ? N : never;
}[keyof T] &
  string;

/** Options of `readJsonFromKafka`: those of ReadFromKafka, and what the events are. */
export type ReadJsonFromKafka<T, K extends string | undefined> = Omit<
  ReadFromKafka<T, string, null>,
  "decoder" | "decoderConfig"
> & {
  /** Made by `coders.object`. */
  readonly event: ObjectCoder<T>;
  /** The field whose value is the key of the events. Without it they have none. */
  readonly key?: K;
  /** The timestamp field that says when an event took place. */
  readonly eventTime: NumberField<T>;
};

type JsonObjects = { readonly schema: Schema; readonly key: string | null; readonly eventTime: string };

const JSON_OBJECTS = registerRecordDecoder({
  urn: "beam:ts:kafka_json_objects:v1",
  coder: coders.object({ any: "string?" }) as ObjectCoder<any>,
  rejectedCoder: coders.string,
  create: ({ schema, key, eventTime }: JsonObjects): RecordDecoder<any, string> => {
    const read = objectFromJson(schema);
    const object = (json: unknown) => {
      if (json === null) throw new TypeError("it has no value");
      return read(json);
    };
    return key === null
      ? jsonDecoder({ value: object, eventTime: (event) => event[eventTime] as number })
      : jsonDecoder({
          value: (json) => {
            const value = object(json);
            return { key: value[key], value };
          },
          eventTime: ({ value }) => value[eventTime] as number,
        });
  },
});

/**
 * Reads a topic of JSON objects. Fields that the description does not name are left out. A record that does not fit it
 * is one line of text in `rejected`: topic, partition, offset and reason.
 *
 * @returns events, as KVs where a key is named, and reports of records that were rejected
 * @throws TypeError for a key or an event time that cannot be one
 */
export function readJsonFromKafka<T, K extends KeyField<T> | undefined = undefined>(
  name: string,
  root: Root,
  { event, key, eventTime, ...options }: ReadJsonFromKafka<T, K>,
): {
  readonly events: Collection<K extends keyof T ? KV<T[K], T> : T>;
  readonly rejected: Collection<string>;
} {
  const typeOf = (field: string): FieldType => {
    const type = event.schema.fields.find((candidate) => candidate.name === field)?.type;
    if (type === undefined) throw new TypeError(`${name}: the events have no field "${field}"`);
    return type;
  };
  const time = typeOf(eventTime);
  if (!isTimestamp(time) || time.nullable) {
    throw new TypeError(
      `${name}: the event time comes from a field of the type "timestamp", which "${eventTime}" is not`,
    );
  }
  const keyCoder = key === undefined ? undefined : keyCoderOf(typeOf(key));
  if (key !== undefined && keyCoder === undefined) {
    throw new TypeError(
      `${name}: "${key}" cannot be the key: a key is a text, a whole number or a bool, and never null`,
    );
  }
  const decoderConfig: JsonObjects = { schema: event.schema, key: key ?? null, eventTime };
  const coder = keyCoder === undefined ? event : coders.kv(keyCoder, event);
  return readFromKafka<any, string, JsonObjects>(name, root, {
    ...options,
    decoder: { ...JSON_OBJECTS, coder },
    decoderConfig,
  } as ReadFromKafka<any, string, JsonObjects>);
}

/** Undefined for what cannot be a key. */
function keyCoderOf(type: FieldType): Coder<any> | undefined {
  if (type.nullable) return undefined;
  switch (type.kind) {
    case "string":
      return coders.string;
    case "int64":
      return coders.bigint;
    case "boolean":
      return coders.bool;
    case "logical":
      return coders.int;
    default:
      return undefined;
  }
}
