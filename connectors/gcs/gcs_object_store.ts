/**
 * Objects under one prefix of a bucket of Google Cloud Storage. The client's own checks and retries are off, but for
 * the pieces of large uploads: ours know what may be repeated, give up in time, and go on inside of a download.
 */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  type Bucket,
  type File,
  type FileMetadata,
  Storage,
  type StorageOptions,
} from "@google-cloud/storage";
import {
  type Clock,
  type ObjectBody,
  type ObjectInfo,
  ObjectNotFoundError,
  type ObjectStore,
  type OpenObject,
  PreconditionFailedError,
  systemClock,
} from "@order-payment-stream/beam/io";

import { explainGcsError, StalledError, statusOf } from "./gcs_errors.js";
import { type GcsPath, gcsPathText } from "./gcs_path.js";
import { mayRetry, retrying } from "./retry.js";

/** Larger ones are sent in pieces, each of which is repeated by itself when it fails. */
const PIECE_BYTES = 8 * 1024 * 1024;
const PAGE_SIZE = 1_000;

/** How to reach Cloud Storage. */
export interface GcsOptions {
  /** An endpoint instead of Google's, such as http://127.0.0.1:4443, without credentials. */
  readonly apiEndpoint?: string | undefined;
  readonly clock?: Clock;
  /** A request that has not moved on for so long has failed; a download for a quarter of it. */
  readonly stallMs?: number;
}

/** Objects in a bucket of Google Cloud Storage. */
export class GcsObjectStore implements ObjectStore {
  readonly path: string;
  readonly #bucket: Bucket;
  readonly #bucketForPieces: Bucket;
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #stallMs: number;

  private constructor(path: GcsPath, { apiEndpoint, clock = systemClock, stallMs = 60_000 }: GcsOptions) {
    this.path = gcsPathText(path);
    this.#folder = path.prefix === "" ? "" : `${path.prefix}/`;
    this.#clock = clock;
    this.#stallMs = stallMs;
    const newBucket = (retryOptions: NonNullable<StorageOptions["retryOptions"]>): Bucket => {
      if (apiEndpoint === undefined) return new Storage({ retryOptions }).bucket(path.bucket);
      const emulated = { apiEndpoint, projectId: "unused", useAuthWithCustomEndpoint: false };
      const storage = new Storage({ ...emulated, retryOptions });
      // Where the environment has STORAGE_EMULATOR_HOST, the client forgets the path.
      storage.baseUrl = `${apiEndpoint}/storage/v1`;
      return storage.bucket(path.bucket);
    };
    this.#bucket = newBucket({ autoRetry: false });
    this.#bucketForPieces = newBucket({ autoRetry: true, maxRetries: 4, maxRetryDelay: 8, totalTimeout: 60 });
  }

  /** @throws GcsRefusedError when the bucket is not there or may not be listed, GcsUnavailableError */
  static async open(path: GcsPath, options: GcsOptions = {}): Promise<GcsObjectStore> {
    const store = new GcsObjectStore(path, options);
    // Asking for the bucket itself would need a permission that nothing else here needs.
    await store.#page({ maxResults: 1 });
    return store;
  }

