/**
 * MongoWriter: puts documents into one collection, each once, whatever is repeated or fails on the way.
 * Documents carry deterministic `_id`s and never change, so an insert that meets its own `_id` has been done
 * before: that is success.
 */
import {
  type Backoff,
  backoffMs,
  type HealthReporter,
  silentHealth,
  sleep,
  systemClock,
} from "@order-payment-stream/beam/io";
import { BSON, type Collection, type Document, MongoBulkWriteError } from "mongodb";
import { Chunk, cutIntoChunks, DOCUMENT_BYTES_MAX } from "./chunks.js";
import { type Duplicates, findDuplicates } from "./duplicates.js";
import {
  classifyMongoError,
  classifyWriteError,
  DUPLICATE_KEY,
  describeError,
  MongoConfigurationError,
  MongoUnavailableError,
  numericCode,
  serverName,
  unwrapBulkError,
} from "./errors.js";
import { InsertProblem } from "./insert_problem.js";
import type {
  MongoWriterLogger,
  MongoWriterOptions,
  RejectedDocument,
  WriteResult,
} from "./writer_options.js";

// Not 1,000: a server may announce that as its largest batch, and the driver then cuts at 999 and sends one
// document in a round trip of its own.
const CHUNK_DOCUMENTS_MAX = 999;

/** A change of primary, which is no problem, is over sooner most of the time. */
const HEALTH_AFTER_MS = 2_000;

class Tally implements WriteResult {
  inserted = 0;
  alreadyThere = 0;
  retries = 0;
  readonly rejected: RejectedDocument[] = [];

  reject(index: number, code: number | undefined, message: string): void {
    this.rejected.push({ index, code, message });
  }

  rejectTaken(index: number, difference: string): void {
    const message = `another document has this _id: ${difference}`;
    this.rejected.push({ index, code: DUPLICATE_KEY, message, idIsTaken: true });
  }
}

/** What is left of a chunk after an attempt, and why. */
interface Remainder {
  readonly chunk: Chunk;
  readonly error: unknown;
}

export class MongoWriter {
  private readonly collection: Collection;
  private readonly server: string;
  private readonly isToldElsewhere: MongoWriterOptions["isToldElsewhere"];
  private readonly chunkDocumentsMax: number;
  private readonly chunkBytesMax: number;
  private readonly chunksInFlightMax: number;
  private readonly retryTimeMaxMs: number;
  private readonly backoff: Backoff;
  private readonly attemptTimeoutMs: number;
  /** The first of them is told; the others are dead letters, too. */
  private hasToldTaken = false;
  private readonly compare: Parameters<typeof findDuplicates>[3];
  private readonly logger: MongoWriterLogger | undefined;
  private readonly health: HealthReporter;
  /** Of inserts that are under way. */
  private readonly problems = new Set<InsertProblem>();
  private readonly sleep: (ms: number) => Promise<void>;
  private readonly now: () => number;
  private readonly random: () => number;

  constructor(options: MongoWriterOptions) {
    this.collection = options.collection;
    this.server = serverName(options.collection.db.client);
    this.isToldElsewhere = options.isToldElsewhere;
    this.chunkDocumentsMax = options.chunkDocumentsMax ?? CHUNK_DOCUMENTS_MAX;
    this.chunkBytesMax = options.chunkBytesMax ?? DOCUMENT_BYTES_MAX;
    this.chunksInFlightMax = options.chunksInFlightMax ?? 2;
    this.retryTimeMaxMs = options.retryTimeMaxMs ?? 5 * 60_000;
    // All of it by chance: very many may wait for one server.
    const { backoffMinMs: firstMs = 100, backoffMaxMs: maxMs = 10_000 } = options;
    this.backoff = { firstMs, maxMs, jitter: 1 };
    this.attemptTimeoutMs = options.attemptTimeoutMs ?? 30_000;
    this.compare = {
      documentsMax: options.comparedMax ?? 100,
      fields: options.comparedFields,
      timeoutMs: this.attemptTimeoutMs,
    };
    this.logger = options.logger;
    this.health = options.health ?? silentHealth;
    this.sleep = options.sleep ?? sleep;
    this.now = options.now ?? (() => systemClock.elapsed());
    this.random = options.random ?? Math.random;
    if (this.chunkDocumentsMax < 1 || this.chunksInFlightMax < 1) {
      throw new RangeError("chunkDocumentsMax and chunksInFlightMax must be at least 1");
    }
  }

