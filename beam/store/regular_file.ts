/**
 * Opens regular files and nothing else: a FIFO keeps whoever opens it waiting for ever, in a thread that holds up even
 * the end of the process; a device answers with anything.
 */
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { kindOf } from "../platform/make_directory.js";
import { StoreError } from "./store_errors.js";

/** Windows knows neither. */
const { O_NONBLOCK = 0, O_NOFOLLOW = 0 } = constants;

/** Something else stands where a file of the state is expected. Nothing was changed. */
export class NotARegularFileError extends StoreError {
  override readonly name = "NotARegularFileError";

  constructor(path: string, kind: string) {
    super(
      `${path} is ${kind} instead of a file: this is not state that a run can continue from. Nothing was changed`,
    );
  }
}

/**
 * @param flags of open(2)
 * @throws NotARegularFileError, also for a symbolic link; the system's error
 */
export async function openRegularFile(path: string, flags: number): Promise<FileHandle> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" && (flags & constants.O_CREAT) !== 0) return undefined;
    throw error;
  });
  // Before the open, which some devices notice.
  if (found !== undefined) refuseIrregular(path, found);
  const handle = await open(path, flags | O_NONBLOCK | O_NOFOLLOW);
  try {
    // It may have been replaced meanwhile.
    refuseIrregular(path, await handle.stat());
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function refuseIrregular(path: string, stats: Stats): void {
  if (!stats.isFile()) throw new NotARegularFileError(path, kindOf(stats));
}
