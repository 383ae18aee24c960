/**
 * Writes objects as documents, with an `_id` made of some of their fields: no sink is written, and none has to be
 * registered on a worker.
 */
import {
  type Collection,
  type FieldType,
  type Json,
  type KV,
  type ObjectCoder,
  parDo,
  registerDoFn,
  type Schema,
} from "@order-payment-stream/beam";
import { coderOf, isTimestamp } from "@order-payment-stream/beam/io";
import type { Document } from "mongodb";
import { LineReportingSink } from "./rejected_lines.js";

/** Options of `writeToMongo`. */
export interface WriteToMongo<T> {
  /** Name of the MongoDB connection; see registerMongoConnection. */
  readonly connection: string;
  readonly database: string;
  readonly collection: string;
  /**
   * The field, or the fields, that tell elements apart. The `_id` is the value of the one, or an object of them all, so a
   * bundle that is repeated after a failure writes what is there already.
   */
  readonly id: (keyof T & string) | readonly [keyof T & string, ...(keyof T & string)[]];
}

/**
 * Writes each object (coders.object) as a document: its fields, with timestamps as Dates, beside the `_id`.
 *
 * @returns the documents that could not be written: the reason, and the document in Extended JSON
 * @throws TypeError for elements that are no objects, and an `id` that is none of their fields
 */
export function writeToMongo<T extends object>(
  name: string,
  input: Collection<T>,
  { id, ...place }: WriteToMongo<T>,
): { readonly rejected: Collection<KV<string, string>> } {
  const { schema } = coderOf(input) as Partial<ObjectCoder<T>>;
  if (schema === undefined) {
    throw new TypeError(
      `${name}: its elements are not objects. Give the preceding output a coder made by coders.object, or use defineMongoSink`,
    );
  }
  const ids = typeof id === "string" ? [id] : [...id];
  if (schema.fields.some((field) => field.name === "_id") && ids.join() !== "_id") {
    throw new TypeError(
      `${name}: the elements have a field "_id": name it as the id, or give it another name`,
    );
  }
  for (const field of ids) {
    const type = schema.fields.find((candidate) => candidate.name === field)?.type;
    if (type === undefined)
      throw new TypeError(`${name}: the elements have no field "${field}" for their _id`);
    if (type.kind === "array")
      throw new TypeError(`${name}: "${field}" is an array, which MongoDB does not accept as an _id`);
  }
  return parDo(name, input, new WriteObjects({ ...place, ids, schema: schema as unknown as Json }));
}

/** Internal: `writeToMongo` makes it. */
class WriteObjects extends LineReportingSink<any> {
  static readonly urn = "beam:dofn:ts:mongodb_write_objects:v1";
  readonly #ids = this.config.ids as readonly string[];
  readonly #documentOf = documents(this.config.schema as unknown as Schema);

  toDocument(element: any): Document {
    const fields = this.#documentOf(element) as Document;
    const [first, ...others] = this.#ids;
    const _id =
      others.length === 0
        ? fields[first!]
        : Object.fromEntries(this.#ids.map((name) => [name, fields[name]]));
    if (_id === null) throw new TypeError(`"${first}" is null, and cannot be the _id`);
    return { _id, ...fields };
  }
}
registerDoFn(WriteObjects);

type Convert = (value: any) => unknown;

/** Documents of objects of a schema. */
function documents({ fields }: Schema): Convert {
  const converters = fields.map(({ name, type }) => ({ name, convert: converter(type) }));
  return (object) => {
    const document: Record<string, unknown> = {};
    for (const { name, convert } of converters) {
      const value = object[name] ?? null;
      document[name] = value === null || convert === undefined ? value : convert(value);
    }
    return document;
  };
}

/** Undefined for what is stored as it is. */
function converter(type: FieldType): Convert | undefined {
  if (isTimestamp(type)) return (time: number) => new Date(time);
  if (type.kind === "row") return documents(type.schema);
  if (type.kind !== "array") return undefined;
  const element = converter(type.element);
  return (
    element &&
    ((values: readonly unknown[]) => values.map((value) => (value === null ? null : element(value))))
  );
}
