/**
 * Where checkpoints are kept: named objects that appear whole or not at all, as Google Cloud Storage and others have
 * them. Names are relative to one place, and hold no "..": which bucket and which prefix is the implementation's.
 *
 * What every implementation promises
 * - `put` makes an object visible at once and with all its bytes, or not at all. It does so only when the object has
 *   the generation that was expected; two that expect the same never both succeed.
 * - Reading and listing show every put and delete that ended before.
 * - An outage is tried again a few times before it is thrown. A put that throws one may have happened nevertheless;
 *   then a repeat of it breaks its own precondition.
 */

/** Generation of an object that is not there. */
export const ABSENT = "0";

/** What a store knows about an object, without its bytes. */
export interface ObjectInfo {
  readonly name: string;
  readonly length: number;
  /** CRC-32C of its bytes, as the place computed it. */
  readonly crc32c: number;
  /** Changes with each put of the name. */
  readonly generation: string;
  /** When it was put, by the clock of the place. */
  readonly updatedMs: number;
}

/** The bytes of an object on their way up. */
export interface ObjectBody {
  readonly length: number;
  /** The bytes from the first on; called anew for each attempt. */
  open(): AsyncIterable<Uint8Array>;
}

/** The bytes of an object on their way down. */
export interface OpenObject {
  readonly info: ObjectInfo;
  /** Throws an ObjectNotFoundError when the object is deleted or replaced meanwhile. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Objects by name, written whole: where checkpoints are kept. */
export interface ObjectStore {
  /** For messages, such as gs://bucket/prefix. */
  readonly path: string;
  /** Throws a PreconditionFailedError unless the object's generation is `ifGeneration`, which may be ABSENT. */
  put(name: string, body: ObjectBody, ifGeneration: string): Promise<ObjectInfo>;
  /** Throws an ObjectNotFoundError. */
  get(name: string): Promise<OpenObject>;
  /** In the order of names. */
  list(prefix?: string): AsyncIterable<ObjectInfo>;
  /** Deleting an object that does not exist is not an error. */
  delete(name: string): Promise<void>;
}

/** The object has another generation than the write expected: somebody else has written it. */
export class PreconditionFailedError extends Error {
  override readonly name = "PreconditionFailedError";

  constructor(path: string, name: string) {
    super(`${path}/${name} was written by another process in the meantime`);
  }
}

/** There is no object of that name. */
export class ObjectNotFoundError extends Error {
  override readonly name = "ObjectNotFoundError";

  constructor(path: string, name: string) {
    super(`${path}/${name} does not exist`);
  }
}

export function bodyOf(bytes: Uint8Array): ObjectBody {
  return {
    length: bytes.length,
    async *open() {
      yield bytes;
    },
  };
}
