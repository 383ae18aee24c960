/**
 * The schema that a value was written with, as avsc's types. Logical types stay visible, since a timestamp means another
 * number in each of them; defaults do not, for only a reader has any use for its own.
 */
import avsc from "avsc";
import { fingerprintOf } from "./fingerprint.js";

/** An Avro schema as a registry or a file holds it. */
export interface WriterSchema {
  /** JSON. */
  readonly schema: string;
  /** Schemas that define the names which this one only uses, JSON too, each behind those that it uses itself. */
  readonly references: readonly string[];
}

/** @throws Error that says what is wrong with the schema */
export function writerType({ schema, references }: WriterSchema): avsc.Type {
  const options = { registry: {}, logicalTypes: LOGICAL_TYPES, wrapUnions: "always" } as const;
  for (const reference of references) avsc.Type.forSchema(withoutDefaults(parsed(reference)), options);
  return avsc.Type.forSchema(withoutDefaults(parsed(schema)), options);
}

/** What single-object encoding has in front of the bodies of this schema. */
export function writerFingerprint(type: avsc.Type): bigint {
  return fingerprintOf(type);
}

/** The logical type of a type, and what it is without it. */
export function underlying(type: avsc.Type): {
  readonly plain: avsc.Type;
  readonly logical: string | undefined;
} {
  if (!(type instanceof KeptLogicalType)) return { plain: type, logical: undefined };
  return { plain: type.underlyingType, logical: type.typeName.slice("logical:".length) };
}

/** Values never go through it. */
class KeptLogicalType extends avsc.types.LogicalType {
  protected override _fromValue(value: unknown): unknown {
    return value;
  }

  protected override _toValue(value: unknown): unknown {
    return value;
  }
}

/** Those by which a number or bytes mean something else; of the others nothing depends on them. */
const LOGICAL_TYPES = Object.fromEntries(
  [
    "timestamp-millis",
    "timestamp-micros",
    "timestamp-nanos",
    "local-timestamp-millis",
    "local-timestamp-micros",
    "local-timestamp-nanos",
    "date",
    "time-millis",
    "time-micros",
    "decimal",
    "duration",
  ].map((name) => [name, KeptLogicalType]),
);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // A registry may hand out a primitive schema as its bare name.
    if (/^[a-z]+$/.test(text)) return text;
    throw new Error(`it is not JSON: ${(error as Error).message}`);
  }
}

/** Registries and other libraries let pass defaults that do not fit their type, which avsc does not. */
function withoutDefaults(schema: unknown): any {
  if (Array.isArray(schema)) return schema.map(withoutDefaults);
  if (typeof schema !== "object" || schema === null) return schema;
  const { default: _, ...rest } = schema as Record<string, unknown>;
  const { fields } = rest;
  const whole: Record<string, unknown> = { ...rest };
  if (Array.isArray(fields)) whole.fields = fields.map(withoutDefaults);
  for (const inner of ["type", "items", "values"]) {
    if (inner in whole) whole[inner] = withoutDefaults(whole[inner]);
  }
  return whole;
}
