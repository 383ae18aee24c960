/**
 * The collections as they would be if they had taken everything: a document that its collection refused is looked for
 * in the dead letter that holds it.
 */
import { BSON, type Db, type Document } from "mongodb";
import { COLLECTIONS, DATABASE, type World } from "./checker.js";

export interface StoredCollections {
  readonly joined: readonly Document[];
  readonly unmatched: readonly Document[];
  /** Of records, under the offsets that `World.records` has. */
  readonly deadLetters: readonly Document[];
}

export function storedCollections({ mongodb, readPath }: World): StoredCollections {
  const of = (name: string): Document[] => mongodb.collection(DATABASE, name).documents();
  const letters = of(COLLECTIONS.deadLetters);
  const refused = (name: string): Document[] =>
    letters
      .filter(({ reason, collection }) => reason === "SINK_REJECTED" && collection === name)
      .map(documentOf);
  return {
    joined: [...of(COLLECTIONS.joined), ...refused(COLLECTIONS.joined)],
    unmatched: [...of(COLLECTIONS.unmatched), ...refused(COLLECTIONS.unmatched)],
    deadLetters: letters
      .filter(({ reason }) => reason !== "SINK_REJECTED")
      .map((letter) => {
        const { _id, topic, partition, offset, timestamp } = letter;
        const log = String(_id).split(":")[3]!;
        const known = readPath.offsetOf(topic, partition, Number(offset), timestamp.getTime(), log);
        return { ...letter, offset: known };
      }),
  };
}

/** A document in doubt is kept as text. */
function documentOf({ document }: Document): Document {
  return typeof document === "string" ? BSON.EJSON.parse(document) : document;
}

/** As much of a database as a comparison asks for. */
export function asDatabase(collections: StoredCollections): Db {
  const byName: Readonly<Record<string, readonly Document[]>> = {
    [COLLECTIONS.joined]: collections.joined,
    [COLLECTIONS.unmatched]: collections.unmatched,
    [COLLECTIONS.deadLetters]: collections.deadLetters,
  };
  const collection = (name: string) => ({
    collectionName: name,
    async *find() {
      yield* byName[name]!;
    },
  });
  return { collection } as unknown as Db;
}
