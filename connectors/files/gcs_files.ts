/** Files in a bucket of Google Cloud Storage, read by ranges of one generation. */
import { type ObjectInfo, ObjectNotFoundError, PreconditionFailedError } from "@order-payment-stream/beam/io";
import { GcsObjectStore, type GcsOptions, parseGcsPath } from "@order-payment-stream/gcs";

import { FileChangedError } from "./errors.js";
import type { FileInfo, FileSystem, OpenFile } from "./file_system.js";
import { parseGlob } from "./glob.js";

/** Large enough for the tens of milliseconds that a request takes, small enough for many files at once. */
const CHUNK_BYTES = 1024 * 1024;
/** Generation of an object that is not there. */
const ABSENT = "0";

export class GcsFiles implements FileSystem {
  readonly chunkBytes = CHUNK_BYTES;
  readonly #buckets = new Map<string, Promise<GcsObjectStore>>();

  constructor(private readonly options: GcsOptions) {}

  async *list(pattern: string): AsyncIterable<FileInfo> {
    const glob = parseGlob(pattern);
    const { bucket, name } = split(glob.base);
    const store = await this.#bucket(bucket);
    const prefix = glob.isPattern && name !== "" ? `${name}/` : name;
    for await (const object of store.list(prefix)) {
      const path = `gs://${bucket}/${object.name}`;
      // What consoles make to show a folder is an object of that name with a slash.
      if (glob.fits(path) && !path.endsWith("/"))
        yield { path, size: object.length, version: object.generation };
    }
  }

  async open({ path, size, version }: FileInfo): Promise<OpenFile> {
    const { bucket, name } = split(path);
    const store = await this.#bucket(bucket);
    // What else is known of an object does not matter to a read.
    const info: ObjectInfo = { name, length: size, generation: version, crc32c: 0, updatedMs: 0 };
    return {
      read: async (position, length) => {
        try {
          return await store.read(info, position, position + length);
        } catch (error) {
          throw error instanceof ObjectNotFoundError
            ? new FileChangedError(path, "was removed or replaced")
            : error;
        }
      },
      close: async () => undefined,
    };
  }

  async write(path: string, bytes: readonly Uint8Array[]): Promise<void> {
    const { bucket, name } = split(path);
    const store = await this.#bucket(bucket);
    const length = bytes.reduce((sum, part) => sum + part.length, 0);
    const body = {
      length,
      async *open() {
        yield* bytes;
      },
    };
    for (let generation = ABSENT, attempts = 0; ; attempts++) {
      try {
        await store.put(name, body, generation);
        return;
      } catch (error) {
        if (!(error instanceof PreconditionFailedError) || attempts === 2) throw error;
        generation = (await store.get(name)).info.generation;
      }
    }
  }

  #bucket(name: string): Promise<GcsObjectStore> {
    let store = this.#buckets.get(name);
    if (store === undefined) {
      store = GcsObjectStore.open({ bucket: name, prefix: "" }, this.options);
      this.#buckets.set(name, store);
      // The next user tries again.
      store.catch(() => this.#buckets.delete(name));
    }
    return store;
  }
}

function split(path: string): { readonly bucket: string; readonly name: string } {
  const [, bucket = "", name = ""] = /^gs:\/\/([^/]+)\/?(.*)$/s.exec(path) ?? [];
  if (parseGcsPath(`gs://${bucket}`) === undefined)
    throw new Error(`${path} is not a path of Google Cloud Storage`);
  return { bucket, name };
}
