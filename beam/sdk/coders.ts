/** The coders that graphs are built with, by short names: `coders.kv(coders.string, coders.int)`. */
import { BoolCoder } from "../model/coders/bool_coder.js";
import { BytesCoder } from "../model/coders/bytes_coder.js";
import type { Coder } from "../model/coders/coder.js";
import { DoubleCoder } from "../model/coders/double_coder.js";
import { IterableCoder } from "../model/coders/iterable_coder.js";
import { KVCoder } from "../model/coders/kv_coder.js";
import { NullableCoder } from "../model/coders/nullable_coder.js";
import { type Row, RowCoder } from "../model/coders/row_coder.js";
import type { Schema } from "../model/coders/schema.js";
import { StringUtf8Coder } from "../model/coders/string_utf8_coder.js";
import { Varint64Coder, VarintCoder } from "../model/coders/varint_coder.js";
import type { KV } from "../model/kv.js";

export { object } from "./object_coder.js";

/** Text, as UTF-8. */
export const string: Coder<string> = StringUtf8Coder.INSTANCE;
/** Whole numbers that a double holds exactly: up to 2^53 on either side of zero. */
export const int: Coder<number> = VarintCoder.INSTANCE;
/** Whole numbers of 64 bits. */
export const bigint: Coder<bigint> = Varint64Coder.INSTANCE;
/** Any number, as 64-bit floating point. */
export const double: Coder<number> = DoubleCoder.INSTANCE;
/** true or false, in one byte. */
export const bool: Coder<boolean> = BoolCoder.INSTANCE;
/** Raw bytes; a decoded value is a copy. */
export const bytes: Coder<Uint8Array> = BytesCoder.INSTANCE;

/** A key and a value: what GroupByKey, state and timers need. */
export const kv = <K, V>(key: Coder<K>, value: Coder<V>): Coder<KV<K, V>> => new KVCoder(key, value);
/** Any number of values, decoded as an array. */
export const iterable = <T>(element: Coder<T>): Coder<Iterable<T>> => new IterableCoder(element);
/** `null`, or a value. */
export const nullable = <T>(value: Coder<T>): Coder<T | null> => new NullableCoder(value);
/**
 * Rows of a complete schema, such as one from another language. `object` makes a schema from a short description.
 */
export const row = (schema: Schema): Coder<Row> => new RowCoder(schema);
