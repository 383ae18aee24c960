/**
 * Puts a checkpoint into an empty directory. All files are fetched under temporary names and checked before the first
 * gets its own; a note in the directory says that this is under way, so half of a restore is never taken for state.
 */
import { crc32c } from "../../platform/crc32c.js";
import type { Directory } from "../directory.js";
import {
  DamagedCheckpointError,
  NoSuchCheckpointError,
  RestoreRefusedError,
  RestoreWriteError,
  UnfinishedRestoreError,
} from "./checkpoint_errors.js";
import { isCheckpointId } from "./checkpoint_id.js";
import type { CheckpointRepository } from "./checkpoint_repository.js";
import { partialName, readWholeFile, replaceFile } from "./directory_files.js";
import { lineageOfRestored, writeLineage } from "./lineage.js";
import { type CheckpointFile, hexOf, type Manifest } from "./manifest.js";
import { ObjectNotFoundError } from "./object_store.js";

/** There from before the first file until behind the last one; holds the checkpoint's id. */
const NOTE = "restoring.json";
const TEMPORARY = ".restoring";
/** Not state: a file system's own, and a note that was never finished. */
const IGNORED: ReadonlySet<string> = new Set(["lost+found", partialName(NOTE)]);

/**
 * Downloads a checkpoint into an empty state directory.
 *
 * @param wanted an id, or "latest"
 * @param directory of this process alone; empty, but for what is left of an interrupted restore
 * @param onProgress told how many bytes have been fetched, of how many, as they come
 */
export async function restoreCheckpoint(
  repository: CheckpointRepository,
  wanted: string,
  directory: Directory,
  onProgress: (bytes: number, all: number) => void = () => undefined,
): Promise<Manifest> {
  const found = (await directory.list()).filter((name) => !IGNORED.has(name));
  const isRepeated = found.includes(NOTE);
  if (found.length > 0 && !isRepeated) throw new RestoreRefusedError(directory.path, found);
  // Before the manifest: when another writer publishes meanwhile, this directory may not follow.
  const latest = (await repository.pointer()).pointer?.checkpoint;
  const manifest = await repository.find(wanted);
  if (isRepeated) {
    // The directory was empty before the note, and nobody uses one with a note: all this is from the restore before.
    for (const name of found) if (name !== NOTE) await directory.remove(name);
    await directory.sync();
  }
  const note = Buffer.from(JSON.stringify({ id: manifest.id }));
  await written(directory, replaceFile(directory, NOTE, note));
  const all = manifest.files.reduce((sum, { length }) => sum + length, 0);
  let bytes = 0;
  const onChunk = (length: number): void => {
    bytes += length;
    onProgress(bytes, all);
  };
  for (const file of manifest.files) await fetchFile(repository, manifest, file, directory, onChunk);
  for (const { name } of manifest.files) await directory.rename(name + TEMPORARY, name);
  await writeLineage(directory, lineageOfRestored(manifest.id, latest));
  await directory.remove(NOTE);
  await directory.sync();
  return manifest;
}

/**
 * Refuses a directory in which a restore began and did not end.
 *
 * @throws UnfinishedRestoreError when what is in the directory is half of a restore
 */
export async function refuseUnfinishedRestore(directory: Directory): Promise<void> {
  const note = await readWholeFile(directory, NOTE);
  if (note === undefined) return;
  let id: unknown;
  try {
    ({ id } = JSON.parse(note.toString("utf8")));
  } catch {
    // The name of the file says enough.
  }
  throw new UnfinishedRestoreError(directory.path, isCheckpointId(String(id)) ? String(id) : "latest");
}

/** Tells what the disk refuses from what goes wrong on the way here. */
async function written<T>(directory: Directory, step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    throw new RestoreWriteError(directory.path, error);
  }
}

async function fetchFile(
  repository: CheckpointRepository,
  { id }: Manifest,
  { name, length, crc32c: expected }: CheckpointFile,
  directory: Directory,
  onChunk: (length: number) => void,
): Promise<void> {
  const { objects } = repository;
  const object = `${id}/${name}`;
  const file = await written(directory, directory.create(name + TEMPORARY));
  try {
    let actual = 0;
    const { bytes } = await objects.get(object);
    for await (const chunk of bytes) {
      actual = crc32c(chunk, 0, chunk.length, actual);
      // No more than it should have, whatever comes.
      if (file.length + chunk.length > length)
        throw new DamagedCheckpointError(objects.path, object, `has more than ${length} bytes`);
      await written(directory, file.append([chunk]));
      onChunk(chunk.length);
    }
    if (file.length !== length) {
      throw new DamagedCheckpointError(objects.path, object, `has ${file.length} bytes of ${length}`);
    }
    if (actual !== expected) {
      throw new DamagedCheckpointError(
        objects.path,
        object,
        `has CRC-32C ${hexOf(actual)} in place of ${hexOf(expected)}`,
      );
    }
    await written(directory, file.sync());
  } catch (error) {
    if (!(error instanceof ObjectNotFoundError)) throw error;
    // Pruning removes the manifest first. When that is still there, the file went by another hand.
    if ((await repository.manifest(id)) === undefined) {
      throw new NoSuchCheckpointError(objects.path, id, await repository.ids());
    }
    throw new DamagedCheckpointError(objects.path, object, "is missing");
  } finally {
    await file.close();
  }
}
