/** A directory of this machine. */
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { tryLock } from "fs-native-extensions";
import { type AppendFile, type Directory, DirectoryInUseError, type ReadFile } from "./directory.js";

/** The system's limit for one write; Linux takes 2 GiB less a page, macOS 2 GiB. */
const WRITE_BYTES_MAX = 1 << 30;
/** The file that stands for the lock. The lock itself is the system's, and ends with the process. */
export const LOCK_FILE = "lock";

/** A directory of this machine, locked for one process. */
export class LocalDirectory implements Directory {
  #lock: FileHandle | undefined;

  private constructor(readonly path: string) {}

  /** Makes the directory, and those above it, if they are not there. */
  static async open(path: string): Promise<LocalDirectory> {
    await mkdir(path, { recursive: true });
    return new LocalDirectory(path);
  }

  async list(): Promise<string[]> {
    return (await readdir(this.path)).filter((name) => name !== LOCK_FILE);
  }

  async create(name: string): Promise<AppendFile> {
    return new LocalAppendFile(await open(join(this.path, name), "ax"), 0);
  }

  async openForAppend(name: string): Promise<AppendFile> {
    // Not "a": that would make the file.
    const handle = await open(join(this.path, name), constants.O_WRONLY | constants.O_APPEND);
    return new LocalAppendFile(handle, (await handle.stat()).size);
  }

  async openForRead(name: string): Promise<ReadFile> {
    const handle = await open(join(this.path, name), "r");
    const { size } = await handle.stat();
    return new LocalReadFile(handle, size);
  }

  rename(from: string, to: string): Promise<void> {
    return rename(join(this.path, from), join(this.path, to));
  }

  remove(name: string): Promise<void> {
    return rm(join(this.path, name));
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
    const handle = await open(join(this.path, LOCK_FILE), "a+");
    if (!tryLock(handle.fd)) {
      await handle.close();
      throw new DirectoryInUseError(this.path);
    }
    this.#lock = handle;
  }

  async close(): Promise<void> {
    await this.#lock?.close();
    this.#lock = undefined;
  }
}

class LocalAppendFile implements AppendFile {
  constructor(
    private readonly handle: FileHandle,
    public length: number,
  ) {}

  async append(buffers: readonly Uint8Array[]): Promise<void> {
    let rest = buffers.filter((buffer) => buffer.length > 0);
    while (rest.length > 0) {
      const { bytesWritten } = await this.handle.writev(firstBytes(rest, WRITE_BYTES_MAX));
      this.length += bytesWritten;
      rest = without(rest, bytesWritten);
    }
  }

  /** Without the times that `stat` shows: they are of no use here and cost a second write. */
  sync(): Promise<void> {
    return this.handle.datasync();
  }

  async truncate(length: number): Promise<void> {
    await this.handle.truncate(length);
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