  async put(name: string, body: ObjectBody, ifGeneration: string): Promise<ObjectInfo> {
    const isLarge = body.length > PIECE_BYTES;
    const bucket = isLarge ? this.#bucketForPieces : this.#bucket;
    return this.#attempt(name, async () => {
      const file = bucket.file(this.#folder + name);
      const upload = file.createWriteStream({
        resumable: isLarge,
        ...(isLarge && { chunkSize: PIECE_BYTES }),
        validation: false,
        contentType: name.endsWith(".json") ? "application/json" : "application/octet-stream",
        preconditionOpts: { ifGenerationMatch: ifGeneration },
      });
      const watch = this.#watch((error) => upload.destroy(error));
      try {
        await pipeline(Readable.from(watch.seen(body.open())), upload);
      } finally {
        watch.end();
      }
      return infoOf(name, file.metadata);
    });
  }

  async get(name: string): Promise<OpenObject> {
    const file = this.#bucket.file(this.#folder + name);
    const [metadata] = await this.#attempt(name, () => this.#inTime(file.getMetadata()), true);
    const info = infoOf(name, metadata);
    return { info, bytes: this.#bytes(info) };
  }

  /**
   * A part of an object as it was at one generation: from `start` up to `end`, or to where it ends.
   * Throws an ObjectNotFoundError when it is deleted or replaced meanwhile.
   */
  async read(info: ObjectInfo, start: number, end: number): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.#bytes(info, start, Math.min(end, info.length))) chunks.push(chunk);
    return chunks.length === 1 ? Buffer.from(chunks[0]!) : Buffer.concat(chunks);
  }

  async *list(prefix = ""): AsyncIterable<ObjectInfo> {
    for (let pageToken: string | undefined; ; ) {
      const { files, next } = await this.#page({
        prefix: this.#folder + prefix,
        maxResults: PAGE_SIZE,
        ...(pageToken !== undefined && { pageToken }),
      });
      for (const { name, metadata } of files) yield infoOf(name.slice(this.#folder.length), metadata);
      if (next === undefined) return;
      pageToken = next;
    }
  }

  async delete(name: string): Promise<void> {
    const file = this.#bucket.file(this.#folder + name);
    await this.#attempt(name, () => this.#inTime(file.delete({ ignoreNotFound: true })));
  }

  /** Goes on where a broken connection left off, in the same generation. */
  async *#bytes(
    { name, length, generation }: ObjectInfo,
    start = 0,
    end = length,
  ): AsyncIterable<Uint8Array> {
    const file = this.#bucket.file(this.#folder + name, { generation });
    let position = start;
    for (let failures = 0; position < end; ) {
      const download = file.createReadStream({
        start: position,
        ...(end < length && { end: end - 1 }),
        validation: false,
        decompress: false,
      });
      // The client does not notice a connection that breaks inside of an answer; it would wait for ever.
      const watch = this.#watch((error) => download.destroy(error), this.#stallMs / 4);
      try {
        for await (const chunk of watch.seen<Buffer>(download)) {
          failures = 0;
          position += chunk.length;
          yield chunk;
        }
        if (position < end) throw new StalledError("the connection ended too soon");
      } catch (error) {
        if (!(await mayRetry(this.#clock, error, ++failures))) throw this.#explained(error, name, true);
      } finally {
        watch.end();
        download.destroy();
      }
    }
  }

  async #page(query: {
    readonly prefix?: string;
    readonly maxResults: number;
    readonly pageToken?: string;
  }): Promise<{ readonly files: readonly File[]; readonly next: string | undefined }> {
    const [files, next] = await this.#attempt("", () =>
      this.#inTime(this.#bucket.getFiles({ ...query, autoPaginate: false })),
    );
    const { pageToken } = (next ?? {}) as { readonly pageToken?: string };
    return { files, next: pageToken };
  }

  /** @param mayBeMissing whether 404 means that the object is not there */
  async #attempt<T>(name: string, attempt: () => Promise<T>, mayBeMissing = false): Promise<T> {
    try {
      return await retrying(this.#clock, attempt);
    } catch (error) {
      throw this.#explained(error, name, mayBeMissing);
    }
  }

  #explained(error: unknown, name: string, mayBeMissing: boolean): Error {
    const status = statusOf(error);
    if (status === 412) return new PreconditionFailedError(this.path, name);
    if (status === 404 && mayBeMissing) return new ObjectNotFoundError(this.path, name);
    return explainGcsError(error, this.path);
  }

  async #inTime<T>(answer: Promise<T>): Promise<T> {
    let watch: Watch | undefined;
    const late = new Promise<never>((_, reject) => {
      watch = this.#watch(reject);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      watch?.end();
    }
  }

  #watch(onStall: (error: StalledError) => void, stallMs = this.#stallMs): Watch {
    return new Watch(this.#clock, stallMs, onStall);
  }
}

/** Notices that nothing moves any more. */
class Watch {
  #cancel: () => void = () => {};

  constructor(
    private readonly clock: Clock,
    private readonly stallMs: number,
    private readonly onStall: (error: StalledError) => void,
  ) {
    this.#begin();
  }

  /** The chunks; each that is taken shows that something moves. */
  async *seen<T extends Uint8Array>(chunks: AsyncIterable<T>): AsyncIterable<T> {
    for await (const chunk of chunks) {
      this.#begin();
      yield chunk;
    }
    this.#begin();
  }

  end(): void {
    this.#cancel();
  }

  #begin(): void {
    this.#cancel();
    this.#cancel = this.clock.schedule(this.stallMs, () => {
      this.onStall(new StalledError(`no answer for ${this.stallMs / 1000} s`));
    });
  }
}

function infoOf(name: string, { size, crc32c, generation, updated }: FileMetadata): ObjectInfo {
  return {
    name,
    length: Number(size),
    // Big-endian in base64.
    crc32c: Buffer.from(crc32c ?? "", "base64").readUInt32BE(0),
    generation: String(generation),
    updatedMs: Date.parse(updated ?? ""),
  };
}
