/**
 * Reads checkpoints from where they are kept. A checkpoint is there from the moment that its manifest is; what has none
 * is an upload under way, or the leftover of one.
 */
import { NoSuchCheckpointError } from "./checkpoint_errors.js";
import {
  decodeManifest,
  decodePointer,
  LATEST,
  type Manifest,
  manifestName,
  type Pointer,
  publishedBy,
} from "./manifest.js";
import { ABSENT, ObjectNotFoundError, type ObjectStore } from "./object_store.js";

/** Far more than a manifest or a pointer ever has. */
const JSON_BYTES_MAX = 16 * 1024 * 1024;

/** The checkpoints under one path of an object store. */
export class CheckpointRepository {
  constructor(readonly objects: ObjectStore) {}

  /** Ids of what is published, newest first. */
  async ids(): Promise<string[]> {
    const ids: string[] = [];
    for await (const { name } of this.objects.list()) {
      const id = publishedBy(name);
      if (id !== undefined) ids.push(id);
    }
    return ids.sort().reverse();
  }

  /** Where the pointer points to, if there is one, and its generation. */
  async pointer(): Promise<{ readonly pointer: Pointer | undefined; readonly generation: string }> {
    const found = await this.#read(LATEST);
    if (found === undefined) return { pointer: undefined, generation: ABSENT };
    return { pointer: decodePointer(found.bytes, this.objects.path), generation: found.generation };
  }

  /**
   * @param wanted an id, or "latest"
   * @throws NoSuchCheckpointError, NewerCheckpointError, DamagedCheckpointError
   */
  async find(wanted: string): Promise<Manifest> {
    const id = wanted === "latest" ? (await this.pointer()).pointer?.checkpoint : wanted;
    const manifest = id === undefined ? undefined : await this.manifest(id);
    if (manifest === undefined)
      throw new NoSuchCheckpointError(this.objects.path, id ?? wanted, await this.ids());
    return manifest;
  }

  /** Undefined when there is none, or none any more. */
  async manifest(id: string): Promise<Manifest | undefined> {
    const name = manifestName(id);
    const found = await this.#read(name);
    return found === undefined ? undefined : decodeManifest(found.bytes, this.objects.path, name);
  }

  async #read(name: string): Promise<{ bytes: Buffer; generation: string } | undefined> {
    try {
      const { info, bytes } = await this.objects.get(name);
      if (info.length > JSON_BYTES_MAX)
        throw new Error(`${this.objects.path}/${name} has ${info.length} bytes`);
      const chunks: Uint8Array[] = [];
      for await (const chunk of bytes) chunks.push(chunk);
      return { bytes: Buffer.concat(chunks), generation: info.generation };
    } catch (error) {
      if (error instanceof ObjectNotFoundError) return undefined;
      throw error;
    }
  }
}
