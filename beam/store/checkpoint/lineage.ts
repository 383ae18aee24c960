/**
 * Which checkpoints belong to a state directory: a small file in it. Without it, two machines that both hold a copy of
 * one state could write their checkpoints in turn, and a `--restore=latest` would give the state of either.
 */
import { randomUUID } from "node:crypto";
import type { Directory } from "../directory.js";
import { readWholeFile, replaceFile } from "./directory_files.js";

/** The durable store leaves a file with this name alone. */
export const LINEAGE_FILE = "checkpoints.json";

export interface Lineage {
  readonly directoryId: string;
  /** The checkpoint that this directory was restored from. */
  readonly restoredFrom?: string;
  /** The latest checkpoint at the time of the restore: the first of this directory's own follows it as the latest. */
  readonly supersedes?: string;
}

/** Of a directory that has none yet: a new one, which is not written down. */
export async function readLineage(directory: Directory): Promise<Lineage> {
  const bytes = await readWholeFile(directory, LINEAGE_FILE);
  if (bytes === undefined) return newLineage();
  try {
    const { directoryId, restoredFrom, supersedes } = JSON.parse(bytes.toString("utf8")) as Partial<Lineage>;
    if (typeof directoryId === "string") {
      return {
        directoryId,
        ...(typeof restoredFrom === "string" && { restoredFrom }),
        ...(typeof supersedes === "string" && { supersedes }),
      };
    }
  } catch {
    // Cut off, or written by somebody else.
  }
  throw new Error(
    `${directory.path}/${LINEAGE_FILE} is damaged. It only says whose the checkpoints are: delete it, and keep the checkpoints of this state in a new place`,
  );
}

export function newLineage(): Lineage {
  return { directoryId: randomUUID() };
}

/** @param latest what the pointer named before the restore */
export function lineageOfRestored(restoredFrom: string, latest: string | undefined): Lineage {
  return { ...newLineage(), restoredFrom, ...(latest !== undefined && { supersedes: latest }) };
}

/** Whether a directory may write where `latest`, of another directory, is the latest checkpoint. */
export function mayFollow({ restoredFrom, supersedes }: Lineage, latest: string): boolean {
  return latest === (supersedes ?? restoredFrom);
}

export function writeLineage(directory: Directory, lineage: Lineage): Promise<void> {
  return replaceFile(directory, LINEAGE_FILE, Buffer.from(`${JSON.stringify(lineage)}\n`));
}
