/** Makes a directory and those above it. Node's own `recursive` goes round for ever below /proc and its like. */
import { mkdir, open, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { kindOf } from "./regular_file.js";

/** @throws the system's error, or one that says what is in the way */
export async function makeDirectory(path: string): Promise<void> {
  const whole = resolve(path);
  try {
    await mkdirDurably(whole);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && dirname(whole) !== whole) {
      await makeDirectory(dirname(whole));
      await mkdirDurably(whole);
      return;
    }
    // Whatever it says of one that is there: a read-only file system says something else than a full one.
    const found = await stat(whole).catch(() => undefined);
    if (found?.isDirectory()) return;
    if (found !== undefined) throw new Error(`${whole} is ${kindOf(found)}, not a directory`);
    throw error;
  }
}

async function mkdirDurably(path: string): Promise<void> {
  await mkdir(path);
  const above = await open(dirname(path), "r").catch(() => undefined);
  // Where the directory above may not be read there is nothing to be done.
  await above?.sync().catch(() => undefined);
  await above?.close();
}
