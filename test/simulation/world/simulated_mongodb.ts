/**
 * A MongoDB server: collections that outlive every process, and all the ways in which an insert can fail, do its work
 * and say otherwise, or do half of it. What it stores and gives has gone through BSON, as on the way over a wire.
 *
 * A request that has been sent is carried out even when the process that sent it has died since.
 */
import { createRequire } from "node:module";
import {
  BSON,
  type Document,
  MongoBulkWriteError,
  MongoNetworkError,
  MongoNotConnectedError,
  MongoOperationTimeoutError,
  MongoServerError,
  type WriteError,
} from "mongodb";
import type { Random } from "../../../producers/random.js";
import { type EventLoop, type Owner, WORLD } from "./event_loop.js";
import { pick } from "./seeded.js";

const INVALID_ID_FIELD = 53;
const VALIDATION_FAILURE = 121;
const BAD_VALUE = 2;
const DUPLICATE_KEY = 11000;

/** What faults do to the way between the process and the server, and to the server itself. */
export interface MongoConditions {
  /** One way, ms. */
  latencyMaxMs: number;
  isDown: boolean;
  /** Requests wait until it thaws, and are carried out then, whoever waits for the answer still. */
  isFrozen: boolean;
  /** Shares of inserts: whose connection breaks on the way there, … */
  lostRequests: number;
  /** … that are done, and their answer lost, … */
  lostAnswers: number;
  /** … of which some documents are written before the connection breaks, … */
  halfDone: number;
  /** … that are never answered, … */
  unanswered: number;
  /** … that are refused as a whole, with one of these codes, … */
  refused: number;
  refusalCodes: readonly number[];
  /** … and that are done, but perhaps not on a majority. */
  unproven: number;
  unprovenCodes: readonly number[];
  /** Share of documents that are not written this time, with one of these codes. */
  documentErrors: number;
  documentCodes: readonly number[];
  /** As Azure Cosmos DB: a duplicate does not say of which index. */
  namesNoIndex: boolean;
}

export function calmMongo(): MongoConditions {
  return {
    latencyMaxMs: 3,
    isDown: false,
    isFrozen: false,
    lostRequests: 0,
    lostAnswers: 0,
    halfDone: 0,
    unanswered: 0,
    refused: 0,
    refusalCodes: [],
    unproven: 0,
    unprovenCodes: [],
    documentErrors: 0,
    documentCodes: [],
    namesNoIndex: false,
  };
}

/** How a collection refuses a document for good. */
export type Refusal = "validator" | "spoils the insert" | "unique index" | "another's document";

interface Fault {
  readonly index: number;
  readonly code: number;
  readonly errmsg: string;
}

interface Inserted {
  readonly faults: readonly Fault[];
  /** The whole insert is refused. */
  readonly refusalCode?: number;
}

export class StoredCollection {
  readonly #documents = new Map<string, Buffer>();
  readonly #uniqueFields: string[] = [];
  /** A document written again with its `_id` and other content: never right, for documents do not change. */
  readonly rewrites: string[] = [];
  /** Documents of somebody else that have an `_id` of ours. Nobody counts them. */
  readonly foreign = new Map<string, Document>();

  constructor(
    readonly database: string,
    readonly name: string,
    private readonly server: SimulatedMongo,
  ) {}

  get namespace(): string {
    return `${this.database}.${this.name}`;
  }

  get size(): number {
    return this.#documents.size;
  }

  createUniqueIndex(field: string): void {
    this.#uniqueFields.push(field);
  }

  documents(): Document[] {
    return [...this.#documents.values()].map((bytes) => BSON.deserialize(bytes));
  }

  find(ids: readonly unknown[]): Document[] {
    return ids.flatMap((_id) => {
      const foreign = this.foreign.get(idKey(_id));
      if (foreign !== undefined) return [foreign];
      const bytes = this.#documents.get(idKey(_id));
      return bytes === undefined ? [] : [BSON.deserialize(bytes)];
    });
  }

  /** Inserts what it can, in order. */
  insert(sent: readonly Buffer[], documentFault: (index: number) => number | undefined): Inserted {
    const faults: Fault[] = [];
    const decoded = sent.map((bytes) => BSON.deserialize(bytes));
    const refusals = decoded.map((document) => this.server.refusalOf(this.name, document));
    if (refusals.includes("spoils the insert")) return { faults, refusalCode: BAD_VALUE };
    for (const [index, document] of decoded.entries()) {
      const fault = this.#insertOne(document, sent[index]!, refusals[index], documentFault(index));
      if (fault !== undefined) faults.push({ index, ...fault });
    }
    return { faults };
  }

  #insertOne(
    document: Document,
    bytes: Buffer,
    refusal: Refusal | undefined,
    code: number | undefined,
  ): Omit<Fault, "index"> | undefined {
    const { _id } = document;
    if (Array.isArray(_id))
      return { code: INVALID_ID_FIELD, errmsg: "The '_id' value cannot be of type array" };
    if (code !== undefined) return { code, errmsg: "not now" };
    const key = idKey(_id);
    if (refusal === "another's document") {
      this.foreign.set(key, { ...document, order_id: "another's" });
      return this.#duplicate("_id_", key);
    }
    const stored = this.#documents.get(key);
    if (stored !== undefined) {
      if (!stored.equals(bytes)) this.rewrites.push(`${this.namespace}: ${key}`);
      return this.#duplicate("_id_", key);
    }
    if (refusal === "validator") return { code: VALIDATION_FAILURE, errmsg: "Document failed validation" };
    if (refusal === "unique index") return this.#duplicate("order_id_1", key);
    for (const field of this.#uniqueFields) {
      const isTaken = this.documents().some((other) => other[field] === document[field]);
      if (isTaken) return this.#duplicate(`${field}_1`, key);
    }
    this.#documents.set(key, bytes);
    return undefined;
  }

