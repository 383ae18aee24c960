/**
 * The files of a durable store: a header, then frames.
 *
 *     file   = magic: 12 bytes | format: u32 | crc of the 16 bytes before: u32 | frame…
 *     frame  = length of the payload: u32 | crc of the payload: u32 | crc of the 8 bytes before: u32 | payload
 *
 * The format is that of the changes in the frames (journal.ts). All numbers are big-endian, all checksums CRC-32. What ends early is a torn tail: an append that a crash cut off
 * (a file grows only once the bytes are there, see directory.ts). Anything else that does not fit its checksum is
 * damage. The length has a checksum of its own, so that a damaged length is not taken for a torn tail.
 */
import { crc32 } from "node:zlib";
import type { AppendFile, Directory, ReadFile } from "./directory.js";
import { FORMAT } from "./journal.js";
import { CorruptStoreError, NewerFormatError, OlderFormatError } from "./store_errors.js";

const MAGIC_BYTES = 12;
export const FILE_HEADER_BYTES = MAGIC_BYTES + 8;
const FRAME_HEADER_BYTES = 12;
const READ_AHEAD_BYTES = 1 << 22;

export type FileKind = "log" | "snapshot";
const MAGIC: Readonly<Record<FileKind, Buffer>> = {
  log: Buffer.from("beam-ts-log\n"),
  snapshot: Buffer.from("beam-ts-snap"),
};

export function fileHeader(kind: FileKind): Buffer {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  MAGIC[kind].copy(header);
  header.writeUInt32BE(FORMAT, MAGIC_BYTES);
  header.writeUInt32BE(crc32(header.subarray(0, MAGIC_BYTES + 4)), MAGIC_BYTES + 4);
  return header;
}

/** Appends a frame whose payload is these buffers, one behind the other. Returns its bytes. */
export async function appendFrame(file: AppendFile, payload: readonly Uint8Array[]): Promise<number> {
  let length = 0;
  let crc = 0;
  for (const part of payload) {
    length += part.length;
    crc = crc32(part, crc);
  }
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt32BE(length, 0);
  header.writeUInt32BE(crc, 4);
  header.writeUInt32BE(crc32(header.subarray(0, 8)), 8);
  await file.append([header, ...payload]);
  return FRAME_HEADER_BYTES + length;
}

/** Reads a file frame by frame. */
export class FrameReader {
  /** Where the next frame begins. */
  position = 0;
  /** The file goes on behind `position` with the beginning of a frame, or of its header, whose end is missing. */
  isTorn = false;
  #window = Buffer.alloc(0);
  #windowAt = 0;

  private constructor(
    private readonly directory: Directory,
    readonly name: string,
    private readonly file: ReadFile,
  ) {}

  /** Throws CorruptStoreError, NewerFormatError or OlderFormatError for what is no such file. A header that is torn leaves no frames. */
  static async open(directory: Directory, name: string, kind: FileKind): Promise<FrameReader> {
    const reader = new FrameReader(directory, name, await directory.openForRead(name));
    try {
      await reader.#readFileHeader(kind);
    } catch (error) {
      await reader.close();
      throw error;
    }
    return reader;
  }

  get length(): number {
    return this.file.length;
  }

  /** The next payload, valid until the next call; undefined: there is no more, see `isTorn`. */
  async next(): Promise<Buffer | undefined> {
    if (this.isTorn) return undefined;
    const header = await this.#bytes(this.position, FRAME_HEADER_BYTES);
    if (header.length < FRAME_HEADER_BYTES) {
      this.isTorn = header.length > 0;
      return undefined;
    }
    if (crc32(header.subarray(0, 8)) !== header.readUInt32BE(8)) {
      throw this.damaged(this.position, "the checksum of a frame's header does not match");
    }
    const length = header.readUInt32BE(0);
    const crc = header.readUInt32BE(4);
    const payload = await this.#bytes(this.position + FRAME_HEADER_BYTES, length);
    if (payload.length < length) {
      this.isTorn = true;
      return undefined;
    }
    if (crc32(payload) !== crc) throw this.damaged(this.position, "the checksum of a frame does not match");
    this.position += FRAME_HEADER_BYTES + length;
    return payload;
  }

  damaged(position: number, what: string): CorruptStoreError {
    return new CorruptStoreError(this.directory.path, this.name, position, what);
  }

  close(): Promise<void> {
    return this.file.close();
  }

  async #readFileHeader(kind: FileKind): Promise<void> {
    const header = await this.#bytes(0, FILE_HEADER_BYTES);
    if (header.length < FILE_HEADER_BYTES) {
      const expected = fileHeader(kind).subarray(0, header.length);
      if (!header.equals(expected)) throw this.damaged(0, `this is not a ${kind} file`);
      this.isTorn = true;
      return;
    }
    if (!header.subarray(0, MAGIC_BYTES).equals(MAGIC[kind]))
      throw this.damaged(0, `this is not a ${kind} file`);
    if (crc32(header.subarray(0, MAGIC_BYTES + 4)) !== header.readUInt32BE(MAGIC_BYTES + 4)) {
      throw this.damaged(0, "the checksum of the file's header does not match");
    }
    const format = header.readUInt32BE(MAGIC_BYTES);
    if (format > FORMAT) throw new NewerFormatError(this.directory.path, this.name, format, FORMAT);
    if (format < FORMAT) throw new OlderFormatError(this.directory.path, this.name, format, FORMAT);
    this.position = FILE_HEADER_BYTES;
  }

  /** These bytes of the file, fewer at its end. */
  async #bytes(position: number, count: number): Promise<Buffer> {
    const available = Math.min(count, Math.max(0, this.file.length - position));
    let at = position - this.#windowAt;
    if (at < 0 || at + available > this.#window.length) {
      const window = Buffer.allocUnsafeSlow(Math.max(available, READ_AHEAD_BYTES));
      const read = await this.file.read(window, position);
      this.#window = window.subarray(0, read);
      this.#windowAt = position;
      at = 0;
    }
    return this.#window.subarray(at, Math.min(at + available, this.#window.length));
  }
}
