/**
 * Values of any Avro schema, read by avsc, also by another schema than the one that they were written with (schema
 * resolution). What a file says of itself may be made to harm: its schema is looked at before it is trusted.
 */
import avsc, { type Schema, type Type } from "avsc";
import { DamagedBlockError } from "./file_decoder.js";

/** Reads one value after the other from a buffer. */
export class AvroValues {
  /** Behind the value that was read last. */
  end = 0;

  private constructor(
    private readonly type: Type,
    private readonly resolver: any,
  ) {}

  /**
   * @param written the schema of the file, JSON
   * @param wanted the schema of the values; undefined: the one that they were written with
   * @throws Error that says why one cannot be read as the other
   */
  static of(written: string, wanted?: Type): AvroValues {
    const writer = typeOf(written);
    if (wanted === undefined) return new AvroValues(writer, undefined);
    return new AvroValues(wanted, wanted.createResolver(writer));
  }

  /** @throws DamagedBlockError */
  read(buffer: Buffer, start: number, limit: number): unknown {
    let result: { readonly value: unknown; readonly offset: number };
    try {
      result = this.type.decode(buffer, start, this.resolver) as typeof result;
    } catch (error) {
      throw new DamagedBlockError(`a record is none of its schema: ${firstLine(error)}`);
    }
    if (result.offset < 0 || result.offset > limit)
      throw new DamagedBlockError("a record ends behind its block");
    this.end = result.offset;
    return result.value;
  }
}

/** Logical types are left uninterpreted: a timestamp stays a number. */
export function typeOf(schema: string): Type {
  let parsed: Schema;
  try {
    parsed = JSON.parse(schema);
  } catch (error) {
    throw new Error(`its schema is not JSON: ${firstLine(error)}`);
  }
  let type: Type;
  try {
    type = avsc.Type.forSchema(parsed);
  } catch (error) {
    throw new Error(`its schema is none: ${firstLine(error)}`);
  }
  refuseEmptyItems(type, new Set());
  return type;
}

/** Very many items that take no bytes would be read for ever, from a block of a few bytes. */
function refuseEmptyItems(type: any, seen: Set<unknown>): void {
  if (seen.has(type)) return;
  seen.add(type);
  switch (type.typeName) {
    case "array":
      if (!takesBytes(type.itemsType, new Set()))
        throw new Error("its schema has an array of what takes no bytes");
      refuseEmptyItems(type.itemsType, seen);
      break;
    case "map":
      refuseEmptyItems(type.valuesType, seen);
      break;
    case "record":
    case "error":
      for (const field of type.fields) refuseEmptyItems(field.type, seen);
      break;
    case "union:wrapped":
    case "union:unwrapped":
      for (const one of type.types) refuseEmptyItems(one, seen);
  }
}

function takesBytes(type: any, within: Set<unknown>): boolean {
  if (type.typeName === "null" || (type.typeName === "fixed" && type.size === 0)) return false;
  if (type.typeName !== "record" && type.typeName !== "error") return true;
  if (within.has(type)) return false;
  within.add(type);
  return type.fields.some((field: { type: unknown }) => takesBytes(field.type, within));
}

function firstLine(error: unknown): string {
  return String((error as Error).message)
    .split("\n")[0]!
    .slice(0, 200);
}