  /**
   * Returns when every document is in the collection on a majority of its servers, or rejected. May be called
   * again before an earlier call returned.
   *
   * Throws MongoUnavailableError after an outage longer than `retryTimeMaxMs`, MongoConfigurationError at once
   * when no waiting can help, TypeError for a document without `_id`. Some documents are written even then;
   * writing all of them again is safe.
   */
  async write(documents: readonly Document[]): Promise<WriteResult> {
    const tally = new Tally();
    const limits = { documentsMax: this.chunkDocumentsMax, bytesMax: this.chunkBytesMax };
    const chunks = cutIntoChunks(documents, this.collection.namespace, limits, (...rejection) =>
      tally.reject(...rejection),
    );
    const laneCount = Math.min(this.chunksInFlightMax, Math.ceil(documents.length / this.chunkDocumentsMax));
    // All lanes draw from one generator, and a lane that throws closes it, so that no other begins a new chunk.
    const lanes = Array.from({ length: laneCount }, async () => {
      for (const chunk of chunks) await this.writeChunk(chunk, tally);
    });
    for (const lane of await Promise.allSettled(lanes)) {
      if (lane.status === "rejected") throw lane.reason;
    }
    tally.rejected.sort((a, b) => a.index - b.index);
    return { ...tally };
  }

  private async writeChunk(chunk: Chunk, tally: Tally): Promise<void> {
    let pending = chunk;
    let failingSinceMs: number | undefined;
    const problem = new InsertProblem(this.health, `MongoDB ${this.collection.namespace}`, this.problems);
    for (let attempt = 0; ; attempt++) {
      const remainder = await problem.unlessSlow(this.server, this.insert(pending, tally));
      if (remainder === undefined) {
        problem.end();
        if (failingSinceMs !== undefined) this.logRecovery(attempt, failingSinceMs);
        return;
      }
      pending = remainder.chunk;
      failingSinceMs ??= this.now();
      if (this.now() - failingSinceMs >= HEALTH_AFTER_MS) {
        problem.begin(`${this.server} accepts no documents: ${describeError(remainder.error)}`);
      }
      const leftMs = this.retryTimeMaxMs - (this.now() - failingSinceMs);
      if (leftMs <= 0) throw this.unavailable(remainder);
      const delayMs = Math.min(leftMs, backoffMs(this.backoff, attempt + 1, this.random));
      this.logger?.warn("MongoDB did not accept documents; trying again", {
        server: this.server,
        collection: this.collection.namespace,
        documents: pending.size,
        attempt: attempt + 1,
        delayMs: Math.round(delayMs),
        error: describeError(remainder.error),
      });
      tally.retries++;
      await this.sleep(delayMs);
    }
  }

  /** One attempt. Returns what a later attempt may still write, or undefined when all is settled. */
  private async insert(offered: Chunk, tally: Tally): Promise<Remainder | undefined> {
    let chunk = offered;
    try {
      chunk = await this.withoutToldElsewhere(offered, tally);
      if (chunk.size === 0) return undefined;
      await this.collection.insertMany(chunk.documents, {
        ordered: false,
        writeConcern: { w: "majority" },
        timeoutMS: this.attemptTimeoutMs,
      });
      tally.inserted += chunk.size;
      return undefined;
    } catch (error) {
      if (!(error instanceof MongoBulkWriteError && tellsOfDocuments(error))) {
        return this.judgeOperation(chunk, error, tally);
      }
      let duplicates: Duplicates;
      try {
        duplicates = await this.findDuplicates(chunk, error);
      } catch (lookupError) {
        return this.judgeOperation(chunk, lookupError, tally);
      }
      return this.judgeDocuments(chunk, error, duplicates, tally);
    }
  }

  private async withoutToldElsewhere(chunk: Chunk, tally: Tally): Promise<Chunk> {
    const told = await this.isToldElsewhere?.(chunk.documents, this.attemptTimeoutMs);
    if (told === undefined || told.size === 0) return chunk;
    tally.alreadyThere += told.size;
    return chunk.without(told);
  }

  private findDuplicates(chunk: Chunk, { result }: MongoBulkWriteError): Promise<Duplicates> {
    return findDuplicates(this.collection, chunk, result.getWriteErrors(), this.compare);
  }

  /** The server did the insert and reported on single documents, or on the write concern. */
  private judgeDocuments(
    chunk: Chunk,
    error: MongoBulkWriteError,
    { alreadyThere, others }: Duplicates,
    tally: Tally,
  ): Remainder | undefined {
    const { result } = error;
    const concernError = result.getWriteConcernError();
    if (concernError && classifyWriteError(concernError.code) === "configuration") {
      throw this.misconfigured(error);
    }
    const refused = new Set<number>();
    const again = new Chunk();
    for (const writeError of result.getWriteErrors()) {
      const at = writeError.index;
      if (alreadyThere.has(at)) continue;
      const failure = classifyWriteError(writeError.code);
      if (failure === "configuration") throw this.misconfigured(error);
      if (failure === "transient") {
        again.add(chunk.documents[at]!, chunk.indexes[at]!);
      } else {
        refused.add(at);
        tally.reject(chunk.indexes[at]!, writeError.code, writeError.errmsg ?? "no message");
      }
    }
    if (concernError) {
      // Written, but perhaps not on a majority: only an insert without this error proves that it is.
      const unproven = chunk.without(refused);
      return unproven.size === 0 ? undefined : { chunk: unproven, error };
    }
    // Not result.insertedCount: some servers count the duplicates in.
    tally.inserted += chunk.size - alreadyThere.size - refused.size - again.size;
    tally.alreadyThere += alreadyThere.size - others.size;
    for (const [at, difference] of others) this.tellTaken(chunk, at, difference, tally);
    return again.size === 0 ? undefined : { chunk: again, error };
  }

