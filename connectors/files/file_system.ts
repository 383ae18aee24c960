/**
 * Where files are: a local disk, or a bucket. Implementations promise
 * - `list` gives each file that fits once, in the order of paths in bytes, with the version that it has then;
 * - `open` refuses with a FileChangedError what is no longer the version that was listed;
 * - `write` makes a file appear with all its bytes, or not at all, and replaces one that is there.
 */

import type { BadFileError } from "./errors.js";

/** A file that was found. */
export interface FileInfo {
  /** As a graph, a message and a dead letter name it: absolute, or gs://bucket/name. */
  readonly path: string;
  readonly size: number;
  /** Changes whenever the content does. */
  readonly version: string;
}

/** Reads parts of one version of a file. */
export interface OpenFile {
  /** Resolves with `length` bytes from `position` on; with fewer only at the end of the file. */
  read(position: number, length: number): Promise<Buffer>;
  close(): Promise<void>;
  /** What is in front of it can be read, and nothing behind: as if the file ended there. */
  readonly failure?: BadFileError | undefined;
}

export interface FileSystem {
  /** How much to ask for at once. */
  readonly chunkBytes: number;
  list(pattern: string): AsyncIterable<FileInfo>;
  open(file: FileInfo): Promise<OpenFile>;
  write(path: string, bytes: readonly Uint8Array[]): Promise<void>;
}

export const isGcsPath = (path: string): boolean => path.startsWith("gs://");
