/**
 * The types of rows. A Schema is what `beam:coder:row:v1` carries as its payload (schema.proto, Schema); of that
 * message, descriptions, ids of single fields and options are left out.
 */
import * as schemaApi from "apache-beam/proto/schema";
import { CorruptBytesError } from "../bytes.js";

/** How each atomic type looks in memory: int64 is a bigint, bytes a Uint8Array, the other numbers are numbers. */
export type AtomicKind =
  | "byte"
  | "int16"
  | "int32"
  | "int64"
  | "float"
  | "double"
  | "string"
  | "boolean"
  | "bytes";

/** The type of a field, and whether it may be null. */
export type FieldType = { readonly nullable?: boolean } & (
  | { readonly kind: AtomicKind }
  | { readonly kind: "array" | "iterable"; readonly element: FieldType }
  | { readonly kind: "map"; readonly key: FieldType; readonly value: FieldType }
  | { readonly kind: "row"; readonly schema: Schema }
  | LogicalFieldType
);

/** A type with a meaning of its own, carried by another type. Which are known: see logical_types.ts. */
export interface LogicalFieldType {
  readonly kind: "logical";
  readonly urn: string;
  readonly representation: FieldType;
  /** The parameter of the type (a length or precision), when it is an int32. */
  readonly argument?: number;
}

/** A field of a row. */
export interface Field {
  readonly name: string;
  readonly type: FieldType;
  /** Place in the encoded row, 0-based; the place in the schema where absent. All fields have it, or none. */
  readonly encodingPosition?: number;
}

/** The fields of a row, in their order. */
export interface Schema {
  readonly fields: readonly Field[];
  /** A UUID, or "". */
  readonly id?: string;
}

const ATOMIC_KINDS: Partial<Record<schemaApi.AtomicType, AtomicKind>> = {
  [schemaApi.AtomicType.BYTE]: "byte",
  [schemaApi.AtomicType.INT16]: "int16",
  [schemaApi.AtomicType.INT32]: "int32",
  [schemaApi.AtomicType.INT64]: "int64",
  [schemaApi.AtomicType.FLOAT]: "float",
  [schemaApi.AtomicType.DOUBLE]: "double",
  [schemaApi.AtomicType.STRING]: "string",
  [schemaApi.AtomicType.BOOLEAN]: "boolean",
  [schemaApi.AtomicType.BYTES]: "bytes",
};

const ATOMIC_TYPES = Object.fromEntries(
  Object.entries(ATOMIC_KINDS).map(([type, kind]) => [kind, Number(type)]),
) as Record<AtomicKind, schemaApi.AtomicType>;

/** Throws CorruptBytesError for bytes that are no Schema, and an Error for a type that is not supported. */
export function schemaFromBytes(payload: Uint8Array): Schema {
  let proto: schemaApi.Schema;
  try {
    proto = schemaApi.Schema.fromBinary(payload);
  } catch (error) {
    throw new CorruptBytesError("the payload of a row coder is no Schema", { cause: error });
  }
  return schemaFromProto(proto);
}

export function schemaToBytes(schema: Schema): Uint8Array {
  return schemaApi.Schema.toBinary(schemaToProto(schema));
}

function schemaFromProto(proto: schemaApi.Schema): Schema {
  const fields = proto.fields.map(({ name, type, encodingPosition }) => ({
    name,
    type: typeFromProto(name, type),
    ...(proto.encodingPositionsSet && { encodingPosition }),
  }));
  return { fields, id: proto.id };
}

function typeFromProto(field: string, proto: schemaApi.FieldType | undefined): FieldType {
  const nullable = proto?.nullable ?? false;
  const info = proto?.typeInfo;
  switch (info?.oneofKind) {
    case "atomicType": {
      const kind = ATOMIC_KINDS[info.atomicType];
      if (kind !== undefined) return { kind, nullable };
      break;
    }
    case "arrayType":
      return { kind: "array", nullable, element: typeFromProto(field, info.arrayType.elementType) };
    case "iterableType":
      return { kind: "iterable", nullable, element: typeFromProto(field, info.iterableType.elementType) };
    case "mapType": {
      const { keyType, valueType } = info.mapType;
      return {
        kind: "map",
        nullable,
        key: typeFromProto(field, keyType),
        value: typeFromProto(field, valueType),
      };
    }
    case "rowType":
      if (info.rowType.schema !== undefined) {
        return { kind: "row", nullable, schema: schemaFromProto(info.rowType.schema) };
      }
      break;
    case "logicalType": {
      const { urn, representation, argument } = info.logicalType;
      if (representation === undefined) break;
      const type = {
        kind: "logical",
        nullable,
        urn,
        representation: typeFromProto(field, representation),
      } as const;
      const value = argument?.fieldValue;
      return value?.oneofKind === "atomicValue" && value.atomicValue.value.oneofKind === "int32"
        ? { ...type, argument: value.atomicValue.value.int32 }
        : type;
    }
  }
  throw new Error(`the row field "${field}" has a type that is not supported`);
}

function schemaToProto(schema: Schema): schemaApi.Schema {
  return schemaApi.Schema.create({
    id: schema.id ?? "",
    encodingPositionsSet: schema.fields.some((field) => field.encodingPosition !== undefined),
    fields: schema.fields.map(({ name, type, encodingPosition }) => ({
      name,
      type: typeToProto(type),
      encodingPosition: encodingPosition ?? 0,
    })),
  });
}

function typeToProto(type: FieldType): schemaApi.FieldType {
  return schemaApi.FieldType.create({ nullable: type.nullable ?? false, typeInfo: typeInfo(type) });
}

function typeInfo(type: FieldType): schemaApi.FieldType["typeInfo"] {
  switch (type.kind) {
    case "array":
      return { oneofKind: "arrayType", arrayType: { elementType: typeToProto(type.element) } };
    case "iterable":
      return { oneofKind: "iterableType", iterableType: { elementType: typeToProto(type.element) } };
    case "map":
      return {
        oneofKind: "mapType",
        mapType: { keyType: typeToProto(type.key), valueType: typeToProto(type.value) },
      };
    case "row":
      return { oneofKind: "rowType", rowType: { schema: schemaToProto(type.schema) } };
    case "logical":
      return { oneofKind: "logicalType", logicalType: logicalToProto(type) };
    default:
      return { oneofKind: "atomicType", atomicType: ATOMIC_TYPES[type.kind] };
  }
}

function logicalToProto({ urn, representation, argument }: LogicalFieldType): schemaApi.LogicalType {
  return schemaApi.LogicalType.create({
    urn,
    representation: typeToProto(representation),
    ...(argument !== undefined && {
      argumentType: typeToProto({ kind: "int32" }),
      argument: {
        fieldValue: {
          oneofKind: "atomicValue",
          atomicValue: { value: { oneofKind: "int32", int32: argument } },
        },
      },
    }),
  });
}
