/**
 * How documents become inserts: a bounded number of them, and of bytes. The driver cuts an insert at the size that the
 * server announces for one document, far below the 48 MB of a message, so the bound here is of that size too.
 */
import { BSON, type Document } from "mongodb";
import { DOCUMENT_TOO_LARGE, describeError } from "./errors.js";

/** MongoDB's own limit for one document; the driver refuses a document of exactly this size. */
export const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;

export interface ChunkLimits {
  readonly documentsMax: number;
  /** Estimated from above. One document alone may exceed it. */
  readonly bytesMax: number;
}

/** Documents of one insert, and where each stands in the array given to `write`. */
export class Chunk {
  readonly documents: Document[] = [];
  readonly indexes: number[] = [];

  get size(): number {
    return this.documents.length;
  }

  add(document: Document, index: number): void {
    this.documents.push(document);
    this.indexes.push(index);
  }

  /** Those whose position in the chunk is not among these. */
  without(positions: { has(at: number): boolean }): Chunk {
    const part = new Chunk();
    for (let at = 0; at < this.size; at++) {
      if (!positions.has(at)) part.add(this.documents[at]!, this.indexes[at]!);
    }
    return part;
  }

  slice(start: number, end: number): Chunk {
    const part = new Chunk();
    for (let i = start; i < end; i++) part.add(this.documents[i]!, this.indexes[i]!);
    return part;
  }
}

/**
 * Cuts documents into chunks. Those that cannot be sent are left out and told of.
 * @throws TypeError for a document without `_id`
 */
export function* cutIntoChunks(
  documents: readonly Document[],
  namespace: string,
  limits: ChunkLimits,
  reject: (index: number, code: number | undefined, message: string) => void,
): Generator<Chunk, void, void> {
  let chunk = new Chunk();
  let chunkBytes = 0;
  for (let index = 0; index < documents.length; index++) {
    const document = documents[index]!;
    if (document._id === undefined) {
      throw new TypeError(`document ${index} for ${namespace} has no _id`);
    }
    let bytes: number;
    try {
      bytes = documentBytes(document);
    } catch (error) {
      reject(index, undefined, describeError(error));
      continue;
    }
    if (bytes >= DOCUMENT_BYTES_MAX) {
      reject(
        index,
        DOCUMENT_TOO_LARGE,
        `the document has ${bytes} bytes, and MongoDB accepts less than 16 MiB`,
      );
      continue;
    }
    const full = chunk.size === limits.documentsMax || chunkBytes + bytes > limits.bytesMax;
    if (full && chunk.size > 0) {
      yield chunk;
      chunk = new Chunk();
      chunkBytes = 0;
    }
    chunk.add(document, index);
    chunkBytes += bytes;
  }
  if (chunk.size > 0) yield chunk;
}

/**
 * Size of a document in BSON: exact, or for a small flat document an estimate from above that costs no walk over
 * its text. Throws for a document that BSON cannot write.
 */
export function documentBytes(document: Document): number {
  let bytes = 5;
  for (const key in document) {
    const value: unknown = document[key];
    bytes += 2 + key.length * 3;
    if (typeof value === "string") bytes += 5 + value.length * 3;
    else if (typeof value === "number" || typeof value === "bigint" || value instanceof Date) bytes += 8;
    else if (value instanceof Uint8Array) bytes += 5 + value.length;
    else if (value !== null && typeof value !== "boolean") return BSON.calculateObjectSize(document);
  }
  return bytes < DOCUMENT_BYTES_MAX ? bytes : BSON.calculateObjectSize(document);
}
