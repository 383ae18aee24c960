/**
 * Whose a directory of this machine is. Two locks stand for it, both the system's, which end with the process:
 * - that of the file `lock`, which a process takes first;
 * - that of each file that it appends to, which are there as long as the state is. Who has these keeps the directory
 *   although somebody, a cleaner of old files say, has removed `lock`.
 *
 * Whoever has the directory finds out before it changes anything whether `lock` is still the file that it has locked:
 * if not, the directory was removed, renamed, or is on the way to somebody else.
 */

import { constants, statSync } from "node:fs";
import { type FileHandle, readdir } from "node:fs/promises";
import { join } from "node:path";
import { tryLock } from "fs-native-extensions";
import { sleep } from "../platform/clock.js";
import { DirectoryInUseError, DirectoryLostError } from "./directory.js";
import { NotARegularFileError, openRegularFile } from "./regular_file.js";

export const LOCK_FILE = "lock";

/** Another process that looks whether the directory is in use holds the lock of a file for a moment. */
const APPEND_ATTEMPTS = 5;
const APPEND_RETRY_MS = 5;

/** A file, whatever its name. */
interface FileId {
  readonly dev: bigint;
  readonly ino: bigint;
}

export class DirectoryLock {
  private constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
    private readonly id: FileId,
  ) {}

  /** @throws DirectoryInUseError, NotARegularFileError, the system's error */
  static async take(path: string): Promise<DirectoryLock> {
    const file = join(path, LOCK_FILE);
    for (;;) {
      const handle = await openRegularFile(file, constants.O_RDWR | constants.O_CREAT);
      try {
        if (!tryLock(handle.fd)) throw new DirectoryInUseError(path);
        const id = await handle.stat({ bigint: true });
        if (isSame(idOf(file), id)) {
          await refuseAppenders(path);
          return new DirectoryLock(path, handle, id);
        }
        // Removed between the two: another may have made and locked a new one.
        await handle.close();
      } catch (error) {
        await handle.close();
        throw error;
      }
    }
  }

  /** Costs one system call. @throws DirectoryLostError */
  assertHeld(): void {
    const found = idOf(join(this.path, LOCK_FILE));
    if (isSame(found, this.id)) return;
    if (found !== undefined) throw new DirectoryLostError(this.path, "replaced");
    throw new DirectoryLostError(this.path, idOf(this.path) === undefined ? "removed" : "unlocked");
  }

  release(): Promise<void> {
    return this.handle.close();
  }
}

/** Makes an open file this process's to append to. @throws DirectoryInUseError */
export async function lockForAppending(directory: string, { fd }: FileHandle): Promise<void> {
  for (let attempt = 1; !tryLock(fd); attempt++) {
    if (attempt === APPEND_ATTEMPTS) throw new DirectoryInUseError(directory);
    await sleep(APPEND_RETRY_MS);
  }
}

/**
 * A process that appends always has the lock of its newest file: it takes that of a next one before it gives up the one
 * before. So the files are tried in the order of their names, and again those that came meanwhile.
 */
async function refuseAppenders(path: string): Promise<void> {
  const tried = new Set([LOCK_FILE]);
  for (;;) {
    const names = (await readdir(path)).filter((name) => !tried.has(name)).sort();
    if (names.length === 0) return;
    for (const name of names) {
      tried.add(name);
      if (await isAppendedTo(join(path, name))) throw new DirectoryInUseError(path);
    }
  }
}

async function isAppendedTo(file: string): Promise<boolean> {
  let handle: FileHandle;
  try {
    handle = await openRegularFile(file, constants.O_RDONLY);
  } catch (error) {
    // Gone again, or nothing that is ever appended to.
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || error instanceof NotARegularFileError)
      return false;
    throw error;
  }
  try {
    return !tryLock(handle.fd, { shared: true });
  } finally {
    await handle.close();
  }
}

/** Undefined where nothing is, or nothing that can be looked at. */
function idOf(path: string): FileId | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function isSame(one: FileId | undefined, other: FileId): boolean {
  return one !== undefined && one.ino === other.ino && one.dev === other.dev;
}