  private tellTaken(chunk: Chunk, at: number, difference: string, tally: Tally): void {
    const _id = String(chunk.documents[at]!._id).slice(0, 200);
    const problem = `another writer's document is there under an _id of ours, "${_id}": ${difference}`;
    tally.rejectTaken(chunk.indexes[at]!, difference);
    if (this.hasToldTaken) return;
    this.hasToldTaken = true;
    this.logger?.warn(`MongoDB ${this.collection.namespace}: ${problem}`);
    this.health.report(`Documents in ${this.collection.namespace}`, problem);
  }

  /** The insert as a whole failed: nothing is known of any document. */
  private async judgeOperation(chunk: Chunk, error: unknown, tally: Tally): Promise<Remainder | undefined> {
    const failure = classifyMongoError(error);
    if (failure === "transient") return { chunk, error };
    if (failure === "configuration") throw this.misconfigured(error);
    if (numericCode(unwrapBulkError(error)) === undefined) {
      const unwritable = unwritableOf(chunk);
      if (unwritable.size > 0) {
        for (const [at, message] of unwritable) tally.reject(chunk.indexes[at]!, undefined, message);
        const rest = chunk.without(unwritable);
        if (rest.size > 0) await this.writeChunk(rest, tally);
        return undefined;
      }
      // All could be written, so it was an answer that could not be read.
      if (unwrapBulkError(error) instanceof BSON.BSONError) return { chunk, error };
    }
    if (failure === "programmer") throw error;
    if (chunk.size === 1) {
      const cause = unwrapBulkError(error);
      tally.reject(chunk.indexes[0]!, numericCode(cause), describeError(cause));
      return undefined;
    }
    // One document spoils the insert of all: halving finds it in log2(size) steps and saves the others.
    const middle = chunk.size >>> 1;
    await this.writeChunk(chunk.slice(0, middle), tally);
    await this.writeChunk(chunk.slice(middle, chunk.size), tally);
    return undefined;
  }

  private unavailable({ chunk, error }: Remainder): MongoUnavailableError {
    const cause = unwrapBulkError(error);
    return new MongoUnavailableError(
      `MongoDB at ${this.server} did not accept ${chunk.size} documents for ${this.collection.namespace} ` +
        `within ${this.retryTimeMaxMs / 1000} s: ${describeError(cause)}`,
      causeOf(cause),
    );
  }

  private misconfigured(error: unknown): MongoConfigurationError {
    const cause = unwrapBulkError(error);
    return new MongoConfigurationError(
      `MongoDB at ${this.server} refuses writes to ${this.collection.namespace}: ${describeError(cause)}`,
      causeOf(cause),
    );
  }

  private logRecovery(attempts: number, failingSinceMs: number): void {
    this.logger?.info("MongoDB accepts documents again", {
      server: this.server,
      collection: this.collection.namespace,
      attempts,
      outageMs: Math.round(this.now() - failingSinceMs),
    });
  }
}

/** Documents of which BSON makes no bytes, by their position, and why. */
function unwritableOf(chunk: Chunk): Map<number, string> {
  const unwritable = new Map<number, string>();
  for (const [at, document] of chunk.documents.entries()) {
    try {
      BSON.serialize(document);
    } catch (error) {
      unwritable.set(at, error instanceof Error ? `${error.name}: ${describeError(error)}` : String(error));
    }
  }
  return unwritable;
}

/** A bulk error is left out: it carries every document, and a logger would print them all. */
function causeOf(cause: unknown): ErrorOptions {
  return cause instanceof MongoBulkWriteError ? {} : { cause };
}

/**
 * Whether the server answered for every document, rather than the insert as a whole having failed. To look into
 * `result` would not do: the driver may send one insert in several batches, and when a later one is lost, `result`
 * has the faults of the earlier. `writeErrors` is set only after the last batch.
 */
function tellsOfDocuments({ result, writeErrors }: MongoBulkWriteError): boolean {
  if (result.getWriteConcernError() !== undefined) return true;
  return !Array.isArray(writeErrors) || writeErrors.length > 0;
}
