/**
 * MongoWriter: puts documents into one collection, each once, whatever is repeated or fails on the way.
 * Documents carry deterministic `_id`s and never change, so an insert that meets its own `_id` has been done
 * before: that is success. Beside it: opening a client and creating indexes with errors that a person can act on.
 */
import {
  BSON,
  type Collection,
  type Db,
  type Document,
  type IndexDescription,
  MongoBulkWriteError,
  MongoClient,
  type WriteError,
} from "mongodb";
import { type HealthReporter, unheard } from "../../model/health.js";
import { isPlainAddress, maskAddress, rememberSecretsOf } from "../../model/masking.js";
import {
  classifyMongoError,
  classifyWriteError,
  DOCUMENT_TOO_LARGE,
  DUPLICATE_KEY,
  describeError,
  MongoConfigurationError,
  MongoUnavailableError,
  numericCode,
  serverName,
  unwrapBulkError,
} from "./errors.js";

/** MongoDB's own limit for one document; the driver refuses a document of exactly this size. */
export const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;

// Not 1,000: a server may announce that as its largest batch, and the driver then cuts at 999 and sends one
// document in a round trip of its own.
const CHUNK_DOCUMENTS_MAX = 999;

/** A change of primary, which is no problem, is over sooner most of the time. */
const HEALTH_AFTER_MS = 2_000;
const SLOW_MS = 5_000;

export interface MongoWriterLogger {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
}

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
  /** A failing insert is repeated for this long, counted from its first failure. Default 5 min. */
  readonly retryTimeMaxMs?: number;
  /** Attempt n waits a random time in [0, min(backoffMaxMs, backoffMinMs · 2ⁿ)]. Default 100 ms. */
  readonly backoffMinMs?: number;
  /** Default 10 s. */
  readonly backoffMaxMs?: number;
  /** One attempt against a server that does not answer ends after this. Default 30 s. */
  readonly attemptTimeoutMs?: number;
  readonly logger?: MongoWriterLogger;
  /** Told of outages that last. */
  readonly health?: HealthReporter;
  /** Waits between attempts. A wait that rejects ends the write with its error, so that a stop need not wait. */
  readonly sleep?: (ms: number) => Promise<void>;
  /** Monotonic clock, ms. */
  readonly now?: () => number;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

/** A document that the collection will never take. It is not written; the caller owes it a dead letter. */
export interface RejectedDocument {
  /** Position in the array given to `write`. */
  readonly index: number;
  /** The server's error code; undefined when the document could not even be encoded. */
  readonly code: number | undefined;
  readonly message: string;
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

class Tally implements WriteResult {
  inserted = 0;
  alreadyThere = 0;
  retries = 0;
  readonly rejected: RejectedDocument[] = [];

  reject(index: number, code: number | undefined, message: string): void {
    this.rejected.push({ index, code, message });
  }
}

/** Documents of one insert, and where each stands in the array given to `write`. */
class Chunk {
  readonly documents: Document[] = [];
  readonly indexes: number[] = [];

  get size(): number {
    return this.documents.length;
  }

  add(document: Document, index: number): void {
    this.documents.push(document);
    this.indexes.push(index);
  }

  slice(start: number, end: number): Chunk {
    const part = new Chunk();
    for (let i = start; i < end; i++) part.add(this.documents[i]!, this.indexes[i]!);
    return part;
  }
}

/** An insert that fails or hangs, for the health of its collection: that is well when no insert is in trouble. */
class Trouble {
  constructor(
    private readonly health: HealthReporter,
    private readonly component: string,
    private readonly all: Set<Trouble>,
  ) {}

  begin(problem: string): void {
    this.all.add(this);
    this.health.report(this.component, problem);
  }

  end(): void {
    if (this.all.delete(this) && this.all.size === 0) this.health.clear(this.component);
  }

