/**
 * CRC-64-AVRO, the 64-bit Rabin fingerprint of the Avro specification ("Schema Fingerprints"). It is taken
 * over a schema's Parsing Canonical Form, so that whitespace, docs and logical types do not change it.
 */
import type { Type } from "avsc";

const EMPTY = 0xc15d213aa4d7a795n;

const TABLE = Array.from({ length: 256 }, (_, byte) => {
  let fingerprint = BigInt(byte);
  for (let bit = 0; bit < 8; bit++) fingerprint = (fingerprint >> 1n) ^ (fingerprint & 1n ? EMPTY : 0n);
  return fingerprint;
});

/** Unsigned 64-bit fingerprint of any bytes. Slow (BigInt): meant for schemas, once each. */
export function crc64Avro(bytes: Uint8Array): bigint {
  let fingerprint = EMPTY;
  for (const byte of bytes) {
    fingerprint = (fingerprint >> 8n) ^ TABLE[Number((fingerprint ^ BigInt(byte)) & 0xffn)]!;
  }
  return fingerprint;
}

/** The Parsing Canonical Form of a schema, as UTF-8 text. */
export function canonicalForm(type: Type): string {
  return JSON.stringify(type.schema());
}

export function fingerprintOf(type: Type): bigint {
  return crc64Avro(Buffer.from(canonicalForm(type), "utf8"));
}
