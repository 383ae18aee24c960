/** Why a state directory cannot be used. Each message stands alone: it names the place, the fault and what to do. */

export abstract class StoreError extends Error {}

/** The directory holds something, but no state of ours. */
export class ForeignDirectoryError extends StoreError {
  override readonly name = "ForeignDirectoryError";

  constructor(path: string, found: readonly string[]) {
    const shown = found.slice(0, 3).join(", ") + (found.length > 3 ? ", …" : "");
    super(
      `${path} is not a state directory: it holds ${shown} and no state. Name an empty directory, or one that does not exist yet`,
    );
  }
}

/** No state can be kept there, whatever it holds. Nothing was changed. */
export class UnusableDirectoryError extends StoreError {
  override readonly name = "UnusableDirectoryError";

  /** @param cause the system's answer */
  constructor(
    readonly path: string,
    cause: unknown,
  ) {
    super(`${path} cannot be used as a state directory: ${writeProblem(cause)}`, { cause });
  }
}

/** Bytes are not what was written. Nothing was changed. */
export class CorruptStoreError extends StoreError {
  override readonly name = "CorruptStoreError";

  constructor(path: string, file: string, position: number, what: string) {
    super(
      `the state in ${path} is damaged: ${file} at byte ${position}: ${what}. Nothing was changed. ` +
        "Restore a checkpoint into an empty directory, or start with an empty one",
    );
  }
}

/** A newer version of the program wrote it. */
export class NewerFormatError extends StoreError {
  override readonly name = "NewerFormatError";

  constructor(path: string, file: string, format: number, known: number) {
    super(
      `the state in ${path} was written by a newer version: ${file} has format ${format}, and this version reads up to ${known}. Nothing was changed`,
    );
  }
}

/** An earlier version of the program wrote it, in a way that is no longer read. */
export class OlderFormatError extends StoreError {
  override readonly name = "OlderFormatError";

  constructor(path: string, file: string, format: number, known: number) {
    super(
      `the state in ${path} was written by an earlier version: ${file} has format ${format}, and this version reads ${known}. Nothing was changed. ` +
        "Run the version that wrote it, or begin anew with an empty directory",
    );
  }
}

/** What the system answered to a write that must succeed for the run to go on. */
export class StoreWriteError extends StoreError {
  override readonly name = "StoreWriteError";

  constructor(path: string, cause: unknown) {
    super(
      `state cannot be written to ${path}: ${writeProblem(cause)}. What was committed before is safe: start again once this is fixed`,
      { cause },
    );
  }
}

const PROBLEMS: Readonly<Record<string, string>> = {
  EACCES: "this user has no permission",
  EDQUOT: "the disk is full",
  ELOOP: "its symbolic links lead nowhere",
  ENAMETOOLONG: "the name is too long",
  ENOSPC: "the disk is full",
  EPERM: "this user has no permission",
  EROFS: "the file system is read-only",
};

/** Why something could not be written, for a message. */
export function writeProblem(error: unknown): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const problem = PROBLEMS[code];
  return problem === undefined ? message : `${problem} (${message})`;
}
