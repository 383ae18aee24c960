/** Finds the files of a read. It lists them and opens none. One claim for all: they are what there was at one time. */
import {
  type OffsetRange,
  OffsetRangeTracker,
  offsetRangeCoder,
  type ProcessContinuation,
  type RestrictionTracker,
  registerDoFn,
  resume,
  type SplittableContext,
  SplittableDoFn,
  stop,
} from "@order-payment-stream/beam";

import { NoFilesError } from "./errors.js";
import { fileSourceCoder } from "./file_source.js";
import type { FileInfo } from "./file_system.js";
import { type FilesConnection, filesConnections } from "./files_connection.js";
import type { FileReadConfig } from "./read_config.js";

const outputs = { files: fileSourceCoder };

/** Impulse → FileInfo */
export class FindFiles extends SplittableDoFn<
  Uint8Array,
  OffsetRange,
  number,
  typeof outputs,
  FileReadConfig
> {
  static readonly urn = "beam:dofn:ts:find_files:v1";
  readonly outputs = outputs;
  readonly restrictionCoder = offsetRangeCoder;
  readonly isBounded = true;
  #files!: FilesConnection;

  override async setup(): Promise<void> {
    this.#files = await filesConnections.acquire(this.config.connection);
  }

  override teardown(): Promise<void> {
    return filesConnections.release(this.config.connection);
  }

  initialRestriction(): OffsetRange {
    return { start: 0, end: 1 };
  }

  newTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }

  async process(
    _impulse: Uint8Array,
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<typeof outputs>,
  ): Promise<ProcessContinuation> {
    const files = await listFiles(this.#files, this.config.patterns);
    if (!tracker.tryClaim(0)) return resume();
    for (const file of files) ctx.emit.files(file);
    return stop();
  }
}
registerDoFn(FindFiles);

/**
 * The files of several patterns, each once, in the order of their paths.
 * @throws NoFilesError for a pattern that nothing fits
 */
export async function listFiles(files: FilesConnection, patterns: readonly string[]): Promise<FileInfo[]> {
  const found = new Map<string, FileInfo>();
  for (const pattern of patterns) {
    const fitting = await files.list(pattern);
    if (fitting.length === 0) throw new NoFilesError(pattern);
    for (const file of fitting) found.set(file.path, file);
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}
