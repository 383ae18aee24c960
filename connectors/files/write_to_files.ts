/**
 * Writes a collection to files: records are encoded and gathered by shard in state, and as soon as a shard has enough
 * for a file it is written whole, under a name made of its shard and number. State decides what is in a file, so a
 * bundle that is repeated writes the same file again, on every runner; and none is ever half there.
 */
import { crc32 } from "node:zlib";
import {
  type BundleContext,
  ByteWriter,
  bagState,
  type Collection,
  counter,
  DoFn,
  type ElementContext,
  eventTimeTimer,
  GLOBAL_WINDOW_MAX,
  GlobalWindow,
  type KV,
  parDo,
  processingTimeTimer,
  registerDoFn,
  type StatefulContext,
  StatefulDoFn,
  StringUtf8Coder,
  type TimerContext,
  VarintCoder,
  valueState,
} from "@order-payment-stream/beam";

import type { AvroCodec } from "./codecs.js";
import { BLOCK_BYTES, containerBytes, type Pack } from "./container_writer.js";
import { type FileEncoder, type FileEncoderName, fileEncoder } from "./file_encoder.js";
import { type FilesConnection, filesConnections } from "./files_connection.js";
import { type Content, packCoder, shardedContentCoder, shardedPackCoder } from "./packs.js";

/** What a write of files is told. */
export type FileWriteConfig = {
  /** Name of the connection; see files_connection.ts. */
  readonly connection: string;
  /** A folder on this machine, or gs://bucket/prefix. Made if it is not there. */
  readonly folder: string;
  readonly format: "avro" | "jsonl";
  /** Of containers. */
  readonly codec: AvroCodec;
  /** How many files are gathered side by side. */
  readonly shards: number;
  /** From so many bytes of records on a file is written, before they are packed. */
  readonly fileBytes: number;
  /** After this time, ms, one is written with what there is; null: only at the end of the input. */
  readonly intervalMs: number | null;
  readonly encoder: string;
};

const LINE_END = Buffer.from("\n");

const encodedOutputs = { packs: shardedPackCoder };

/** T → KV<shard, Pack>: each of about a block, or of what a bundle has */
class EncodeRecords extends DoFn<unknown, typeof encodedOutputs, FileWriteConfig> {
  static readonly urn = "beam:dofn:ts:files_encode:v1";
  readonly outputs = encodedOutputs;
  readonly #encoder: FileEncoder<unknown> = fileEncoder(this.config.encoder);
  readonly #shards = Array.from({ length: this.config.shards }, () => ({
    count: 0,
    out: new ByteWriter(16 * 1024),
  }));

  override startBundle(): void {
    for (const shard of this.#shards) {
      shard.count = 0;
      shard.out.reset();
    }
  }

  process(element: unknown, ctx: ElementContext<typeof encodedOutputs>): void {
    const isAvro = this.config.format === "avro";
    const bytes = isAvro ? this.#encoder.avro(element) : Buffer.from(this.#encoder.json(element));
    const number = crc32(bytes) % this.#shards.length;
    const shard = this.#shards[number]!;
    shard.count++;
    shard.out.writeBytes(bytes);
    if (!isAvro) shard.out.writeBytes(LINE_END);
    if (shard.out.length >= BLOCK_BYTES) this.#emit(number, ctx);
  }

  override finishBundle(ctx: BundleContext<typeof encodedOutputs>): void {
    for (let number = 0; number < this.#shards.length; number++) this.#emit(number, ctx);
  }

  #emit(number: number, { emit, clock }: BundleContext<typeof encodedOutputs>): void {
    const shard = this.#shards[number]!;
    if (shard.count === 0) return;
    const pack: Pack = { count: shard.count, bytes: shard.out.toBytes() };
    shard.count = 0;
    shard.out.reset();
    emit.packs(
      { key: String(number).padStart(5, "0"), value: pack },
      Math.floor(clock.now()),
      GlobalWindow.INSTANCE,
    );
  }
}
registerDoFn(EncodeRecords);

const gatheredOutputs = { contents: shardedContentCoder };
const state = {
  packs: bagState(packCoder),
  bytes: valueState(VarintCoder.INSTANCE),
  sequence: valueState(VarintCoder.INSTANCE),
};
const timers = { end: eventTimeTimer(), flush: processingTimeTimer() };
type GatherContext = StatefulContext<typeof gatheredOutputs, typeof state, typeof timers>;
type GatherTimer = TimerContext<string, typeof gatheredOutputs, typeof state, typeof timers>;

/** KV<shard, Pack> → KV<shard, Content> */
class GatherFiles extends StatefulDoFn<
  string,
  Pack,
  typeof gatheredOutputs,
  typeof state,
  typeof timers,
  FileWriteConfig