  #duplicate(index: string, key: string): Omit<Fault, "index"> {
    const { namesNoIndex } = this.server.conditions;
    const errmsg = namesNoIndex
      ? "E11000 duplicate key error collection. Failed _id or unique index constraint."
      : `E11000 duplicate key error collection: ${this.namespace} index: ${index} dup key: ${key}`;
    return { code: DUPLICATE_KEY, errmsg };
  }
}

function idKey(_id: unknown): string {
  return BSON.EJSON.stringify({ _id });
}

export class SimulatedMongo {
  conditions = calmMongo();
  /** How far the server's clock is ahead of the world's. */
  clockOffsetMs = 0;
  /** Is told of each insert that arrives. */
  onInsert: () => void = () => undefined;
  /** Whether a collection refuses a document for ever. */
  refusalOf: (collection: string, document: Document) => Refusal | undefined = () => undefined;
  readonly #collections = new Map<string, StoredCollection>();
  readonly #frozen: (() => void)[] = [];

  constructor(
    readonly loop: EventLoop,
    readonly random: Random,
    readonly host = "mongo:27017",
  ) {}

  collection(database: string, name: string): StoredCollection {
    const key = `${database}.${name}`;
    let collection = this.#collections.get(key);
    if (collection === undefined) {
      collection = new StoredCollection(database, name, this);
      this.#collections.set(key, collection);
    }
    return collection;
  }

  collections(): Iterable<StoredCollection> {
    return this.#collections.values();
  }

  /** Has something carried out once the server is no longer frozen. */
  onThaw(work: () => void): void {
    this.#frozen.push(work);
  }

  setConditions(conditions: MongoConditions): void {
    this.conditions = conditions;
    if (!conditions.isFrozen) for (const work of this.#frozen.splice(0)) work();
  }

  latency(): number {
    return this.random.skewed(this.conditions.latencyMaxMs, 2);
  }
}

/** The part of the driver's client that the product uses. */
export class SimulatedMongoClient {
  readonly options: { readonly hosts: readonly string[]; readonly srvHost: undefined };
  isClosed = false;

  constructor(
    readonly server: SimulatedMongo,
    readonly owner: Owner,
  ) {
    this.options = { hosts: [server.host], srvHost: undefined };
  }