  /** An attempt may hang for long before it fails. */
  async unlessSlow<T>(server: string, attempt: Promise<T>): Promise<T> {
    if (this.health === unheard) return attempt;
    const timer = setTimeout(() => {
      this.begin(`${server} has not answered an insert for ${SLOW_MS / 1000} s`);
    }, SLOW_MS);
    try {
      return await attempt;
    } finally {
      clearTimeout(timer);
    }
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
  private readonly backoffMinMs: number;
  private readonly backoffMaxMs: number;
  private readonly attemptTimeoutMs: number;
  private readonly logger: MongoWriterLogger | undefined;
  private readonly health: HealthReporter;
  /** Of inserts that are under way. */
  private readonly troubles = new Set<Trouble>();
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
    this.backoffMinMs = options.backoffMinMs ?? 100;
    this.backoffMaxMs = options.backoffMaxMs ?? 10_000;
    this.attemptTimeoutMs = options.attemptTimeoutMs ?? 30_000;
    this.logger = options.logger;
    this.health = options.health ?? unheard;
    this.sleep = options.sleep ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms)));
    this.now = options.now ?? (() => performance.now());
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
    const chunks = this.cut(documents, tally);
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

  /** Cuts the documents into chunks, and rejects those that cannot be sent. */
  private *cut(documents: readonly Document[], tally: Tally): Generator<Chunk, void, void> {
    let chunk = new Chunk();
    let chunkBytes = 0;
    for (let index = 0; index < documents.length; index++) {
      const document = documents[index]!;
      if (document._id === undefined) {
        throw new TypeError(`document ${index} for ${this.collection.namespace} has no _id`);
      }
      let bytes: number;
      try {
        bytes = documentBytes(document);
      } catch (error) {
        tally.reject(index, undefined, describeError(error));
        continue;
      }
      if (bytes >= DOCUMENT_BYTES_MAX) {
        tally.reject(
          index,
          DOCUMENT_TOO_LARGE,
          `the document has ${bytes} bytes, MongoDB takes less than 16 MiB`,
        );
        continue;
      }
      const full = chunk.size === this.chunkDocumentsMax || chunkBytes + bytes > this.chunkBytesMax;
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

  private async writeChunk(chunk: Chunk, tally: Tally): Promise<void> {
    let pending = chunk;
    let failingSinceMs: number | undefined;
    const trouble = new Trouble(this.health, `MongoDB ${this.collection.namespace}`, this.troubles);
    for (let attempt = 0; ; attempt++) {
      const remainder = await trouble.unlessSlow(this.server, this.insert(pending, tally));
      if (remainder === undefined) {
        trouble.end();
        if (failingSinceMs !== undefined) this.logRecovery(attempt, failingSinceMs);
        return;
      }
      pending = remainder.chunk;
      failingSinceMs ??= this.now();
      if (this.now() - failingSinceMs >= HEALTH_AFTER_MS) {
        trouble.begin(`${this.server} takes no documents: ${describeError(remainder.error)}`);
      }
      const leftMs = this.retryTimeMaxMs - (this.now() - failingSinceMs);
      if (leftMs <= 0) throw this.unavailable(remainder);
      const ceilingMs = Math.min(this.backoffMaxMs, this.backoffMinMs * 2 ** attempt);
      const delayMs = Math.min(leftMs, this.random() * ceilingMs);
      this.logger?.warn("MongoDB did not take documents, trying again", {
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
      let alreadyThere: ReadonlySet<number>;
      try {
        alreadyThere = await this.findAlreadyThere(chunk, error.result.getWriteErrors());
      } catch (lookupError) {
        return this.judgeOperation(chunk, lookupError, tally);
      }
      return this.judgeDocuments(chunk, error, alreadyThere, tally);
    }
  }

  private async withoutToldElsewhere(chunk: Chunk, tally: Tally): Promise<Chunk> {
    const told = await this.isToldElsewhere?.(chunk.documents, this.attemptTimeoutMs);
    if (told === undefined || told.size === 0) return chunk;
    const left = new Chunk();
    for (const [i, document] of chunk.documents.entries()) {
      if (!told.has(i)) left.add(document, chunk.indexes[i]!);
    }
    tally.alreadyThere += told.size;
    return left;
  }

  /** Positions in the chunk of the duplicates that are of `_id`, and not of another unique index. */
  private async findAlreadyThere(chunk: Chunk, writeErrors: readonly WriteError[]): Promise<Set<number>> {
    const found = new Set<number>();
    const unnamed: number[] = [];
    for (const { code, errmsg, index } of writeErrors) {
      if (code !== DUPLICATE_KEY) continue;
      const name = duplicateIndexName(errmsg);
      if (name === undefined) unnamed.push(index);
      else if (name === "_id_" || name.endsWith("$_id_")) found.add(index);
    }
    if (unnamed.length === 0) return found;
    // Azure Cosmos DB does not name the index ("Failed _id or unique index constraint"): ask the collection.
    const ids = unnamed.map((at) => chunk.documents[at]!._id);
    const options = { projection: { _id: 1 }, timeoutMS: this.attemptTimeoutMs };
    const stored = this.collection.find({ _id: { $in: ids } }, options);
    const keys = new Set((await stored.toArray()).map(idKey));
    for (const at of unnamed) if (keys.has(idKey(chunk.documents[at]!))) found.add(at);
    return found;
  }

  /** The server did the insert and reported on single documents, or on the write concern. */
  private judgeDocuments(
    chunk: Chunk,
    error: MongoBulkWriteError,
    alreadyThere: ReadonlySet<number>,
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
      const unproven = new Chunk();
      for (let at = 0; at < chunk.size; at++) {
        if (!refused.has(at)) unproven.add(chunk.documents[at]!, chunk.indexes[at]!);
      }
      return unproven.size === 0 ? undefined : { chunk: unproven, error };
    }
    // Not result.insertedCount: some servers count the duplicates in.
    tally.inserted += chunk.size - alreadyThere.size - refused.size - again.size;
    tally.alreadyThere += alreadyThere.size;
    return again.size === 0 ? undefined : { chunk: again, error };
  }

  /** The insert as a whole failed: nothing is known of any document. */
  private async judgeOperation(chunk: Chunk, error: unknown, tally: Tally): Promise<Remainder | undefined> {
    switch (classifyMongoError(error)) {
      case "transient":
        return { chunk, error };
      case "configuration":
        throw this.misconfigured(error);
      case "programmer":
        throw error;
      case "data":
        break;
    }
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
      `MongoDB at ${this.server} did not take ${chunk.size} documents for ${this.collection.namespace} ` +
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
    this.logger?.info("MongoDB takes documents again", {
      server: this.server,
      collection: this.collection.namespace,
      attempts,
      outageMs: Math.round(this.now() - failingSinceMs),
    });
  }
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

/**
 * The unique index that a duplicate is of. The driver drops the answer's keyPattern, so the message decides. User
 * data comes only behind the name:
 * `E11000 duplicate key error collection: db.name index: _id_ dup key: { _id: "…" }`.
 */
function duplicateIndexName(errmsg: string | undefined): string | undefined {
  return / index: (\S+)/.exec(errmsg ?? "")?.[1];
}

function idKey({ _id }: Document): string {
  return BSON.EJSON.stringify({ _id });
}

/**
 * Size of a document in BSON: exact, or for a small flat document an estimate from above that costs no walk over
 * its text. Throws for a document that BSON cannot write.
 */
function documentBytes(document: Document): number {
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

export interface CollectionIndexes {
  readonly collection: string;
  readonly indexes: readonly IndexDescription[];
}

/**
 * Creates the indexes that are not there yet; their collections too. Throws MongoConfigurationError when an index
 * contradicts an existing one or the data, or may not be created; MongoUnavailableError in an outage.
 */
export async function ensureIndexes(db: Db, spec: readonly CollectionIndexes[]): Promise<void> {
  const server = serverName(db.client);
  for (const { collection, indexes } of spec) {
    if (indexes.length === 0) continue;
    try {
      await db.collection(collection).createIndexes([...indexes]);
    } catch (error) {
      const what = `the indexes of ${db.databaseName}.${collection} at ${server}`;
      throw startError(error, `MongoDB cannot create ${what}`, `MongoDB did not create ${what}`);
    }
  }
}

export interface ConnectOptions {
  /** Bound on the whole call, ms. It also stays the client's bound on finding a server. Default 5,000. */
  readonly timeoutMs?: number;
  /** How the server's log and currentOp name this client. */
  readonly appName?: string;
}

/**
 * A connected client whose server has answered a ping. Throws MongoConfigurationError for a URI that cannot be
 * read or credentials that are refused, MongoUnavailableError when no server answers in time. Messages name the
 * hosts and never a password.
 */
export async function connectMongo(uri: string, options: ConnectOptions = {}): Promise<MongoClient> {
  const timeoutMs = options.timeoutMs ?? 5_000;
  let client: MongoClient;
  rememberSecretsOf(uri);
  try {
    client = new MongoClient(uri, {
      serverSelectionTimeoutMS: timeoutMs,
      connectTimeoutMS: timeoutMs,
      ...(options.appName === undefined ? {} : { appName: options.appName }),
    });
  } catch (error) {
    // What the driver says of such a URI may quote a part of a password.
    const why = isPlainAddress(uri) ? `: ${describeError(error)}` : "";
    throw new MongoConfigurationError(
      `${JSON.stringify(maskAddress(uri))} is not a MongoDB URI (mongodb://host:port or mongodb+srv://host)${why}`,
    );
  }
  const server = serverName(client);
  try {
    await within(timeoutMs, ping(client));
    return client;
  } catch (error) {
    // Not awaited: closing may wait for the same silent host.
    client.close().catch(() => undefined);
    throw startError(
      error,
      `MongoDB at ${server} refuses the connection`,
      `no MongoDB answers at ${server} within ${timeoutMs / 1000} s`,
    );
  }
}

async function ping(client: MongoClient): Promise<void> {
  await client.connect();
  await client.db("admin").command({ ping: 1 });
}

/** Server selection has its own bound, but looking up a mongodb+srv name and a ping's answer have none. */
async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  // Server selection, which knows more about the cause, is to report first.
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new MongoUnavailableError("no answer")), timeoutMs + 250);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function startError(error: unknown, refused: string, unavailable: string): Error {
  if (error instanceof MongoUnavailableError)
    return new MongoUnavailableError(`${unavailable}: ${error.message}`);
  switch (classifyMongoError(error)) {
    case "transient":
      return new MongoUnavailableError(`${unavailable}: ${describeError(error)}`, { cause: error });
    case "configuration":
    case "data":
      return new MongoConfigurationError(`${refused}: ${describeError(error)}`, { cause: error });
    case "programmer":
      return error instanceof Error ? error : new Error(String(error));
  }
}
