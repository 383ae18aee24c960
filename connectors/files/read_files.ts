/**
 * Reads files piece by piece: a block, or a batch of lines, is one claim, and its records become values, with the
 * file's watermark behind them, or reports of what was none. Positions are offsets of bytes.
 */
import {
  counter,
  GLOBAL_WINDOW_MAX,
  type OffsetRange,
  OffsetRangeTracker,
  type OutputSpecs,
  offsetRangeCoder,
  openRange,
  type ProcessContinuation,
  type RestrictionTracker,
  registerDoFn,
  resume,
  type Split,
  type SplittableContext,
  SplittableDoFn,
  stop,
} from "@order-payment-stream/beam";

import { BadFileError } from "./errors.js";
import { fileDecoder, RejectedRecord } from "./file_decoder.js";
import { BadBlockError, Batch, type FileReader, isGzip } from "./file_reader.js";
import type { FileInfo } from "./file_system.js";
import { type FilesConnection, filesConnections } from "./files_connection.js";
import type { FileReadConfig } from "./read_config.js";

type Tracker = RestrictionTracker<OffsetRange, number>;
type Context = SplittableContext<OutputSpecs>;
type Answer = ProcessContinuation | Promise<ProcessContinuation>;

/** Gives away everything that is not claimed, or nothing: what is behind a piece of a file is never read before it. */
class OrderedTracker extends OffsetRangeTracker {
  override trySplit(fractionOfRemainder: number): Split<OffsetRange> | undefined {
    return fractionOfRemainder > 0 ? undefined : super.trySplit(0);
  }
}

/** FileInfo → values, and reports of what was none */
export class ReadFiles extends SplittableDoFn<FileInfo, OffsetRange, number, OutputSpecs, FileReadConfig> {
  static readonly urn = "beam:dofn:ts:read_files:v1";
  declare readonly outputs: OutputSpecs;
  readonly restrictionCoder = offsetRangeCoder;
  readonly isBounded = true;
  override readonly metrics = {
    records: counter(),
    rejected: counter(),
    /** As stored. */
    bytes: counter(),
    /** Read to their end, or to the end of a part of them. */
    files: counter(),
    /** Blocks, lines or whole files that could not be read. */
    skipped: counter(),
  };
  readonly #decoder = fileDecoder(this.config.decoder, this.config.decoderConfig);
  readonly #batch = new Batch(this.#decoder, this.config.maxOutOfOrdernessMs);
  /** Tells reads of one file by two steps apart. */
  readonly #reads = `${this.config.decoder} ${JSON.stringify(this.config.decoderConfig)}`;
  #files!: FilesConnection;

  override async setup(): Promise<void> {
    this.#files = await filesConnections.acquire(this.config.connection);
  }

  override teardown(): Promise<void> {
    return filesConnections.release(this.config.connection);
  }

  /** An empty file is looked at too: no container is empty. */
  initialRestriction({ path, size }: FileInfo): OffsetRange {
    return isGzip(path) ? openRange(0) : { start: 0, end: Math.max(1, size) };
  }

  override split(_file: FileInfo, range: OffsetRange): readonly OffsetRange[] {
    const { isOrdered, partBytes } = this.config;
    if (isOrdered || range.end === Number.POSITIVE_INFINITY) return [range];
    const parts: OffsetRange[] = [];
    for (let start = range.start; start < range.end; start += partBytes) {
      parts.push({ start, end: Math.min(range.end, start + partBytes) });
    }
    return parts;
  }

  override size({ size }: FileInfo, { start, end }: OffsetRange): number {
    return end === Number.POSITIVE_INFINITY ? size : Math.max(0, end - start);
  }

  newTracker(range: OffsetRange): OffsetRangeTracker {
    const isWhole = this.config.isOrdered || range.end === Number.POSITIVE_INFINITY;
    return isWhole ? new OrderedTracker(range) : new OffsetRangeTracker(range);
  }

  /** A drain ends the read where it stands. */
  override truncate(): undefined {
    return undefined;
  }

  /** Nothing is left of a file that was read; one that a drain cut short goes on where it was. */
  override remainder(_file: FileInfo, range: OffsetRange, isDone: boolean): OffsetRange | undefined {
    return isDone ? undefined : range;
  }

  process(file: FileInfo, tracker: Tracker, ctx: Context): Answer {
    const { start, end } = tracker.restriction;
    if (start >= end) return stop();
    const reader = this.#files.take(this.#reads, file.path, start);
    if (reader !== undefined) return this.#readOn(reader, file, tracker, ctx);
    const { format, blockMaxBytes, unpackedMaxBytes } = this.config;
    const options = { format, decoder: this.#decoder, limits: { blockMaxBytes, unpackedMaxBytes } };
    return this.#files.open(file, start, options).then(
      (opened) => this.#readOn(opened, file, tracker, ctx),
      (error) => this.#skipFile(error, tracker, ctx),
    );
  }

