/**
 * Avro's object container files, block by block.
 *
 *   file   = "Obj" 01 | metadata: map of bytes | sync marker: 16 bytes | block …
 *   block  = count long | size long | size bytes, packed by the codec | sync marker
 *   map    = [count long, or -count long | size long], [key string | value bytes] … | 0
 *
 * A block is known by the sync marker in front of it, the header's for the first: it belongs to the part of a file that
 * holds that marker's first byte. Source: https://avro.apache.org/docs/1.12.0/specification/#object-container-files
 */
import { AVRO_CODECS, type AvroCodec, isAvroCodec, unpackBlock } from "./codecs.js";
import { BadFileError } from "./errors.js";
import type { ReadAhead } from "./read_ahead.js";

const MAGIC = Buffer.from([0x4f, 0x62, 0x6a, 0x01]);
export const SYNC_BYTES = 16;
/** A schema is no longer. */
const HEADER_MAX_BYTES = 8 * 1024 * 1024;
/** Of two longs. */
const BLOCK_HEAD_MAX_BYTES = 20;

export interface ContainerLimits {
  /** Of a block as it is stored. */
  readonly blockMaxBytes: number;
  /** Of a block when it is unpacked. */
  readonly unpackedMaxBytes: number;
}

export interface ContainerHeader {
  /** JSON. */
  readonly schema: string;
  readonly codec: AvroCodec;
  readonly sync: Buffer;
  /** With the sync marker. */
  readonly length: number;
}

/** Steps over Avro longs in a buffer. */
class LongCursor {
  constructor(
    readonly buffer: Buffer,
    public at = 0,
  ) {}

  /** Undefined: the buffer ends within it. NaN: it is none that is of any use here. */
  long(): number | undefined {
    let value = 0;
    for (let i = 0, weight = 1; i < 10; i++, weight *= 128) {
      const byte = this.buffer[this.at++];
      if (byte === undefined) return undefined;
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) return Number.NaN;
        return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      }
    }
    return Number.NaN;
  }

  /** As `long`, with a length in front; undefined also where the bytes are not all there. */
  bytes(): Buffer | undefined | null {
    const length = this.long();
    if (length === undefined) return undefined;
    if (!(length >= 0 && length <= HEADER_MAX_BYTES)) return null;
    if (this.at + length > this.buffer.length) return undefined;
    this.at += length;
    return this.buffer.subarray(this.at - length, this.at);
  }
}

/**
 * Reads the header at the beginning of a file.
 * @throws BadFileError
 */
export async function readHeader(input: ReadAhead, path: string): Promise<ContainerHeader> {
  for (let wanted = 4096; ; wanted *= 2) {
    await input.load(wanted);
    const header = parseHeader(input.view, path);
    if (header !== undefined) return header;
    if (input.isAtEnd) {
      throw new BadFileError(path, 0, input.available === 0 ? "it is empty" : "it ends within its header");
    }
    if (wanted > HEADER_MAX_BYTES) throw new BadFileError(path, 0, "its header is longer than any schema");
  }
}

/** Undefined: more is needed. */
function parseHeader(bytes: Buffer, path: string): ContainerHeader | undefined {
  const isMagic = bytes.subarray(0, MAGIC.length).equals(MAGIC.subarray(0, bytes.length));
  if (!isMagic) throw new BadFileError(path, 0, 'it is no Avro container: it does not begin with "Obj" 01');
  const wrong = (what: string): BadFileError => new BadFileError(path, 0, `in its header ${what}`);
  const cursor = new LongCursor(bytes, MAGIC.length);
  const metadata = new Map<string, Buffer>();
  for (;;) {
    let count = cursor.long();
    if (count === undefined) return undefined;
    if (count === 0) break;
    if (count < 0) {
      if (cursor.long() === undefined) return undefined;
      count = -count;
    }
    if (!(count <= HEADER_MAX_BYTES)) throw wrong("an impossible count stands");
    for (; count > 0; count--) {
      const [key, value] = [cursor.bytes(), cursor.bytes()];
      if (key === null || value === null) throw wrong("an impossible length stands");
      if (key === undefined || value === undefined) return undefined;
      metadata.set(key.toString("utf8"), value);
    }
  }
  if (cursor.at + SYNC_BYTES > bytes.length) return undefined;
  const schema = metadata.get("avro.schema");
  if (schema === undefined) throw wrong("there is no schema");
  const codec = metadata.get("avro.codec")?.toString("utf8") ?? "null";
  if (!isAvroCodec(codec)) {
    const known = AVRO_CODECS.join(", ");
    throw wrong(`stands the codec ${JSON.stringify(codec.slice(0, 40))}; there are ${known}`);
  }
  // A copy: the marker is asked for as long as the file is read.
  const sync = Buffer.from(bytes.subarray(cursor.at, cursor.at + SYNC_BYTES));
  return { schema: schema.toString("utf8"), codec, sync, length: cursor.at + SYNC_BYTES };
}

