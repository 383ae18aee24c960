/** One file being read from one place on: blocks of a container, or batches of lines. */
import type { TimestampMs } from "@order-payment-stream/beam";

import { AvroBlocks, BadBlockError, type ContainerLimits, readHeader, SYNC_BYTES } from "./avro_container.js";
import { BadFileError } from "./errors.js";
import {
  DamagedBlockError,
  type FileDecoder,
  type FilePlace,
  type RecordReader,
  RejectedRecord,
} from "./file_decoder.js";
import type { FileInfo, OpenFile } from "./file_system.js";
import { GunzipFile } from "./gunzip_file.js";
import { Lines } from "./lines.js";
import { ReadAhead } from "./read_ahead.js";

/** auto: by the name (.avro, .jsonl, .ndjson, .json, each with .gz or without), and by the first bytes where it tells nothing. */
export type FileFormat = "auto" | "avro" | "jsonl";

/** Its bytes can be read from the beginning only. */
export const isGzip = (path: string): boolean => /\.gz$/i.test(path);

/** Room for more records than this is not kept from one batch to the next. */
const ROOM_MAX = 65_536;

/** What a batch holds, until all of it is known to be sound. */
export class Batch {
  /** The first `count` of them; what stands behind is of no meaning. */
  readonly results: unknown[] = [];
  /** NaN for a RejectedRecord. */
  readonly times: TimestampMs[] = [];
  count = 0;
  watermark: TimestampMs = 0;

  constructor(
    private readonly decoder: FileDecoder<any, any>,
    private readonly maxOutOfOrdernessMs: number,
  ) {}

  begin(watermark: TimestampMs): void {
    this.clear();
    this.watermark = watermark;
  }

  add(result: unknown): void {
    const at = this.count++;
    this.results[at] = result;
    if (result instanceof RejectedRecord) {
      this.times[at] = Number.NaN;
      return;
    }
    const time = this.decoder.eventTime(result);
    this.times[at] = time;
    if (time - this.maxOutOfOrdernessMs > this.watermark) this.watermark = time - this.maxOutOfOrdernessMs;
  }

  /** Lets go of the records, and keeps the room for the next ones. */
  clear(): void {
    if (this.results.length > ROOM_MAX) {
      this.results.length = 0;
      this.times.length = 0;
    } else this.results.fill(undefined, 0, this.count);
    this.count = 0;
  }
}

export interface ReaderOptions {
  readonly format: FileFormat;
  readonly decoder: FileDecoder<any, any>;
  readonly limits: ContainerLimits;
}

/** Header and first blocks of a file whose reading begins elsewhere. */
const HEADER_CHUNK_BYTES = 64 * 1024;

export abstract class FileReader {
  /** Where a next call goes on. */
  resumeAt = 0;

  protected constructor(
    readonly input: ReadAhead,
    private readonly file: OpenFile,
  ) {}

  /** Bytes of the file that are behind it, as it is stored. */
  get storedPosition(): number {
    return this.file instanceof GunzipFile ? this.file.packedPosition : this.input.position;
  }

  /** Why the file ends where it ends, if it should not. */
  get failure(): BadFileError | undefined {
    return this.file.failure;
  }

  /** Whether `claim` and `read` can answer. */
  abstract isReady(): boolean;
  abstract load(): Promise<void>;
  /** The position by which the next batch is claimed; undefined when none begins in front of `end`. */
  abstract claim(end: number): number | undefined;
  /**
   * Reads what was claimed.
   * @throws BadBlockError; where that is lost, call `recover`
   */
  abstract read(into: Batch, now: TimestampMs): void;
  /** To the next place from which reading can go on. */
  abstract recover(): Promise<void>;

  close(): Promise<void> {
    return this.input.close();
  }

