/** Single objects by their gs:// URLs: what a runner stages, and what it reads back. */
import { ObjectNotFoundError, PreconditionFailedError } from "@order-payment-stream/beam/io";
import { GcsObjectStore, type GcsOptions } from "./gcs_object_store.js";
import { parseGcsPath } from "./gcs_path.js";

const ABSENT = "0";

/** Objects of any bucket. */
export interface GcsObjects {
  /** Makes the object, or replaces it. @throws GcsRefusedError, GcsUnavailableError */
  write(url: string, bytes: Uint8Array): Promise<void>;
  /** @throws ObjectNotFoundError, GcsRefusedError, GcsUnavailableError */
  read(url: string): Promise<Uint8Array>;
}

/** Single objects by gs:// URL, with Google's own credentials. */
export function gcsObjects(options: GcsOptions = {}): GcsObjects {
  const open = async (url: string): Promise<{ store: GcsObjectStore; name: string }> => {
    const path = parseGcsPath(url);
    if (path === undefined || path.prefix === "") throw new TypeError(`${url} is not a gs://bucket/object`);
    const slash = path.prefix.lastIndexOf("/");
    const prefix = path.prefix.slice(0, Math.max(0, slash));
    const store = await GcsObjectStore.open({ bucket: path.bucket, prefix }, options);
    return { store, name: path.prefix.slice(slash + 1) };
  };
  return {
    async write(url, bytes) {
      const { store, name } = await open(url);
      const body = {
        length: bytes.length,
        async *open() {
          yield bytes;
        },
      };
      const generation = await generationOf(store, name);
      try {
        await store.put(name, body, generation);
      } catch (error) {
        // A repeated attempt breaks the precondition when the one before was done after all.
        const isOurs =
          error instanceof PreconditionFailedError && Buffer.compare(await bytesOf(store, name), bytes) === 0;
        if (!isOurs) throw error;
      }
    },
    async read(url) {
      const { store, name } = await open(url);
      return bytesOf(store, name);
    },
  };
}

async function generationOf(store: GcsObjectStore, name: string): Promise<string> {
  try {
    return (await store.get(name)).info.generation;
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return ABSENT;
    throw error;
  }
}

async function bytesOf(store: GcsObjectStore, name: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await store.get(name)).bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}
