/** Makes a directory and those above it. Node's own `recursive` goes round for ever below /proc and its like. */
import { mkdirSync, type Stats, statSync } from "node:fs";
import { mkdir, open, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** Each is on disk when this resolves. @throws the system's error, or one that says what is in the way */
export async function makeDirectory(path: string): Promise<void> {
  const whole = resolve(path);
  try {
    await mkdirDurably(whole);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && dirname(whole) !== whole) {
      await makeDirectory(dirname(whole));
      await mkdirDurably(whole).catch(unlessThere(whole));
      return;
    }
    await unlessThere(whole)(error);
  }
}

/** Whatever the system says of one that is there: a read-only file system says something else than a full one. */
function unlessThere(whole: string): (error: unknown) => Promise<void> {
  return async (error) => refuseOther(whole, await stat(whole).catch(() => undefined), error);
}

/** @param found undefined: nothing is there, and the error tells why */
function refuseOther(whole: string, found: Stats | undefined, error: unknown): void {
  if (found?.isDirectory()) return;
  if (found === undefined) throw error;
  throw Object.assign(new Error(`${whole} is ${kindOf(found)}, not a directory`), { code: "ENOTDIR" });
}

async function mkdirDurably(path: string): Promise<void> {
  await mkdir(path);
  const above = await open(dirname(path), "r").catch(() => undefined);
  // Where the directory above may not be read there is nothing to be done.
  await above?.sync().catch(() => undefined);
  await above?.close();
}

/** Where nothing rests on it being on disk. @throws as `makeDirectory` */
export function makeDirectorySync(path: string, mode = 0o777): void {
  const whole = resolve(path);
  try {
    mkdirSync(whole, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && dirname(whole) !== whole) {
      makeDirectorySync(dirname(whole), mode);
      mkdirSync(whole, mode);
      return;
    }
    refuseOther(whole, statSync(whole, { throwIfNoEntry: false }), error);
  }
}

/** "a directory" */
export function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return "a directory";
  if (stats.isSymbolicLink()) return "a symbolic link";
  if (stats.isFIFO()) return "a FIFO";
  if (stats.isSocket()) return "a socket";
  return stats.isFile() ? "a file" : "a device";
}
