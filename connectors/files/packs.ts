/**
 * Encoded records on their way to a file.
 *
 *     pack    = varint count | varint length | bytes
 *     content = varint sequence | varint packs | pack …
 */
import {
  type ByteReader,
  type ByteWriter,
  type Coder,
  KVCoder,
  registerCoder,
  StringUtf8Coder,
} from "@order-payment-stream/beam";

import type { Pack } from "./container_writer.js";

/** What one file of a shard is to hold. */
export interface Content {
  /** The files of a shard are numbered from 0 on. */
  readonly sequence: number;
  readonly packs: readonly Pack[];
}

function leaf<T>(urn: string, encode: Coder<T>["encode"], decode: (input: ByteReader) => T): Coder<T> {
  const coder: Coder<T> = {
    isDeterministic: true,
    encode,
    decode,
    toProto: () => ({ spec: { urn, payload: new Uint8Array() }, componentCoderIds: [] }),
  };
  registerCoder(urn, () => coder);
  return coder;
}

function writePack({ count, bytes }: Pack, out: ByteWriter): void {
  out.writeVarint(count);
  out.writeVarint(bytes.length);
  out.writeBytes(bytes);
}

function readPack(input: ByteReader): Pack {
  const count = input.readVarint();
  // A copy: the reader's buffer is used again.
  return { count, bytes: Buffer.from(input.readView(input.readVarint())) };
}

export const packCoder = leaf<Pack>("beam:coder:ts:files_pack:v1", writePack, readPack);

export const contentCoder = leaf<Content>(
  "beam:coder:ts:files_content:v1",
  ({ sequence, packs }, out) => {
    out.writeVarint(sequence);
    out.writeVarint(packs.length);
    for (const pack of packs) writePack(pack, out);
  },
  (input) => {
    const sequence = input.readVarint();
    return { sequence, packs: Array.from({ length: input.readVarint() }, () => readPack(input)) };
  },
);

export const shardedPackCoder = new KVCoder(StringUtf8Coder.INSTANCE, packCoder);
export const shardedContentCoder = new KVCoder(StringUtf8Coder.INSTANCE, contentCoder);
