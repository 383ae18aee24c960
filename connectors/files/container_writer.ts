/** Avro container files as bytes: the counterpart of avro_container.ts. */
import { createHash } from "node:crypto";

import { type AvroCodec, packBlock } from "./codecs.js";

/** Records that are encoded, one behind the other. */
export interface Pack {
  readonly count: number;
  readonly bytes: Buffer;
}

/** What a block should have at least, unpacked: a reader unpacks one at a time, and a runner cuts between them. */
export const BLOCK_BYTES = 64 * 1024;
const MAGIC = Buffer.from([0x4f, 0x62, 0x6a, 0x01]);

/**
 * The bytes of a container with these records. The same records make the same file. Its sync marker is made of all of
 * them, so that no record can have it inside.
 *
 * @param schema of the records, JSON
 */
export function containerBytes(schema: string, codec: AvroCodec, packs: readonly Pack[]): Buffer[] {
  const hash = createHash("sha256").update(schema);
  for (const { bytes } of packs) hash.update(bytes);
  const sync = hash.digest().subarray(0, 16);
  const parts = [containerHeader(schema, codec, sync)];
  for (const pack of blocksOf(packs)) parts.push(...containerBlock(pack, codec, sync));
  return parts;
}

/**
 * A block of an Avro container, as pieces to be written one behind the other.
 * @param sync 16 bytes that no record has inside
 */
export function containerBlock({ count, bytes }: Pack, codec: AvroCodec, sync: Buffer): Buffer[] {
  const packed = packBlock(codec, bytes);
  return [long(count), long(packed.length), packed, sync];
}

/** Small packs together. */
function* blocksOf(packs: readonly Pack[]): Iterable<Pack> {
  let gathered: Buffer[] = [];
  let count = 0;
  let length = 0;
  for (const pack of packs) {
    if (pack.count === 0) continue;
    gathered.push(pack.bytes);
    count += pack.count;
    length += pack.bytes.length;
    if (length < BLOCK_BYTES) continue;
    yield { count, bytes: Buffer.concat(gathered) };
    gathered = [];
    count = 0;
    length = 0;
  }
  if (count > 0) yield { count, bytes: Buffer.concat(gathered) };
}

/** What stands in front of the first block. */
export function containerHeader(schema: string, codec: AvroCodec, sync: Buffer): Buffer {
  const entries: readonly [string, string][] = [
    ["avro.schema", schema],
    ["avro.codec", codec],
  ];
  const parts = [MAGIC, long(entries.length)];
  for (const [key, value] of entries) {
    for (const text of [key, value]) {
      const bytes = Buffer.from(text);
      parts.push(long(bytes.length), bytes);
    }
  }
  parts.push(long(0), sync);
  return Buffer.concat(parts);
}

/** Not negative. */
function long(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value * 2;
  while (rest > 0x7f) {
    bytes.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}
