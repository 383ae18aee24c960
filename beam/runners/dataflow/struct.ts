/** google.protobuf.Struct as Google's clients want it, from JSON and back. Source: struct.proto. */

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: JsonValue | undefined;
}

/** One kind of several; protobuf.js sets the others to null, or leaves them out. */
export interface StructValue {
  nullValue?: unknown;
  boolValue?: boolean | null;
  numberValue?: number | null;
  stringValue?: string | null;
  listValue?: { values?: StructValue[] | null } | null;
  structValue?: Struct | null;
  kind?: string;
}

export interface Struct {
  fields?: { [name: string]: StructValue } | null;
}

/** JSON as a message. What is undefined is left out. */
export function toStruct(json: JsonObject): Struct {
  const fields = Object.entries(json).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, toValue(value)] as const],
  );
  return { fields: Object.fromEntries(fields) };
}

function toValue(json: JsonValue): StructValue {
  if (json === null) return { nullValue: 0 };
  switch (typeof json) {
    case "boolean":
      return { boolValue: json };
    case "number":
      return { numberValue: json };
    case "string":
      return { stringValue: json };
    default:
      return Array.isArray(json)
        ? { listValue: { values: json.map(toValue) } }
        : { structValue: toStruct(json as JsonObject) };
  }
}

/** A message as JSON; none is an empty object. */
export function fromStruct(struct: Struct | null | undefined): Record<string, JsonValue> {
  return Object.fromEntries(
    Object.entries(struct?.fields ?? {}).map(([name, value]) => [name, fromValue(value)]),
  );
}

export function fromValue(value: StructValue | null | undefined): JsonValue {
  if (value == null) return null;
  const { boolValue, numberValue, stringValue, listValue, structValue } = value;
  if (structValue != null) return fromStruct(structValue);
  if (listValue != null) return (listValue.values ?? []).map(fromValue);
  return stringValue ?? numberValue ?? boolValue ?? null;
}
