/** What can be wrong with a file: it is damaged, it is not what it was, or it cannot be had at the moment. */

/** The bytes are no container, no line, or not whole: reading them again brings the same. */
export class BadFileError extends Error {
  override readonly name = "BadFileError";

  /** @param offset of the first byte that is wrong, or of the block that it is in */
  constructor(
    readonly path: string,
    readonly offset: number,
    readonly reason: string,
  ) {
    super(`${path}, at byte ${offset}: ${reason}`);
  }
}

/** The file was replaced, cut or removed after it was listed: what was read of it may not belong to what is there now. */
export class FileChangedError extends Error {
  override readonly name = "FileChangedError";

  constructor(path: string, what: string) {
    super(`${path} ${what} since it was listed: files must not change while they are read`);
  }
}

/** No file has a name that fits. */
export class NoFilesError extends Error {
  override readonly name = "NoFilesError";

  constructor(readonly pattern: string) {
    super(`no file fits ${pattern}`);
  }
}

/** The system's words for a failure, with the path once. */
export function explainFileError(error: unknown, path: string): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) return error as Error;
  return new Error(`${path} cannot be read or written: ${WORDS[code] ?? message}`, { cause: error });
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "permission denied",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of its path is a file",
  ENOSPC: "the disk is full",
  EROFS: "the disk is read-only",
};
