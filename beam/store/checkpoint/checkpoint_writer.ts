/**
 * Publishes checkpoints of one state directory, and removes old ones.
 *
 * In this order: the files, each checked against what arrived; the manifest, which makes them a checkpoint; the pointer
 * `latest.json`, which makes it the newest; then what is too old goes, manifests before files. So whoever reads never
 * sees half of one, and a crash between any two steps leaves the checkpoints before.
 *
 * The pointer only moves on from the generation that this writer left it at. So of two writers in one place one loses
 * at its next publish, takes back what it has put there, and stays out for good.
 */
import type { Clock } from "../../platform/clock.js";
import type { Directory } from "../directory.js";
import { OtherWriterError, UploadMismatchError } from "./checkpoint_errors.js";
import { nextCheckpointId } from "./checkpoint_id.js";
import { CheckpointRepository } from "./checkpoint_repository.js";
import type { PinnedFile, PinnedFiles } from "./checkpoint_source.js";
import { FileSlice } from "./directory_files.js";
import { LINEAGE_FILE, mayFollow, readLineage, writeLineage } from "./lineage.js";
import {
  type Author,
  authorText,
  type CheckpointFile,
  checkpointOf,
  encodeManifest,
  encodePointer,
  hexOf,
  isPlainName,
  LATEST,
  type Manifest,
  manifestName,
  type Pointer,
  publishedBy,
} from "./manifest.js";
import { ABSENT, bodyOf, type ObjectStore, PreconditionFailedError } from "./object_store.js";

export interface CheckpointWriterOptions {
  /** The published ones that stay, the latest included. */
  readonly keptMax: number;
  /** Age, by the clock of the place, at which what was never published goes. */
  readonly leftoverGraceMs?: number;
  readonly clock: Clock;
  readonly sessionId: string;
  readonly host: string;
}

const LEFTOVER_GRACE_MS = 3_600_000;

/** Writes checkpoints of one state directory to one place. */
export class CheckpointWriter {
  readonly #repository: CheckpointRepository;
  readonly #author: Author;
  #generation: string;
  #lastId: string | undefined;
  #lostTo: OtherWriterError | undefined;

  private constructor(
    private readonly objects: ObjectStore,
    private readonly directory: Directory,
    private readonly options: CheckpointWriterOptions,
    directoryId: string,
    start: { readonly generation: string; readonly lastId: string | undefined },
  ) {
    this.#repository = new CheckpointRepository(objects);
    this.#author = { directoryId, sessionId: options.sessionId, host: options.host };
    this.#generation = start.generation;
    this.#lastId = start.lastId;
  }

  /**
   * Finds out whose the checkpoints in that place are; writes nothing there.
   * @throws OtherWriterError unless they are this directory's, or there are none
   */
  static async open(
    objects: ObjectStore,
    directory: Directory,
    options: CheckpointWriterOptions,
  ): Promise<CheckpointWriter> {
    const lineage = await readLineage(directory);
    const repository = new CheckpointRepository(objects);
    const { pointer, generation } = await repository.pointer();
    if (
      pointer !== undefined &&
      pointer.author.directoryId !== lineage.directoryId &&
      !mayFollow(lineage, pointer.checkpoint)
    ) {
      throw new OtherWriterError(
        objects.path,
        authorText(pointer.author, pointer.movedAtMs),
        `To go on from them, restore the latest into an empty directory in place of ${directory.path}; ` +
          "otherwise keep the checkpoints of this one in a place of their own",
      );
    }
    if (!(await directory.list()).includes(LINEAGE_FILE)) await writeLineage(directory, lineage);
    // A crash may have left one that is published and newer than what the pointer names.
    const [lastId] = await repository.ids();
    return new CheckpointWriter(objects, directory, options, lineage.directoryId, { generation, lastId });
  }

