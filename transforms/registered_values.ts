/**
 * Values that name their writer's schema by its id in a schema registry. In front of the value:
 *
 *   00, id (4 bytes, big-endian), Avro body
 *   01, GUID (16 bytes), Avro body
 *
 * or the same bytes in the header __value_schema_id, and the value is the body alone. The header counts first. Apicurio's
 * own serializers have an id of eight bytes in a header of theirs instead, unless they are told not to: that of the content
 * is the id that Confluent's interface knows; the global one is not.
 * Sources: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/#wire-format,
 * https://www.apicur.io/registry/docs/apicurio-registry/2.6.x/getting-started/assembly-configuring-kafka-client-serdes.html
 */
import {
  NotReady,
  type RecordCursor,
  type SchemaLookup,
  type SchemaRegistry,
  SchemaRegistryError,
  schemaRegistries,
  UnknownSchema,
} from "@order-payment-stream/kafka";

import type { EventDecoder } from "../schemas/decode.js";
import type { EventKind, EventOfKind } from "../schemas/events.js";
import { type Malformed, undecodable } from "../schemas/malformed.js";
import { resolveSchema } from "../schemas/resolve_schema.js";
import { writerType } from "../schemas/writer_schema.js";

const SCHEMA_ID_HEADER = Buffer.from("__value_schema_id");

const APICURIO_CONTENT_ID = Buffer.from("apicurio.value.contentId");
const APICURIO_GLOBAL_ID = Buffer.from("apicurio.value.globalId");
const APICURIO_ID_LENGTH = 8;

const ID = 0x00;
const GUID = 0x01;
const ID_LENGTH = 5;
const GUID_LENGTH = 17;
/** Schemas whose readers are kept; beyond, all are made anew as they come. */
const BODIES_MAX = 10_000;

/** A reader of bodies, or what is to be said of each of them. */
type Body<E> = EventDecoder<E> | Malformed;

export class RegisteredValues<K extends EventKind> {
  #registry: SchemaRegistry | undefined;
  /** By id, or by GUID. */
  readonly #bodies = new Map<number | string, Body<EventOfKind[K]>>();
  /** As most values have the same one. */
  #lastId = -1;
  #lastBody: Body<EventOfKind[K]> | undefined;

  /** @param registryName see schema_registries.ts */
  constructor(
    private readonly kind: K,
    private readonly registryName: string,
  ) {}

  async setup(): Promise<void> {
    this.#registry = await schemaRegistries.acquire(this.registryName);
  }

  teardown(): Promise<void> {
    return schemaRegistries.release(this.registryName);
  }

  /** Undefined: the record's value names no schema in this way. */
  decode(record: RecordCursor): EventOfKind[K] | Malformed | NotReady | undefined {
    const { buffer, valueStart, valueEnd } = record;
    if (record.findHeader(SCHEMA_ID_HEADER)) {
      const { headerStart, headerEnd } = record;
      const length = idLengthAt(buffer, headerStart, headerEnd);
      if (length !== headerEnd - headerStart) {
        const bytes = buffer.toString("hex", headerStart, Math.min(headerEnd, headerStart + GUID_LENGTH));
        return undecodable(`the header ${SCHEMA_ID_HEADER} holds no schema id: 0x${bytes}`);
      }
      return this.#read(buffer, headerStart, length, valueStart, valueEnd);
    }
    if (
      record.findHeader(APICURIO_CONTENT_ID) &&
      record.headerEnd - record.headerStart === APICURIO_ID_LENGTH
    ) {
      const body = this.#bodyOf(Number(buffer.readBigInt64BE(record.headerStart)));
      return typeof body === "function" ? body(buffer, valueStart, valueEnd) : body;
    }
    const length = idLengthAt(buffer, valueStart, valueEnd);
    return length === 0 ? undefined : this.#read(buffer, valueStart, length, valueStart + length, valueEnd);
  }

  #read(
    buffer: Buffer,
    idAt: number,
    idLength: number,
    start: number,
    end: number,
  ): EventOfKind[K] | Malformed | NotReady {
    const body =
      idLength === ID_LENGTH ? this.#bodyOfId(buffer, idAt + 1) : this.#bodyOfGuid(buffer, idAt + 1);
    return typeof body === "function" ? body(buffer, start, end) : body;
  }

  #bodyOfId(buffer: Buffer, at: number): Body<EventOfKind[K]> | NotReady {
    return this.#bodyOf(
      buffer[at]! * 0x100_0000 + ((buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!),
    );
  }

  #bodyOf(id: number): Body<EventOfKind[K]> | NotReady {
    if (id === this.#lastId) return this.#lastBody!;
    const body = this.#bodies.get(id) ?? this.#make(id, `schema id ${id}`, this.#lookUp().byId(id));
    if (typeof body === "function") {
      this.#lastId = id;
      this.#lastBody = body;
    }
    return body;
  }

  #bodyOfGuid(buffer: Buffer, at: number): Body<EventOfKind[K]> | NotReady {
    const hex = buffer.toString("hex", at, at + GUID_LENGTH - 1);
    const known = this.#bodies.get(hex);
    if (known !== undefined) return known;
    const guid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
    return this.#make(hex, `schema GUID ${guid}`, this.#lookUp().byGuid(guid));
  }

  #lookUp(): SchemaRegistry {
    if (this.#registry === undefined)
      throw new SchemaRegistryError("a record was decoded before its decoder was set up");
    return this.#registry;
  }

  /** What is not known may be another time, and is not kept here. */
  #make(key: number | string, name: string, found: SchemaLookup): Body<EventOfKind[K]> | NotReady {
    if (found instanceof NotReady) return found;
    if (found instanceof UnknownSchema) return undecodable(`the value is of ${name}, ${found.reason}`);
    const { kind } = this;
    const made =
      found.schemaType === "AVRO" ? bodyOf(kind, found) : `a schema of type ${found.schemaType}, not AVRO`;
    const body =
      typeof made === "string" ? undecodable(`the value is of ${name}, which is no ${kind}: ${made}`) : made;
    if (this.#bodies.size >= BODIES_MAX) this.#bodies.clear();
    this.#bodies.set(key, body);
    return body;
  }
}

/** What is said of a value that cannot be read, by its headers; undefined: they say nothing. */
export function schemaHeaderOf(record: RecordCursor, hasRegistry: boolean): string | undefined {
  if (record.findHeader(APICURIO_GLOBAL_ID)) {
    return (
      `the header ${APICURIO_GLOBAL_ID} names a schema by an id that Confluent's interface does not know: ` +
      "set apicurio.registry.use-id=contentId where it is written"
    );
  }
  const header = [SCHEMA_ID_HEADER, APICURIO_CONTENT_ID].find((name) => record.findHeader(name));
  if (header === undefined || hasRegistry) return undefined;
  return `the header ${header} names a schema, and no schema registry is configured`;
}

/** 0: what is there is no id of a schema. */
function idLengthAt(buffer: Buffer, start: number, end: number): number {
  const magic = buffer[start];
  const length = magic === ID ? ID_LENGTH : magic === GUID ? GUID_LENGTH : 0;
  return length <= end - start ? length : 0;
}

function bodyOf<K extends EventKind>(
  kind: K,
  schema: { readonly schema: string; readonly references: readonly string[] },
): EventDecoder<EventOfKind[K]> | string {
  try {
    return resolveSchema(kind, writerType(schema));
  } catch (error) {
    return `its schema cannot be read: ${(error as Error).message.slice(0, 200)}`;
  }
}
