/** Files on a local disk. A file is written beside its name, synced, and renamed, so there is never half of one. */
import { randomBytes } from "node:crypto";
import { type FileHandle, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import { makeDirectory } from "@order-payment-stream/beam/io";
import { explainFileError, FileChangedError } from "./errors.js";
import type { FileInfo, FileSystem, OpenFile } from "./file_system.js";
import { parseGlob } from "./glob.js";

const CHUNK_BYTES = 512 * 1024;

export const localFiles: FileSystem = {
  chunkBytes: CHUNK_BYTES,

  async *list(pattern) {
    const glob = parseGlob(resolve(pattern) + (pattern.endsWith("/") ? "/" : ""));
    if (!glob.isPattern) {
      const file = await infoOf(glob.base);
      if (file !== undefined) yield file;
      return;
    }
    yield* walk(glob.base === "" ? "/" : glob.base, glob.fits);
  },

  async open(file) {
    let handle: FileHandle;
    try {
      handle = await open(file.path, "r");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT")
        throw new FileChangedError(file.path, "was removed");
      throw explainFileError(error, file.path);
    }
    const { size, mtimeMs, ino } = await handle.stat();
    if (versionOf(size, mtimeMs, ino) !== file.version) {
      await handle.close();
      throw new FileChangedError(file.path, "has changed");
    }
    return new LocalFile(file.path, handle);
  },

  async write(path, bytes) {
    const file = new NewFile(path);
    try {
      await file.append(bytes);
      await file.finish();
    } catch (error) {
      await file.abandon();
      throw error;
    }
  },
};

/** A file on its way: it gets its name when it is whole. */
export class NewFile {
  readonly #partial: string;
  readonly #handle: Promise<FileHandle>;

  constructor(private readonly path: string) {
    this.#partial = `${path}.${randomBytes(6).toString("hex")}.partial`;
    this.#handle = makeDirectory(dirname(path)).then(() => open(this.#partial, "wx"));
    this.#handle.catch(() => undefined);
  }

  async append(bytes: readonly Uint8Array[]): Promise<void> {
    await this.#explained(async (handle) => void (await handle.writev([...bytes])));
  }

  async finish(): Promise<void> {
    await this.#explained(async (handle) => {
      await handle.sync();
      await handle.close();
      await rename(this.#partial, this.path);
    });
  }

  /** Nothing of it stays. */
  async abandon(): Promise<void> {
    await (await this.#handle.catch(() => undefined))?.close().catch(() => undefined);
    await rm(this.#partial, { force: true }).catch(() => undefined);
  }

  async #explained(work: (handle: FileHandle) => Promise<void>): Promise<void> {
    try {
      await work(await this.#handle);
    } catch (error) {
      throw explainFileError(error, this.path);
    }
  }
}

class LocalFile implements OpenFile {
  constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  async read(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    try {
      while (filled < length) {
        const { bytesRead } = await this.handle.read(buffer, filled, length - filled, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
    } catch (error) {
      throw explainFileError(error, this.path);
    }
    return buffer.subarray(0, filled);
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

function versionOf(size: number, mtimeMs: number, inode: number): string {
  return `${size}-${mtimeMs}-${inode}`;
}

/** Undefined for what is no file. Links are followed. */
async function infoOf(path: string): Promise<FileInfo | undefined> {
  try {
    const found = await stat(path);
    if (!found.isFile()) return undefined;
    return { path, size: found.size, version: versionOf(found.size, found.mtimeMs, found.ino) };
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw explainFileError(error, path);
  }
}

async function* walk(folder: string, fits: (path: string) => boolean): AsyncIterable<FileInfo> {
  let entries: Awaited<ReturnType<typeof read>>;
  try {
    entries = await read(folder);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return;
    throw explainFileError(error, folder);
  }
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path, fits);
    else if (fits(path)) {
      const file = await infoOf(path);
      if (file !== undefined) yield file;
    }
  }
}

async function read(folder: string) {
  const entries = await readdir(folder, { withFileTypes: true });
  // As if each folder's name ended in its slash: then the whole is in the order of paths.
  const nameOf = (entry: (typeof entries)[number]): string =>
    entry.isDirectory() ? `${entry.name}/` : entry.name;
  return entries.sort((a, b) => Buffer.compare(Buffer.from(nameOf(a)), Buffer.from(nameOf(b))));
}