  /**
   * Uploads and publishes; resolves when it is the latest. A failure leaves the checkpoints before as they were.
   * @throws OtherWriterError when another writer has published meanwhile; then, and ever after
   */
  async publish(pinned: Omit<PinnedFiles, "release">): Promise<Manifest> {
    if (this.#lostTo !== undefined) throw this.#lostTo;
    const createdAtMs = this.options.clock.now();
    const id = nextCheckpointId(createdAtMs, this.#lastId);
    // Never again, whatever becomes of it: what is put under it may be there although the put failed.
    this.#lastId = id;
    let manifest: Manifest;
    try {
      const files: CheckpointFile[] = [];
      for (const file of pinned.files) files.push(await this.#upload(id, file));
      const { commit, identity } = pinned;
      manifest = { id, createdAtMs, author: this.#author, commit, identity, files };
      await this.objects.put(manifestName(id), bodyOf(encodeManifest(manifest)), ABSENT);
    } catch (error) {
      await this.#takeBack(id);
      throw error;
    }
    await this.#movePointer(id);
    return manifest;
  }

  /** Removes what is too old, right after a publish; nothing when another writer has published since. */
  async prune(): Promise<void> {
    if (this.#lostTo !== undefined) return;
    const { pointer } = await this.#repository.pointer();
    if (pointer?.author.sessionId !== this.#author.sessionId) return;
    const published = new Set<string>();
    const objects = new Map<string, string[]>();
    const lastPutMs = new Map<string, number>();
    let nowMs = Number.NEGATIVE_INFINITY;
    for await (const { name, updatedMs } of this.objects.list()) {
      // The pointer was moved just now, so the newest object tells the time by the clock of the place.
      nowMs = Math.max(nowMs, updatedMs);
      const id = checkpointOf(name);
      if (id === undefined) continue;
      if (publishedBy(name) !== undefined) published.add(id);
      objects.set(id, [...(objects.get(id) ?? []), name]);
      lastPutMs.set(id, Math.max(lastPutMs.get(id) ?? 0, updatedMs));
    }
    const kept = new Set([...published].sort().slice(-this.options.keptMax));
    kept.add(pointer.checkpoint);
    const { leftoverGraceMs = LEFTOVER_GRACE_MS } = this.options;
    for (const [id, names] of objects) {
      const isOver = published.has(id) ? !kept.has(id) : nowMs - lastPutMs.get(id)! > leftoverGraceMs;
      if (isOver) await this.#remove(id, names);
    }
  }

  async #upload(id: string, { name, length }: PinnedFile): Promise<CheckpointFile> {
    if (!isPlainName(name)) throw new Error(`a checkpoint cannot hold a file named ${JSON.stringify(name)}`);
    const slice = new FileSlice(this.directory, name, length);
    const object = `${id}/${name}`;
    const arrived = await this.objects.put(object, slice, ABSENT);
    if (arrived.length !== length) {
      throw new UploadMismatchError(this.objects.path, object, `${arrived.length} bytes of ${length}`);
    }
    if (arrived.crc32c !== slice.crc32c) {
      const [is, was] = [hexOf(arrived.crc32c), hexOf(slice.crc32c)];
      throw new UploadMismatchError(this.objects.path, object, `CRC-32C ${is}, sent ${was}`);
    }
    return { name, length, crc32c: slice.crc32c };
  }

  async #movePointer(id: string): Promise<void> {
    // Twice: a put that an outage hid from us may have moved it, and then it is ours to move on from.
    for (let attempt = 1; ; attempt++) {
      const pointer: Pointer = { checkpoint: id, author: this.#author, movedAtMs: this.options.clock.now() };
      try {
        const { generation } = await this.objects.put(
          LATEST,
          bodyOf(encodePointer(pointer)),
          this.#generation,
        );
        this.#generation = generation;
        return;
      } catch (error) {
        if (!(error instanceof PreconditionFailedError)) throw error;
        const { pointer: seen, generation } = await this.#repository.pointer();
        const isOurs = seen === undefined || seen.author.sessionId === this.#author.sessionId;
        if (isOurs) this.#generation = generation;
        if (seen !== undefined && isOurs && seen.checkpoint === id) return;
        if (seen !== undefined && isOurs && attempt === 1) continue;
        await this.#takeBack(id);
        if (seen === undefined || isOurs) throw error;
        this.#lostTo = new OtherWriterError(
          this.objects.path,
          authorText(seen.author, seen.movedAtMs),
          "This run writes no more checkpoints: end it, or the other one",
        );
        throw this.#lostTo;
      }
    }
  }

  /** As far as it goes, for the next prune looks for leftovers anyway. Nobody else makes an id like this one. */
  async #takeBack(id: string): Promise<void> {
    try {
      const names: string[] = [];
      for await (const { name } of this.objects.list(`${id}/`)) names.push(name);
      await this.#remove(id, names);
    } catch {
      // The reason why it is taken back says enough.
    }
  }

  /** The manifest first: from then on there is no such checkpoint. */
  async #remove(id: string, names: readonly string[]): Promise<void> {
    const manifest = manifestName(id);
    if (names.includes(manifest)) await this.objects.delete(manifest);
    for (const name of names) if (name !== manifest) await this.objects.delete(name);
  }
}
