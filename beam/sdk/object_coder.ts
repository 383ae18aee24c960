/**
 * Objects with named fields, from one description that gives their type and their coder:
 *
 *     const click = coders.object({ user: "string", at: "timestamp", referrer: "string?", tags: ["string"] });
 *     type Click = ValueOf<typeof click>; // { user: string; at: number; referrer: string | null; tags: readonly string[] }
 *
 * They travel as Beam rows, so other languages and tools read them by their schema. An `int` is an int64 of the row,
 * under a logical type that says that it is a `number` here.
 */
import type { Coder } from "../model/coders/coder.js";
import { INT53_URN, MILLIS_INSTANT_URN } from "../model/coders/logical_types.js";
import { RowCoder } from "../model/coders/row_coder.js";
import type { Field, FieldType, Schema } from "../model/coders/schema.js";
import type { TimestampMs } from "../model/timestamps.js";

/** What the names of types stand for. */
interface NamedTypes {
  readonly string: string;
  /** A whole number that a double holds exactly: up to 2^53 on either side of zero. */
  readonly int: number;
  /** A whole number of 64 bits. */
  readonly bigint: bigint;
  readonly double: number;
  readonly bool: boolean;
  readonly bytes: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly timestamp: TimestampMs;
}

type TypeName = keyof NamedTypes;

/** The type of a field: a name, followed by `?` if it may be null; the fields of an object; or `[element]`. */
export type FieldDescription = TypeName | `${TypeName}?` | ObjectDescription | readonly [FieldDescription];

/** The fields of an object, by their names. */
export type ObjectDescription = { readonly [name: string]: FieldDescription };

/** The type of a field with this description. */
export type Described<F> = F extends `${infer N extends TypeName}?`
  ? NamedTypes[N] | null
  : F extends TypeName
    ? NamedTypes[F]
    : F extends readonly [infer E]
      ? readonly Described<E>[]
      : { readonly [N in keyof F]: Described<F[N]> };

/** A coder of objects, with the schema of their fields. */
export interface ObjectCoder<T> extends Coder<T> {
  readonly schema: Schema;
}

const TYPES: Readonly<Record<TypeName, FieldType>> = {
  string: { kind: "string" },
  int: { kind: "logical", urn: INT53_URN, representation: { kind: "int64" } },
  bigint: { kind: "int64" },
  double: { kind: "double" },
  bool: { kind: "boolean" },
  bytes: { kind: "bytes" },
  timestamp: { kind: "logical", urn: MILLIS_INSTANT_URN, representation: { kind: "int64" } },
};

/**
 * The coder of objects with these fields.
 *
 * @throws TypeError for a description that names no type
 */
export function object<const D extends ObjectDescription>(fields: D): ObjectCoder<Described<D>> {
  return new RowCoder(schemaOf(fields, "")) as unknown as ObjectCoder<Described<D>>;
}

/** Whether a field of this type holds a timestamp, in milliseconds since the epoch. */
export function isTimestamp(type: FieldType): boolean {
  return type.kind === "logical" && type.urn === MILLIS_INSTANT_URN;
}

function schemaOf(description: ObjectDescription, within: string): Schema {
  const fields = Object.entries(description).map(
    ([name, field]): Field => ({ name, type: typeOf(field, `${within}${name}`) }),
  );
  if (fields.length === 0)
    throw new TypeError(`coders.object: ${within === "" ? "it" : within} has no fields`);
  return { fields };
}

function typeOf(field: FieldDescription, path: string): FieldType {
  if (typeof field === "string") {
    const nullable = field.endsWith("?");
    const type = TYPES[(nullable ? field.slice(0, -1) : field) as TypeName];
    if (type === undefined) throw unknownType(path, field);
    return { ...type, nullable };
  }
  if (Array.isArray(field) && field.length === 1)
    return { kind: "array", element: typeOf(field[0], `${path}[]`) };
  if (Array.isArray(field) || typeof field !== "object" || field === null) throw unknownType(path, field);
  return { kind: "row", schema: schemaOf(field as ObjectDescription, `${path}.`) };
}

function unknownType(path: string, field: unknown): TypeError {
  const names = Object.keys(TYPES).join(", ");
  return new TypeError(
    `coders.object: the field "${path}" is described by ${JSON.stringify(field)}; expected one of ${names}, ` +
      'with "?" behind it if it may be null, the fields of an object, or [element]',
  );
}
