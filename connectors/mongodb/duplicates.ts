/**
 * What a duplicate key means: a document of ours that was written before, one of somebody else that has our `_id`, or
 * another unique index. Of those that are there already a bounded number is read and compared, so that somebody else's
 * documents are not taken for ours.
 */
import { BSON, type Collection, type Document, type WriteError } from "mongodb";
import { type Chunk, documentBytes } from "./chunks.js";
import { classifyMongoError, DUPLICATE_KEY } from "./errors.js";

/** What is read of an insert's duplicates to compare them. One document may have more. */
const COMPARED_BYTES_MAX = 4 * 1024 * 1024;

export interface CompareOptions {
  /** Of the duplicates of one insert. */
  readonly documentsMax: number;
  /** Those that tell whether a document is the same; undefined: all that ours has. */
  readonly fields: readonly string[] | undefined;
  readonly timeoutMs: number;
}

/** Positions in the chunk. */
export interface Duplicates {
  /** An `_id` that is there already. */
  readonly alreadyThere: ReadonlySet<number>;
  /** Of these, those that are there with other content, and what differs. */
  readonly others: ReadonlyMap<number, string>;
}

/** @throws what a look-up throws that may succeed later */
export async function findDuplicates(
  collection: Collection,
  chunk: Chunk,
  writeErrors: readonly WriteError[],
  options: CompareOptions,
): Promise<Duplicates> {
  const alreadyThere = await findAlreadyThere(collection, chunk, writeErrors, options.timeoutMs);
  const others = await findOthers(collection, chunk, alreadyThere, options);
  return { alreadyThere, others };
}

/** The duplicates that are of `_id`, and not of another unique index. */
async function findAlreadyThere(
  collection: Collection,
  chunk: Chunk,
  writeErrors: readonly WriteError[],
  timeoutMS: number,
): Promise<Set<number>> {
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
  const stored = lookUp(collection, ids, timeoutMS, { _id: 1 });
  const keys = new Set((await stored.toArray()).map(idKey));
  for (const at of unnamed) if (keys.has(idKey(chunk.documents[at]!))) found.add(at);
  return found;
}

async function findOthers(
  collection: Collection,
  chunk: Chunk,
  alreadyThere: ReadonlySet<number>,
  { documentsMax, fields, timeoutMs }: CompareOptions,
): Promise<Map<number, string>> {
  const others = new Map<number, string>();
  const sample = sampleOf(chunk, alreadyThere, documentsMax);
  if (sample.length === 0) return others;
  let stored: Document[];
  try {
    const ids = sample.map((at) => chunk.documents[at]!._id);
    stored = await lookUp(collection, ids, timeoutMs).toArray();
  } catch (error) {
    const failure = classifyMongoError(error);
    if (failure === "transient" || failure === "programmer") throw error;
    return others; // Who may write may not be allowed to read.
  }
  const byId = new Map(stored.map((document) => [idKey(document), document]));
  for (const at of sample) {
    const ours = chunk.documents[at]!;
    const theirs = byId.get(idKey(ours));
    const difference = theirs === undefined ? undefined : differenceOf(ours, theirs, fields);
    if (difference !== undefined) others.set(at, difference);
  }
  return others;
}

/** Evenly over all of them. */
function sampleOf(chunk: Chunk, positions: ReadonlySet<number>, documentsMax: number): number[] {
  const sample: number[] = [];
  const step = Math.max(1, positions.size / documentsMax);
  let bytes = 0;
  let place = 0;
  let next = 0;
  for (const at of positions) {
    if (place++ < next || sample.length >= documentsMax) continue;
    next += step;
    bytes += documentBytes(chunk.documents[at]!);
    if (bytes > COMPARED_BYTES_MAX && sample.length > 0) break;
    sample.push(at);
  }
  return sample;
}

/** From the primary: a secondary may not know yet what was written a moment ago. */
function lookUp(collection: Collection, ids: readonly unknown[], timeoutMS: number, projection?: Document) {
  const options = { timeoutMS, readPreference: "primary", ...(projection && { projection }) } as const;
  return collection.find({ _id: { $in: ids } } as Document, options);
}

/** The first of our fields that is otherwise there. What somebody has added to a document does not matter. */
function differenceOf(
  ours: Document,
  theirs: Document,
  fields: readonly string[] | undefined,
): string | undefined {
  // By way of BSON, so that both have the same types.
  const sent = BSON.deserialize(BSON.serialize(ours));
  for (const name of fields ?? Object.keys(sent)) {
    const [here, there] = [shown(sent[name]), shown(theirs[name])];
    if (here !== there) return `${name} is ${brief(there)} there and ${brief(here)} here`;
  }
  return undefined;
}

function shown(value: unknown): string {
  return value === undefined ? "missing" : BSON.EJSON.stringify({ value }, { relaxed: true }).slice(9, -1);
}

function brief(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
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
