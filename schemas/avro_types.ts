/**
 * The two event schemas as avsc types, with their fingerprints. Logical types are left uninterpreted on
 * purpose: a timestamp stays a number.
 */
import { readFileSync } from "node:fs";
import avsc from "avsc";
import type { EventKind } from "./events.js";
import { fingerprintOf } from "./fingerprint.js";

export interface EventType {
  /** JSON, as it is in its file. */
  readonly schema: string;
  readonly type: avsc.Type;
  /** CRC-64-AVRO of the schema, unsigned. */
  readonly fingerprint: bigint;
  /** What single-object encoding puts before the Avro body: C3 01 and the fingerprint, little-endian. */
  readonly header: Buffer;
}

function load(file: string): EventType {
  const schema = JSON.stringify(JSON.parse(readFileSync(new URL(file, import.meta.url), "utf8")));
  const type = avsc.Type.forSchema(JSON.parse(schema));
  const fingerprint = fingerprintOf(type);
  const header = Buffer.from([0xc3, 0x01, 0, 0, 0, 0, 0, 0, 0, 0]);
  header.writeBigUInt64LE(fingerprint, 2);
  return { schema, type, fingerprint, header };
}

export const eventTypes: Readonly<Record<EventKind, EventType>> = {
  order: load("order.avsc"),
  payment: load("payment.avsc"),
};
