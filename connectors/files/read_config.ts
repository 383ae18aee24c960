/** What a read of files is told: the configuration of both of its steps. JSON, as every DoFn's. */
import type { FileFormat } from "./file_reader.js";

/** What to do with files, or parts of files, that cannot be read: fail, or report and skip them. */
export type BadFiles = "fail" | "skip";

export type FileReadConfig = {
  /** Name of the connection; see files_connection.ts. */
  readonly connection: string;
  /** Of paths, local or gs://bucket/name: see glob.ts. */
  readonly patterns: readonly string[];
  readonly format: FileFormat;
  readonly badFiles: BadFiles;
  /**
   * Each file is read from its beginning to its end by one reader at a time, so that its watermark, and what is late in
   * it, do not hang on how a runner cuts it. Otherwise parts of a file may be read side by side.
   */
  readonly isOrdered: boolean;
  /** How far behind the newest event of its file an event may come, ms. */
  readonly maxOutOfOrdernessMs: number;
  /** Into how large parts a file is cut at the start, where it is not ordered. */
  readonly partBytes: number;
  /** Of a block as it is stored, and of a line. */
  readonly blockMaxBytes: number;
  /** Of a block when it is unpacked. */
  readonly unpackedMaxBytes: number;
  /** Its URN. */
  readonly decoder: string;
  readonly decoderConfig: any;
};
