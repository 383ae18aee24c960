/** A directory of this machine. */
import { constants } from "node:fs";
import { type FileHandle, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory } from "../platform/make_directory.js";
import type { AppendFile, Directory, ReadFile } from "./directory.js";
import { DirectoryLock, LOCK_FILE, lockForAppending } from "./directory_lock.js";
import { openRegularFile } from "./regular_file.js";
import { UnusableDirectoryError } from "./store_errors.js";

/** The system's limit for one write; Linux takes 2 GiB less a page, macOS 2 GiB. */
const WRITE_BYTES_MAX = 1 << 30;

/** A directory of this machine, locked for one process. */
export class LocalDirectory implements Directory {
  #lock: DirectoryLock | undefined;

  private constructor(readonly path: string) {}

  /**
   * Makes the directory, and those above it, if they are not there.
   * @throws UnusableDirectoryError
   */
  static async open(path: string): Promise<LocalDirectory> {
    try {
      await makeDirectory(path);
    } catch (error) {
      throw new UnusableDirectoryError(path, error);
    }
    return new LocalDirectory(path);
  }

  async list(): Promise<string[]> {
    return (await readdir(this.path)).filter((name) => name !== LOCK_FILE);
  }

  async create(name: string, syncsEach = false): Promise<AppendFile> {
    this.assertLocked();
    const flags = appendFlags(syncsEach) | constants.O_CREAT | constants.O_EXCL;
    return this.#forAppending(await open(join(this.path, name), flags), syncsEach);
  }

  async openForAppend(name: string, syncsEach = false): Promise<AppendFile> {
    this.assertLocked();
    return this.#forAppending(
      await openRegularFile(join(this.path, name), appendFlags(syncsEach)),
      syncsEach,
    );
  }

  async openForRead(name: string): Promise<ReadFile> {
    const handle = await openRegularFile(join(this.path, name), constants.O_RDONLY);
    const { size } = await handle.stat();
    return new LocalReadFile(handle, size);
  }

  async rename(from: string, to: string): Promise<void> {
    this.assertLocked();
    await rename(join(this.path, from), join(this.path, to));
  }

  async remove(name: string): Promise<void> {
    this.assertLocked();
    await rm(join(this.path, name));
  }

  async sync(): Promise<void> {
    const handle = await open(this.path, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async lock(): Promise<void> {
    this.#lock = await DirectoryLock.take(this.path);
  }

  assertLocked(): void {
    this.#lock?.assertHeld();
  }

  async close(): Promise<void> {
    await this.#lock?.release();
    this.#lock = undefined;
  }

  async #forAppending(handle: FileHandle, syncsEach: boolean): Promise<AppendFile> {
    try {
      await lockForAppending(this.path, handle);
      return new LocalAppendFile(this, handle, (await handle.stat()).size, syncsEach);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }
}

/** Elsewhere it promises less than `datasync`, or is not there. */
const HAS_SYNCED_WRITES = process.platform === "linux";

/** A write that ends on disk is one task of Node's threads; writing and then syncing are two, one behind the other. */
function appendFlags(syncsEach: boolean): number {
  const flags = constants.O_WRONLY | constants.O_APPEND;
  return syncsEach && HAS_SYNCED_WRITES ? flags | constants.O_DSYNC : flags;
}

class LocalAppendFile implements AppendFile {
  constructor(
    private readonly directory: LocalDirectory,
    private readonly handle: FileHandle,
    public length: number,
    private readonly syncsEach: boolean,
  ) {}

  /** What was there before is on disk, and what is written since is with each write. */
  #isSynced = false;

  async append(buffers: readonly Uint8Array[]): Promise<void> {
    this.directory.assertLocked();
    let rest = buffers.filter((buffer) => buffer.length > 0);
    while (rest.length > 0) {
      const { bytesWritten } = await this.handle.writev(firstBytes(rest, WRITE_BYTES_MAX));
      this.length += bytesWritten;
      rest = without(rest, bytesWritten);
    }
  }

  /** Without the times that `stat` shows: they are of no use here and cost a second write. */
  async sync(): Promise<void> {
    if (this.#isSynced) return;
    await this.handle.datasync();
    this.#isSynced = this.syncsEach && HAS_SYNCED_WRITES;
  }

  async truncate(length: number): Promise<void> {
    this.directory.assertLocked();
    await this.handle.truncate(length);
    this.#isSynced = false;
    this.length = length;
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

class LocalReadFile implements ReadFile {
  constructor(
    private readonly handle: FileHandle,
    readonly length: number,
  ) {}

  async read(target: Uint8Array, position: number): Promise<number> {
    let count = 0;
    while (count < target.length) {
      const { bytesRead } = await this.handle.read(target, count, target.length - count, position + count);
      if (bytesRead === 0) break;
      count += bytesRead;
    }
    return count;
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

/** Whole buffers up to `bytesMax` in all, one at least. */
function firstBytes(buffers: readonly Uint8Array[], bytesMax: number): Uint8Array[] {
  let bytes = 0;
  const first: Uint8Array[] = [];
  for (const buffer of buffers) {
    bytes += buffer.length;
    if (first.length > 0 && bytes > bytesMax) break;
    first.push(buffer);
  }
  return first;
}

/** What is left behind the first `count` bytes. */
function without(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  const rest: Uint8Array[] = [];
  for (const buffer of buffers) {
    if (left >= buffer.length) {
      left -= buffer.length;
      continue;
    }
    rest.push(left === 0 ? buffer : buffer.subarray(left));
    left = 0;
  }
  return rest;
}
