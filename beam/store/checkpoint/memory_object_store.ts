/** Objects in memory, for tests and simulations. Generations and times count up, so that nothing depends on a clock. */
import { crc32c } from "../../platform/crc32c.js";
import {
  ABSENT,
  type ObjectBody,
  type ObjectInfo,
  ObjectNotFoundError,
  type ObjectStore,
  type OpenObject,
  PreconditionFailedError,
} from "./object_store.js";

export class MemoryObjectStore implements ObjectStore {
  readonly path = "memory:";
  readonly #objects = new Map<string, { readonly info: ObjectInfo; readonly bytes: Buffer }>();
  #puts = 0;

  /** @param now time of puts */
  constructor(private readonly now: () => number = () => this.#puts) {}

  async put(name: string, body: ObjectBody, ifGeneration: string): Promise<ObjectInfo> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of body.open()) chunks.push(Buffer.from(chunk));
    const bytes = Buffer.concat(chunks);
    if ((this.#objects.get(name)?.info.generation ?? ABSENT) !== ifGeneration) {
      throw new PreconditionFailedError(this.path, name);
    }
    const generation = String(++this.#puts);
    const info = { name, length: bytes.length, crc32c: crc32c(bytes), generation, updatedMs: this.now() };
    this.#objects.set(name, { info, bytes });
    return info;
  }

  async get(name: string): Promise<OpenObject> {
    const found = this.#objects.get(name);
    if (found === undefined) throw new ObjectNotFoundError(this.path, name);
    const { info, bytes } = found;
    return { info, bytes: this.#read(name, info, bytes) };
  }

  async *list(prefix = ""): AsyncIterable<ObjectInfo> {
    for (const name of [...this.#objects.keys()].sort()) {
      const found = this.#objects.get(name);
      if (found !== undefined && name.startsWith(prefix)) yield found.info;
    }
  }

  async delete(name: string): Promise<void> {
    this.#objects.delete(name);
  }

  /** In pieces, as others give them. */
  async *#read(name: string, info: ObjectInfo, bytes: Buffer): AsyncIterable<Uint8Array> {
    const half = bytes.length >>> 1;
    for (const piece of [bytes.subarray(0, half), bytes.subarray(half)]) {
      if (this.#objects.get(name)?.info !== info) throw new ObjectNotFoundError(this.path, name);
      yield piece;
    }
  }
}