  /** Reads until there is nothing more, or the runner wants the rest back; closes the reader when it fails. */
  #readOn(reader: FileReader, file: FileInfo, tracker: Tracker, ctx: Context): Answer {
    try {
      const answer = this.#read(reader, file, tracker, ctx);
      if (!(answer instanceof Promise)) return answer;
      return answer.catch((error) => this.#failed(error, reader));
    } catch (error) {
      return this.#failed(error, reader);
    }
  }

  #failed(error: unknown, reader: FileReader): never {
    reader.close().catch(() => undefined);
    throw error;
  }

  #read(reader: FileReader, file: FileInfo, tracker: Tracker, ctx: Context): Answer {
    const now = this.#files.trustedClock.latest();
    const again = (): Answer => this.#read(reader, file, tracker, ctx);
    for (;;) {
      if (!reader.isReady()) return this.#loaded(reader).then(again);
      const { end } = tracker.restriction;
      const position = reader.claim(end);
      if (position === undefined || position >= end) {
        return this.#finish(reader, file, tracker, end, ctx);
      }
      if (!tracker.tryClaim(position)) {
        this.#files.keep(this.#reads, file.path, reader);
        return resume();
      }
      reader.resumeAt = position + 1;
      const before = reader.storedPosition;
      this.#batch.begin(ctx.watermark.current);
      try {
        reader.read(this.#batch, now);
        tracker.brought?.(this.#batch.count);
        this.#emit(ctx);
      } catch (error) {
        if (!(error instanceof BadBlockError) || this.config.badFiles === "fail") throw error;
        this.#report(error, ctx);
        if (error.isLost) return reader.recover().then(again);
      }
      this.metrics.bytes.inc(reader.storedPosition - before);
    }
  }

  async #loaded(reader: FileReader): Promise<void> {
    const before = reader.storedPosition;
    await reader.load();
    this.metrics.bytes.inc(reader.storedPosition - before);
  }

  /** What is behind the last record is claimed with the end. */
  #finish(
    reader: FileReader,
    file: FileInfo,
    tracker: Tracker,
    end: number,
    ctx: Context,
  ): ProcessContinuation {
    tracker.tryClaim(end);
    if (tracker.restriction.end < end) {
      this.#files.keep(this.#reads, file.path, reader);
      return resume();
    }
    if (reader.failure !== undefined) {
      if (this.config.badFiles === "fail") throw reader.failure;
      this.#report(reader.failure, ctx);
    }
    this.metrics.files.inc();
    reader.close().catch(() => undefined);
    return stop();
  }

  #emit(ctx: Context): void {
    const { results, times, count, watermark } = this.#batch;
    const emitEvent = ctx.emit.events!;
    const emitRejected = ctx.emit.rejected!;
    for (let i = 0; i < count; i++) {
      const result = results[i];
      if (result instanceof RejectedRecord) {
        this.metrics.rejected.inc();
        emitRejected(result.report, this.#reportTime(ctx));
      } else emitEvent(result, times[i]!);
    }
    this.metrics.records.inc(count);
    this.#batch.clear();
    ctx.watermark.set(watermark);
  }

  /** Of what has none of its own: never late behind the read. */
  #reportTime(ctx: Context): number {
    return Math.min(GLOBAL_WINDOW_MAX, Math.max(ctx.watermark.current, ctx.timestamp));
  }

  #report(error: BadFileError, ctx: Context): void {
    const { path, offset, reason } = error;
    const bytes = error instanceof BadBlockError ? error.bytes : Buffer.alloc(0);
    const isBlock = error instanceof BadBlockError && error.isBlock;
    const report = this.#decoder.unreadable({
      path,
      offset,
      reason,
      bytes,
      isBlock,
    });
    this.metrics.skipped.inc();
    // So that each thing that was read is in one place: it counts as one record.
    this.metrics.records.inc();
    this.metrics.rejected.inc();
    ctx.emit.rejected!(report, this.#reportTime(ctx));
  }

  /** A file that cannot be opened: of its parts the first one reports it. */
  #skipFile(error: unknown, tracker: Tracker, ctx: Context): ProcessContinuation {
    if (!(error instanceof BadFileError) || this.config.badFiles === "fail") throw error;
    const { start, end } = tracker.restriction;
    const last = end === Number.POSITIVE_INFINITY ? Number.MAX_SAFE_INTEGER : end - 1;
    if (!tracker.tryClaim(last)) return resume();
    if (end === Number.POSITIVE_INFINITY) tracker.tryClaim(end);
    if (start === 0) this.#report(error, ctx);
    return stop();
  }
}
registerDoFn(ReadFiles);