/** A block that cannot be read, and what of it is at hand. */
export class BadBlockError extends BadFileError {
  constructor(
    path: string,
    offset: number,
    reason: string,
    /** As stored. */
    readonly bytes: Buffer,
    /** Where the next one begins is not known either. */
    readonly isLost: boolean,
    /** Otherwise it is a line. */
    readonly isBlock = true,
  ) {
    super(path, offset, reason);
  }
}

/** Of what is reported of a stretch that cannot be read. */
const SHOWN_MAX_BYTES = 64 * 1024;

/** Steps over the blocks, from a sync marker on. */
export class AvroBlocks {
  /** Of the first byte of the marker in front of the next block. */
  syncPosition = 0;
  /** Of the block that `next` has brought, behind its marker. */
  offset = 0;
  count = 0;
  /** Unpacked; may be kept. */
  data: Buffer = Buffer.alloc(0);

  /** @param input stands behind the header, which `syncPosition` is then made for, or anywhere in front of a `seek` */
  constructor(
    private readonly input: ReadAhead,
    private readonly header: ContainerHeader,
    private readonly path: string,
    private readonly limits: ContainerLimits,
  ) {
    this.syncPosition = input.position - SYNC_BYTES;
  }

  /** To the first marker at or behind where the input stands. False: there is none. */
  async seek(): Promise<boolean> {
    const { input } = this;
    const { sync } = this.header;
    for (;;) {
      const at = input.view.indexOf(sync);
      if (at >= 0) {
        input.skip(at);
        this.syncPosition = input.position;
        input.skip(SYNC_BYTES);
        return true;
      }
      if (input.isAtEnd) {
        input.skip(input.available);
        return false;
      }
      input.skip(Math.max(0, input.available - SYNC_BYTES + 1));
      await input.load(SYNC_BYTES + 1);
    }
  }

  /** Whether `next` can answer without `load`. */
  isReady(): boolean {
    const { input } = this;
    return input.has(BLOCK_HEAD_MAX_BYTES) && input.has(this.#wantedBytes());
  }

  async load(): Promise<void> {
    await this.input.load(BLOCK_HEAD_MAX_BYTES);
    await this.input.load(this.#wantedBytes());
  }

  /** Head, block and marker; of a head that says what cannot be, the head alone. */
  #wantedBytes(): number {
    const cursor = new LongCursor(this.input.view);
    const count = cursor.long();
    const size = cursor.long();
    if (count === undefined || size === undefined) return 0;
    return count >= 0 && size >= 0 && size <= this.limits.blockMaxBytes ? cursor.at + size + SYNC_BYTES : 0;
  }

  /** The end of the file is right here. */
  get isAtEnd(): boolean {
    return this.input.available === 0 && this.input.isAtEnd;
  }

  /**
   * Steps to the next block.
   * @throws BadBlockError; where it is not lost, the next call goes on behind it
   */
  next(): void {
    const { input, path } = this;
    const { blockMaxBytes, unpackedMaxBytes } = this.limits;
    const { view } = input;
    const offset = input.position;
    this.offset = offset;
    const lost = (reason: string): BadBlockError =>
      new BadBlockError(path, offset, reason, view.subarray(0, SHOWN_MAX_BYTES), true);
    const cursor = new LongCursor(view);
    const count = cursor.long();
    const size = cursor.long();
    if (count === undefined || size === undefined) throw lost("the file ends within the head of a block");
    if (!(count >= 0) || !(size >= 0)) {
      const isContainer = view.subarray(0, MAGIC.length).equals(MAGIC);
      throw lost(
        isContainer
          ? "a second container begins here: two files were put one behind the other; keep them apart"
          : `a block cannot have ${count} records in ${size} bytes`,
      );
    }
    if (size > blockMaxBytes) throw lost(`a block of ${size} bytes is larger than ${blockMaxBytes}`);
    const end = cursor.at + size;
    const missing = end + SYNC_BYTES - view.length;
    if (missing > 0) throw lost(`the file ends within a block: ${missing} bytes are missing`);
    if (!view.subarray(end, end + SYNC_BYTES).equals(this.header.sync)) {
      throw lost("no sync marker stands behind the block");
    }
    const packed = view.subarray(cursor.at, end);
    this.syncPosition = offset + end;
    input.skip(end + SYNC_BYTES);
    this.count = 0;
    try {
      this.data = unpackBlock(this.header.codec, packed, unpackedMaxBytes);
    } catch (error) {
      throw this.bad(
        `the block cannot be unpacked (${this.header.codec}): ${(error as Error).message}`,
        packed,
      );
    }
    if (count > this.data.length) {
      throw this.bad(`a block cannot have ${count} records in ${this.data.length} bytes`, packed);
    }
    this.count = count;
  }

  /** Of the block that `next` has brought. */
  bad(reason: string, bytes: Buffer = this.data): BadBlockError {
    return new BadBlockError(this.path, this.offset, reason, bytes.subarray(0, SHOWN_MAX_BYTES), false);
  }
}
