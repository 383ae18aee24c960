/** What a MongoWriter is told, and what it answers. */
import type { HealthReporter } from "@order-payment-stream/beam/io";
import type { Collection, Document } from "mongodb";

/** Where a writer logs. */
export interface MongoWriterLogger {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
}

/** Where a writer writes, and its bounds. */
export interface MongoWriterOptions {
  readonly collection: Collection;
  /**
   * Asked in front of each insert for the positions of documents that must not be written, because another collection
   * tells otherwise: they count as `alreadyThere`. Repeated as the insert is when it rejects.
   */
  readonly isToldElsewhere?: (
    documents: readonly Document[],
    timeoutMs: number,
  ) => Promise<ReadonlySet<number>>;
  /** Documents in one insert. Default 999. */
  readonly chunkDocumentsMax?: number;
  /** Bytes in one insert, estimated from above. One document alone may exceed it. Default 16 MiB. */
  readonly chunkBytesMax?: number;
  /** Inserts that one `write` has under way at once. Default 2. */
  readonly chunksInFlightMax?: number;
  /** A failing insert is retried for this long, counted from its first failure. Default 5 min. */
  readonly retryTimeMaxMs?: number;
  /** Attempt n waits a random time in [0, min(backoffMaxMs, backoffMinMs · 2ⁿ)]. Default 100 ms. */
  readonly backoffMinMs?: number;
  /** Default 10 s. */
  readonly backoffMaxMs?: number;
  /** One attempt against a server that does not answer ends after this. Default 30 s. */
  readonly attemptTimeoutMs?: number;
  /** Documents of one insert, of those that are there already, that are compared with ours. Default 100. */
  readonly comparedMax?: number;
  /** Fields by which they are compared. Default: all that our documents have. */
  readonly comparedFields?: readonly string[];
  readonly logger?: MongoWriterLogger;
  /** Receives lasting outages, and documents of other writers. */
  readonly health?: HealthReporter;
  /** Waits between attempts. A wait that rejects ends the write with its error, so that a stop need not wait. */
  readonly sleep?: (ms: number) => Promise<void>;
  /** Monotonic clock, ms. */
  readonly now?: () => number;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

/** A document that the collection will never accept. It is not written; the caller must report it. */
export interface RejectedDocument {
  /** Position in the array given to `write`. */
  readonly index: number;
  /** The server's error code; undefined when the document could not even be encoded. */
  readonly code: number | undefined;
  readonly message: string;
  /** Another document, which is not ours, has the `_id`. It stays as it is. */
  readonly idIsTaken?: true;
}

/** Every document is counted once: inserted + alreadyThere + rejected.length = documents given. */
export interface WriteResult {
  /** Lower bound: documents of an attempt whose answer was lost count as `alreadyThere` in the next. */
  readonly inserted: number;
  readonly alreadyThere: number;
  /** In the order of their indexes. */
  readonly rejected: readonly RejectedDocument[];
  /** Attempts beyond the first, over all inserts. */
  readonly retries: number;
}
