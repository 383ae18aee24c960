/**
 * Records with a schema, as plain objects: the coder for data that crosses languages.
 *
 *     varint count of fields | varint count of bytes | null bits | the fields that are not null, nested
 *
 * Fields stand in the order of their encoding positions. Null bits are lowest first, in the same order, and absent
 * (length 0) when no field is null. (Python numbers the null bits by the place in the schema; Java, which defined the
 * format, by encoding position. They differ only for rows with both nulls and rearranged fields.)
 * Source: beam_runner_api.proto, StandardCoders ROW.
 */
import { type ByteReader, type ByteWriter, CorruptBytesError } from "../bytes.js";
import type { Coder, CoderIds, Context, FieldCodec } from "./coder.js";
import { coderProto } from "./coder_proto.js";
import { fieldCodec } from "./field_codec.js";
import { type Field, type Schema, schemaFromBytes, schemaToBytes } from "./schema.js";
import { CoderUrn } from "./urns.js";
import { wrongType } from "./wrong_type.js";

/** A row: field names to values, null for none. What each type looks like: see AtomicKind and logical_types.ts. */
export type Row = Record<string, unknown>;

interface EncodedField {
  readonly name: string;
  readonly nullable: boolean;
  readonly codec: FieldCodec<any>;
}

export class RowCoder implements Coder<Row> {
  readonly isDeterministic: boolean;
  /** In the order of encoding. */
  private readonly fields: readonly EncodedField[];
  /** In the order of the schema: each row is made with its properties in this order, so all share one shape. */
  private readonly names: readonly string[];

  /** `payload`: the Schema proto, where it says more than `schema` does. */
  constructor(
    readonly schema: Schema,
    private readonly payload: Uint8Array = schemaToBytes(schema),
  ) {
    this.names = schema.fields.map((field) => field.name);
    checkNames(this.names);
    this.fields = inEncodingOrder(schema.fields).map(({ name, type }) => ({
      name,
      nullable: type.nullable ?? false,
      codec: fieldCodec(type, (inner) => new RowCoder(inner)),
    }));
    this.isDeterministic = this.fields.every((field) => field.codec.isDeterministic);
  }

  static fromPayload(payload: Uint8Array): RowCoder {
    return new RowCoder(schemaFromBytes(payload), payload);
  }

  encode(row: Row, out: ByteWriter, _context: Context): void {
    if (typeof row !== "object" || row === null) throw wrongType("row", "an object", row);
    const { fields } = this;
    out.writeVarint(fields.length);
    this.writeNullBits(row, out);
    for (const { name, codec } of fields) {
      const value = row[name];
      if (value !== null && value !== undefined) codec.encode(value, out, "nested");
    }
  }

  private writeNullBits(row: Row, out: ByteWriter): void {
    const { fields } = this;
    const lengthAt = out.length;
    out.writeByte(0);
    for (let i = 0; i < fields.length; i++) {
      const { name, nullable } = fields[i]!;
      const value = row[name];
      if (value !== null && value !== undefined) continue;
      if (!nullable) throw wrongType("row", `a value in its field "${name}"`, value);
      if (out.length === lengthAt + 1) this.startNullBits(lengthAt, out);
      out.buffer[out.length - this.nullByteCount + (i >> 3)]! |= 1 << (i & 7);
    }
  }

  private get nullByteCount(): number {
    return (this.fields.length + 7) >> 3;
  }

  private startNullBits(lengthAt: number, out: ByteWriter): void {
    out.length = lengthAt;
    out.writeVarint(this.nullByteCount);
    for (let i = 0; i < this.nullByteCount; i++) out.writeByte(0);
  }

  decode(input: ByteReader, context: Context): Row {
    const { fields } = this;
    const count = input.readVarint();
    if (count < 0) throw new CorruptBytesError(`a row of ${count} fields`);
    const nullByteCount = input.readVarint();
    const nullsAt = input.skip(nullByteCount);
    const row: Row = {};
    for (const name of this.names) row[name] = null;
    for (let i = 0; i < fields.length; i++) {
      const { name, nullable, codec } = fields[i]!;
      const isNull =
        i >= count || (i >> 3 < nullByteCount && (input.buffer[nullsAt + (i >> 3)]! & (1 << (i & 7))) !== 0);
      if (!isNull) row[name] = codec.decode(input, "nested");
      else if (!nullable) throw new CorruptBytesError(`a row without its field "${name}"`);
    }
    if (count > fields.length) {
      // A newer schema appended fields. Their types are not known here, so only the end of the bytes ends the row.
      if (context === "nested") {
        throw new CorruptBytesError(`a row of ${count} fields, its schema has ${fields.length}`);
      }
      input.position = input.limit;
    }
    return row;
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.ROW, ids, [], this.payload);
  }
}

function checkNames(names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    // As a property this name would set the prototype of the row.
    if (name === "__proto__") throw new Error(`a row field cannot be called "${name}"`);
    if (seen.has(name)) throw new Error(`two row fields are called "${name}"`);
    seen.add(name);
  }
}

function inEncodingOrder(fields: readonly Field[]): readonly Field[] {
  if (fields.every((field) => field.encodingPosition === undefined)) return fields;
  const ordered: Field[] = [];
  for (const field of fields) {
    const position = field.encodingPosition ?? -1;
    if (position < 0 || position >= fields.length || ordered[position] !== undefined) {
      throw new Error(
        `the encoding position of the row field "${field.name}" is absent, out of range or taken`,
      );
    }
    ordered[position] = field;
  }
  return ordered;
}
