/** Reads a file that a user names: regular files only, since a FIFO would hang the program and a device may never end. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";

/** Far more than a `.env` or a bundle of certificates has. */
const BYTES_MAX = 16 * 1024 * 1024;

/** @throws the system's error, or one that says what else is there */
export function readSmallFile(path: string): string {
  // Without it the opening of a FIFO waits for somebody who writes. Windows does not know it.
  const descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile())
      throw new Error(`${path} is ${stats.isDirectory() ? "a directory" : "not a regular file"}`);
    if (stats.size > BYTES_MAX) throw new Error(`${path} has ${stats.size} bytes, more than ${BYTES_MAX}`);
    return readFileSync(descriptor, "utf8");
  } finally {
    closeSync(descriptor);
  }
}
