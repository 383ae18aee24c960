/** Why a checkpoint cannot be written or restored. Each message stands alone: the place, the fault, what to do. */

import { writeProblem } from "../store_errors.js";

export abstract class CheckpointError extends Error {}

/** There is none with this name, or none at all. */
export class NoSuchCheckpointError extends CheckpointError {
  override readonly name = "NoSuchCheckpointError";

  constructor(path: string, wanted: string, published: readonly string[]) {
    const shown = published.slice(0, 5).join(", ") + (published.length > 5 ? ", …" : "");
    super(
      published.length === 0
        ? `${path} holds no checkpoint`
        : `${path} holds no checkpoint ${wanted}: there is ${shown}`,
    );
  }
}

/** Bytes are not what was written. */
export class DamagedCheckpointError extends CheckpointError {
  override readonly name = "DamagedCheckpointError";

  constructor(path: string, object: string, what: string, advice = "Restore another one") {
    super(`the checkpoint in ${path} is damaged: ${object} ${what}. ${advice}`);
  }
}

/** A newer version of the program wrote it. */
export class NewerCheckpointError extends CheckpointError {
  override readonly name = "NewerCheckpointError";

  constructor(path: string, object: string, format: number, known: number) {
    super(
      `${path}/${object} was written by a newer version: it has format ${format}, and this version reads up to ${known}`,
    );
  }
}

/** An upload arrived as something else. */
export class UploadMismatchError extends CheckpointError {
  override readonly name = "UploadMismatchError";

  constructor(path: string, object: string, what: string) {
    super(`${path}/${object} did not arrive as it was sent: ${what}`);
  }
}

/** Somebody else's checkpoints are in this place. Whoever sees this must not write there. */
export class OtherWriterError extends CheckpointError {
  override readonly name = "OtherWriterError";

  constructor(path: string, other: string, advice: string) {
    super(`${path} holds the checkpoints of another state directory (${other}). ${advice}`);
  }
}

/** The directory to restore into is in use, or holds something. */
export class RestoreRefusedError extends CheckpointError {
  override readonly name = "RestoreRefusedError";

  constructor(path: string, found: readonly string[]) {
    const shown = found.slice(0, 3).join(", ") + (found.length > 3 ? ", …" : "");
    super(
      `cannot restore into ${path}: it already holds state (${shown}). Name an empty directory, or continue from this state without a restore`,
    );
  }
}

/** A restore ended half-way; what is there is of no use. */
export class UnfinishedRestoreError extends CheckpointError {
  override readonly name = "UnfinishedRestoreError";

  constructor(path: string, id: string) {
    super(
      `${path} holds half of checkpoint ${id}: the restore was interrupted. Restore it again into the same directory`,
    );
  }
}

/** What the system answered to a write into the directory that is restored into. */
export class RestoreWriteError extends CheckpointError {
  override readonly name = "RestoreWriteError";

  constructor(path: string, cause: unknown) {
    super(
      `the checkpoint cannot be written to ${path}: ${writeProblem(cause)}. Restore it again once this is fixed`,
      { cause },
    );
  }
}