> {
  static readonly urn = "beam:dofn:ts:files_gather:v1";
  readonly outputs = gatheredOutputs;
  readonly state = state;
  readonly timers = timers;
  readonly onTimer = {
    end: (ctx: GatherTimer) => this.#emit(ctx.key, ctx),
    flush: (ctx: GatherTimer) => this.#emit(ctx.key, ctx),
  };

  process({ key, value }: KV<string, Pack>, ctx: GatherContext): void {
    const before = ctx.state.bytes.read() ?? 0;
    const bytes = before + value.bytes.length;
    ctx.state.packs.add(value);
    ctx.state.bytes.write(bytes);
    if (before === 0) {
      ctx.timers.end.set(GLOBAL_WINDOW_MAX);
      const { intervalMs } = this.config;
      if (intervalMs !== null) ctx.timers.flush.set(Math.floor(ctx.clock.now()) + intervalMs);
    }
    if (bytes >= this.config.fileBytes) this.#emit(key, ctx);
  }

  #emit(shard: string, { state: { packs, bytes, sequence }, emit, timers: { flush } }: GatherContext): void {
    if ((bytes.read() ?? 0) === 0) return;
    const number = sequence.read() ?? 0;
    emit.contents({ key: shard, value: { sequence: number, packs: packs.read() } });
    sequence.write(number + 1);
    packs.clear();
    bytes.write(0);
    if (this.config.intervalMs !== null) flush.clear();
  }
}
registerDoFn(GatherFiles);

const writtenOutputs = { paths: StringUtf8Coder.INSTANCE };

/** KV<shard, Content> → the path of each file that was written */
class WriteFiles extends DoFn<KV<string, Content>, typeof writtenOutputs, FileWriteConfig> {
  static readonly urn = "beam:dofn:ts:files_write:v1";
  readonly outputs = writtenOutputs;
  override readonly needsStableInput = true;
  override readonly metrics = { files: counter(), written: counter(), bytes_written: counter() };
  readonly #encoder: FileEncoder<unknown> = fileEncoder(this.config.encoder);
  #files!: FilesConnection;
  #contents: KV<string, Content>[] = [];

  override async setup(): Promise<void> {
    this.#files = await filesConnections.acquire(this.config.connection);
  }

  override teardown(): Promise<void> {
    return filesConnections.release(this.config.connection);
  }

  override startBundle(): void {
    this.#contents = [];
  }

  process(element: KV<string, Content>): void {
    this.#contents.push(element);
  }

  override finishBundle(ctx: BundleContext<typeof writtenOutputs>): void | Promise<void> {
    if (this.#contents.length > 0) return this.#writeAll(ctx);
  }

  async #writeAll(ctx: BundleContext<typeof writtenOutputs>): Promise<void> {
    const { folder, format, codec } = this.config;
    // One after the other: each may be many megabytes, and its packed form as many.
    for (const { key, value } of this.#contents) {
      const { sequence, packs } = value;
      const path = `${folder}/${fileName(key, sequence, format)}`;
      const parts =
        format === "avro"
          ? containerBytes(this.#encoder.schema, codec, packs)
          : packs.map(({ bytes }) => bytes);
      await this.#files.write(path, parts);
      this.metrics.files.inc();
      this.metrics.written.inc(packs.reduce((sum, { count }) => sum + count, 0));
      this.metrics.bytes_written.inc(parts.reduce((sum, { length }) => sum + length, 0));
      ctx.emit.paths(path, Math.floor(ctx.clock.now()));
    }
    this.#contents = [];
  }
}
registerDoFn(WriteFiles);

/** A shard's files in the order in which they were written. */
function fileName(shard: string, sequence: number, format: FileWriteConfig["format"]): string {
  return `part-${shard}-${String(sequence).padStart(5, "0")}.${format}`;
}

/** Which files of a folder such a write may have written: a pattern for `list`. */
export function writtenFiles(folder: string): string {
  return `${folder}/part-*`;
}

export const FILE_WRITE_DEFAULTS = {
  format: "avro",
  codec: "snappy",
  shards: 4,
  fileBytes: 16 * 1024 * 1024,
  intervalMs: null,
} as const satisfies Partial<FileWriteConfig>;

type Optional = keyof typeof FILE_WRITE_DEFAULTS;

/** Options of `writeToFiles`: see FileWriteConfig. */
export type WriteToFiles<T> = Pick<FileWriteConfig, Exclude<keyof FileWriteConfig, Optional | "encoder">> & {
  readonly [N in Optional]?: FileWriteConfig[N] | undefined;
} & { readonly encoder: FileEncoderName<T> };

/**
 * Writes a collection in the global window to files. The folder must be empty, except for what an earlier run on
 * the same state has written: files of other runs would remain beside the new ones.
 *
 * @returns the paths of the files, once they are there
 */
export function writeToFiles<T>(
  name: string,
  elements: Collection<T>,
  options: WriteToFiles<T>,
): Collection<string> {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const config = { ...FILE_WRITE_DEFAULTS, ...given } as unknown as FileWriteConfig;
  if (!(Number.isInteger(config.shards) && config.shards > 0))
    throw new RangeError(`${config.shards} shards`);
  const { packs } = parDo(
    `${name}/EncodeRecords`,
    elements as Collection<unknown>,
    new EncodeRecords(config),
  );
  const { contents } = parDo(`${name}/GatherFiles`, packs, new GatherFiles(config));
  return parDo(`${name}/WriteFiles`, contents, new WriteFiles(config)).paths;
}
