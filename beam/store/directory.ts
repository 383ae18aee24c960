/**
 * The few file operations that a durable store lives on, so that a simulation can put a disk in their place that fails,
 * fills up, and forgets at a crash what was never synced. All names are plain names inside one directory.
 *
 * What every implementation promises
 * - `append` adds at the end, in order. After a crash a file holds at least what was appended before the last `sync`
 *   that ended, and of what came after it any beginning (a torn tail): a file grows only once the bytes are there.
 * - A file that `create` made, a `rename` and a `remove` survive a crash once `sync` of the directory has ended.
 * - From `lock` on, whatever changes something throws DirectoryLostError before it does, once the directory is no longer
 *   this process's.
 * - Anything but a regular file is refused at once.
 * - A failed operation throws the system's error, with its `code` (ENOSPC, EIO, …), and leaves no more behind than a
 *   torn tail.
 */
export interface Directory {
  /** For messages. */
  readonly path: string;
  /** Names of all files, in no particular order. */
  list(): Promise<string[]>;
  /**
   * A new, empty file. Throws EEXIST when there is one.
   * @param syncsEach `sync` follows on each `append`: a directory may do both at once
   */
  create(name: string, syncsEach?: boolean): Promise<AppendFile>;
  /** Opens a file for more to be added; `syncsEach` as for `create`. Throws ENOENT. */
  openForAppend(name: string, syncsEach?: boolean): Promise<AppendFile>;
  /** Throws ENOENT. */
  openForRead(name: string): Promise<ReadFile>;
  /** Replaces a file that has the new name. */
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Makes what was created, renamed and removed so far outlive a crash. */
  sync(): Promise<void>;
  /**
   * Takes the directory for this process until `close`, or until the process ends however it ends.
   * Throws DirectoryInUseError when another process has it.
   */
  lock(): Promise<void>;
  /** Throws DirectoryLostError when what `lock` took is no longer this process's. Cheap. */
  assertLocked(): void;
  close(): Promise<void>;
}

export interface AppendFile {
  /** Bytes in the file. */
  readonly length: number;
  /** The buffers must not change before this ends. One call at a time. */
  append(buffers: readonly Uint8Array[]): Promise<void>;
  /** Makes everything appended so far outlive a power failure. */
  sync(): Promise<void>;
  /** Cuts the file to its first `length` bytes. */
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

export interface ReadFile {
  readonly length: number;
  /** Fills `target` from `position` on; returns how many bytes there were, fewer only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

/** Another process works in this directory. */
export class DirectoryInUseError extends Error {
  override readonly name = "DirectoryInUseError";

  constructor(path: string) {
    super(`${path} is in use by another process: end it, or give this one a directory of its own`);
  }
}

/** What became of a directory that this process had for itself. */
export type DirectoryLoss = "removed" | "replaced" | "unlocked";

const LOSSES: Readonly<Record<DirectoryLoss, readonly [string, string]>> = {
  removed: [
    "it was removed or renamed",
    "If it was renamed, give it its name back and start again; what was removed is lost, and a new start begins without state",
  ],
  replaced: [
    "another one is in its place, or another file is its lock",
    "See who else uses it. What was committed is safe where the directory is now",
  ],
  unlocked: [
    "its lock file was removed, so another process might write there too",
    "What was committed is safe: start again, and exclude the directory from whatever removes old files",
  ],
};

/** Nothing more may be written to it. */
export class DirectoryLostError extends Error {
  override readonly name = "DirectoryLostError";

  constructor(path: string, loss: DirectoryLoss) {
    const [what, advice] = LOSSES[loss];
    super(
      `${path} is no longer the state directory of this process: ${what}. Nothing more was written. ${advice}`,
    );
  }
}