  /**
   * @param start reading begins with what belongs to the part of the file from here on
   * @throws BadFileError
   */
  static async open(
    info: FileInfo,
    opened: OpenFile,
    chunkBytes: number,
    start: number,
    options: ReaderOptions,
  ): Promise<FileReader> {
    const isPacked = isGzip(info.path);
    const file = isPacked ? new GunzipFile(opened, info, chunkBytes) : opened;
    const known = isPacked ? { ...info, size: Number.POSITIVE_INFINITY } : info;
    try {
      const format = await formatOf(info.path, options.format, file, known);
      const reader =
        format === "avro"
          ? await openContainer(known, file, chunkBytes, start, options)
          : await openLines(known, file, chunkBytes, start, options);
      reader.resumeAt = start;
      return reader;
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
  }
}

async function formatOf(
  path: string,
  format: FileFormat,
  file: OpenFile,
  info: FileInfo,
): Promise<"avro" | "jsonl"> {
  if (format !== "auto") return format;
  const name = path.toLowerCase().replace(/\.gz$/, "");
  if (name.endsWith(".avro")) return "avro";
  if (/\.(jsonl|ndjson|json)$/.test(name)) return "jsonl";
  // A file that is packed is read once: its name has to say what is in it.
  if (info.size === Number.POSITIVE_INFINITY || info.size === 0) return "jsonl";
  const head = await file.read(0, 3);
  if (head[0] === 0x1f && head[1] === 0x8b)
    throw new BadFileError(path, 0, "it is packed by gzip: name it so, .gz");
  return head.toString("latin1") === "Obj" ? "avro" : "jsonl";
}

async function openContainer(
  info: FileInfo,
  file: OpenFile,
  chunkBytes: number,
  start: number,
  { decoder, limits }: ReaderOptions,
): Promise<FileReader> {
  const { path } = info;
  const isUnsplit = info.size === Number.POSITIVE_INFINITY;
  const isNear = start < chunkBytes || isUnsplit;
  const head = new ReadAhead(file, info, 0, isNear ? chunkBytes : HEADER_CHUNK_BYTES);
  const header = await readHeader(head, path);
  let records: RecordReader<unknown, unknown>;
  try {
    records = decoder.container(header.schema);
  } catch (error) {
    throw new BadFileError(path, 0, (error as Error).message);
  }
  const firstSync = header.length - SYNC_BYTES;
  let input = head;
  if (isNear) input.skip(header.length);
  else input = new ReadAhead(file, info, start, chunkBytes);
  const blocks = new AvroBlocks(input, header, path, limits);
  if (start > firstSync) {
    if (isNear) {
      while (input.position < start && !(input.isAtEnd && input.available === 0)) {
        await input.load(1);
        input.skip(Math.min(input.available, start - input.position));
      }
    }
    await blocks.seek();
  }
  return new ContainerReader(input, file, path, blocks, records);
}

class ContainerReader extends FileReader {
  constructor(
    input: ReadAhead,
    file: OpenFile,
    private readonly path: string,
    private readonly blocks: AvroBlocks,
    private readonly records: RecordReader<unknown, unknown>,
  ) {
    super(input, file);
  }

  isReady(): boolean {
    return this.blocks.isReady();
  }

  load(): Promise<void> {
    return this.blocks.load();
  }

  claim(): number | undefined {
    return this.blocks.isAtEnd ? undefined : this.blocks.syncPosition;
  }

  read(into: Batch, now: TimestampMs): void {
    const { blocks, records } = this;
    // Where it throws, the position says already where the block ends, if that is known.
    blocks.next();
    const { data, count } = blocks;
    const place: FilePlace = { path: this.path, block: blocks.offset };
    let at = 0;
    try {
      for (let index = 0; index < count; index++) {
        into.add(records.read(data, at, data.length, place, index, into.watermark, now));
        at = records.end;
      }
    } catch (error) {
      if (!(error instanceof DamagedBlockError)) throw error;
      throw blocks.bad(`record ${into.count} of the block: ${error.message}`);
    }
    if (at < data.length) throw blocks.bad(`${data.length - at} bytes follow the last record of the block`);
  }

  async recover(): Promise<void> {
    await this.blocks.seek();
  }
}

async function openLines(
  info: FileInfo,
  file: OpenFile,
  chunkBytes: number,
  start: number,
  { decoder, limits }: ReaderOptions,
): Promise<FileReader> {
  // Whether a line begins at `start` is told by the byte in front of it.
  const input = new ReadAhead(file, info, Math.max(0, start - 1), chunkBytes);
  const lines = new Lines(input, info.path, limits.blockMaxBytes);
  await lines.seek(start);
  return new LineReader(input, file, info.path, lines, decoder);
}

class LineReader extends FileReader {
  readonly #place: FilePlace;

  constructor(
    input: ReadAhead,
    file: OpenFile,
    path: string,
    private readonly lines: Lines,
    private readonly decoder: FileDecoder<unknown, unknown>,
  ) {
    super(input, file);
    this.#place = { path, block: 0 };
  }

  isReady(): boolean {
    return this.lines.isReady();
  }

  load(): Promise<void> {
    return this.lines.load();
  }

  claim(end: number): number | undefined {
    return this.lines.isAtEnd ? undefined : this.lines.batch(end);
  }

  read(into: Batch, now: TimestampMs): void {
    const { lines, decoder } = this;
    lines.take();
    const { buffer, offset, starts, ends } = lines;
    for (let i = 0; i < starts.length; i++) {
      const [start, end] = [starts[i]!, ends[i]!];
      if (isBlank(buffer, start, end)) continue;
      into.add(decoder.line(buffer, start, end, this.#place, offset + start, into.watermark, now));
    }
  }

  recover(): Promise<void> {
    return this.lines.skipLine();
  }
}

function isBlank(buffer: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (buffer[i] !== 0x20 && buffer[i] !== 0x09) return false;
  return true;
}

export { BadBlockError };