  db(name: string): SimulatedDb {
    return new SimulatedDb(this, name);
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

class SimulatedDb {
  constructor(
    readonly client: SimulatedMongoClient,
    readonly databaseName: string,
  ) {}

  /** `hello`, for the server's clock. */
  async command(): Promise<Document> {
    const { server, owner } = this.client;
    const { loop } = server;
    await loop.wait(server.latency(), WORLD, "hello");
    if (server.conditions.isDown) throw new MongoNetworkError("connection closed");
    const localTime = new Date(Math.floor(loop.nowMs + server.clockOffsetMs));
    await loop.wait(server.latency(), owner, "an answer to hello");
    return { localTime };
  }

  collection(name: string): SimulatedCollection {
    return new SimulatedCollection(this, this.client.server.collection(this.databaseName, name));
  }
}

class SimulatedCollection {
  constructor(
    readonly db: SimulatedDb,
    private readonly stored: StoredCollection,
  ) {}

  get collectionName(): string {
    return this.stored.name;
  }

  get dbName(): string {
    return this.stored.database;
  }

  get namespace(): string {
    return this.stored.namespace;
  }

  async countDocuments(): Promise<number> {
    return this.stored.size;
  }

  /** All documents, or those with one of these `_id`s. */
  find(filter?: { readonly _id: { readonly $in: readonly unknown[] } }): {
    toArray(): Promise<Document[]>;
    [Symbol.asyncIterator](): AsyncIterator<Document>;
  } {
    const toArray = async (): Promise<Document[]> => {
      if (filter === undefined) return this.stored.documents();
      const { server, owner } = this.db.client;
      const { loop, conditions } = server;
      await loop.wait(server.latency(), owner, "a look-up is answered");
      if (conditions.isFrozen) throw new MongoOperationTimeoutError("Timed out during socket read");
      if (conditions.isDown) throw new MongoNetworkError("connection refused");
      return this.stored.find(filter._id.$in);
    };
    return {
      toArray,
      async *[Symbol.asyncIterator]() {
        yield* await toArray();
      },
    };
  }

  insertMany(
    documents: readonly Document[],
    { timeoutMS = 30_000 }: { readonly timeoutMS?: number } = {},
  ): Promise<{ readonly insertedCount: number }> {
    const { server, owner, isClosed } = this.db.client;
    const { loop, random } = server;
    if (isClosed) return Promise.reject(new MongoNotConnectedError("Client must be connected"));
    let sent: Buffer[];
    try {
      sent = documents.map((document) => Buffer.from(BSON.serialize(document)));
    } catch (error) {
      return Promise.reject(failedAsAWhole(error as Error));
    }
    const what = `insert of ${sent.length} into ${this.stored.name}`;
    return new Promise((resolve, reject) => {
      const answer = (how: string, settle: () => void): void => {
        loop.after(server.latency(), owner, `${what}: ${how}`, settle);
      };
      const fail = (how: string, error: Error): void => answer(how, () => reject(failedAsAWhole(error)));
      const arrive = () => {
        const { conditions } = server;
        server.onInsert();
        if (conditions.isDown || random.chance(conditions.lostRequests)) {
          return fail("connection lost", new MongoNetworkError("connection closed"));
        }
        if (random.chance(conditions.unanswered)) {
          loop.after(timeoutMS, owner, `${what} is given up`, () =>
            reject(failedAsAWhole(new MongoOperationTimeoutError("Timed out during socket read"))),
          );
          return;
        }
        if (random.chance(conditions.refused)) {
          const code = pick(random, conditions.refusalCodes);
          return fail(`refused, ${code}`, serverError(code, "not now"));
        }
        if (random.chance(conditions.halfDone)) {
          const some = sent.filter(() => random.chance(0.5));
          this.stored.insert(some, () => undefined);
          return fail("half done", new MongoNetworkError("connection closed"));
        }
        const { faults, refusalCode } = this.stored.insert(sent, () =>
          random.chance(conditions.documentErrors) ? pick(random, conditions.documentCodes) : undefined,
        );
        if (refusalCode !== undefined) {
          return fail(`refused, ${refusalCode}`, serverError(refusalCode, "a document is not acceptable"));
        }
        if (random.chance(conditions.lostAnswers)) {
          return fail("answer lost", new MongoNetworkError("connection closed"));
        }
        const concern = random.chance(conditions.unproven)
          ? pick(random, conditions.unprovenCodes)
          : undefined;
        if (faults.length > 0 || concern !== undefined) {
          const codes = [...new Set(faults.map(({ code }) => code))].join(", ");
          answer(`${faults.length} faults (${codes}), concern ${concern ?? "none"}`, () =>
            reject(documentFaults(sent.length, faults, concern)),
          );
          return;
        }
        answer("done", () => resolve({ insertedCount: sent.length }));
      };
      loop.after(server.latency(), WORLD, `${what} arrives`, () => {
        if (server.conditions.isFrozen) {
          // The driver's monitor notices sooner or later than the operation's own time is over.
          const noticedMs = Math.min(timeoutMS, random.between(50, Math.ceil(timeoutMS * 1.5)));
          const error =
            noticedMs < timeoutMS ? monitorTimeout(server.host) : new MongoOperationTimeoutError("slow");
          loop.after(noticedMs, owner, `${what} is given up`, () => reject(failedAsAWhole(error)));
          server.onThaw(arrive);
          return;
        }
        arrive();
      });
    });
  }
}

/** Of the driver's own, which it does not export. */
const { PoolClearedOnNetworkError } = createRequire(import.meta.url)("mongodb/lib/cmap/errors");

function monitorTimeout(address: string): Error {
  return new PoolClearedOnNetworkError({ address, serverError: undefined });
}

function serverError(code: number, message: string): Error {
  return new MongoServerError({ message, errmsg: message, code });
}

/** As the driver wraps what befell the insert as a whole. */
function failedAsAWhole(error: Error): Error {
  return new MongoBulkWriteError(error, {
    insertedCount: 0,
    getWriteErrors: () => [],
    getWriteConcernError: () => undefined,
  } as unknown as MongoBulkWriteError["result"]);
}

/** As the driver reports faults of documents, and of the write concern. */
function documentFaults(count: number, faults: readonly Fault[], concern: number | undefined): Error {
  const result = {
    insertedCount: count - faults.length,
    getWriteErrors: () => faults,
    getWriteConcernError: () => (concern === undefined ? undefined : { code: concern, errmsg: "waiting" }),
  };
  return new MongoBulkWriteError(
    {
      message: faults[0]?.errmsg ?? "waiting for replication",
      code: faults[0]?.code ?? concern ?? 0,
      writeErrors: concern === undefined ? (faults as unknown as WriteError[]) : [],
    },
    result as unknown as MongoBulkWriteError["result"],
  );
}
