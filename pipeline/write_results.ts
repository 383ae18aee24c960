/** Where the results go: MongoDB's collections, folders of files, or stdout. */
import { type Collection, flattenAll, parDo } from "@order-payment-stream/beam";
import { type AvroCodec, type FileEncoderName, writeToFiles } from "@order-payment-stream/files";

import { CountDeadLetters } from "../transforms/count_dead_letters.js";
import type { DeadLetter } from "../transforms/dead_letter.js";
import { DEAD_LETTER_ENCODER, JOINED_ENCODER, UNMATCHED_ENCODER } from "../transforms/file_records.js";
import type { Pair, Unmatched } from "../transforms/outcomes.js";
import { WriteDeadLetters, WriteJoined, WriteUnmatched } from "../transforms/write.js";
import { FILES_CONNECTION, MONGODB_CONNECTION } from "./connection_names.js";
import { PrintResults } from "./print_results.js";

/** What the join and the reads give, before it is written. */
export interface Results {
  readonly joined: Collection<Pair>;
  readonly unmatched: Collection<Unmatched>;
  readonly deadLetters: readonly [Collection<DeadLetter>, ...Collection<DeadLetter>[]];
}

export interface Collections {
  readonly database: string;
  readonly joinedCollection: string;
  readonly unmatchedCollection: string;
  readonly deadLetterCollection: string;
  /** Records may be missing in front of what is read: what an earlier run has paired is not called unmatched. Default: no. */
  readonly recordsMayBeMissing?: boolean;
}

export function writeToMongo(options: Collections): (results: Results) => void {
  const { database, joinedCollection, unmatchedCollection, deadLetterCollection } = options;
  const sink = (collection: string) => ({ connection: MONGODB_CONNECTION, database, collection });
  return ({ joined, unmatched, deadLetters }) => {
    const refusedPairs = parDo("WriteJoined", joined, new WriteJoined(sink(joinedCollection)));
    const refusedEvents = parDo(
      "WriteUnmatched",
      unmatched,
      new WriteUnmatched({
        ...sink(unmatchedCollection),
        unlessPairedIn: options.recordsMayBeMissing ? joinedCollection : null,
      }),
    );
    const all = flattenAll("DeadLetters", [
      ...deadLetters,
      refusedPairs.deadLetters,
      refusedEvents.deadLetters,
    ]);
    parDo("WriteDeadLetters", all, new WriteDeadLetters(sink(deadLetterCollection)));
  };
}

/** The folders of a run's files. */
export const RESULT_FOLDERS = ["joined", "unmatched", "dead_letters"] as const;

export interface ResultFiles {
  /** A folder, or gs://bucket/prefix. */
  readonly folder: string;
  readonly format: "avro" | "jsonl";
  readonly codec: AvroCodec;
  /** After this time one is written with what there is; null: only at the end. */
  readonly intervalMs: number | null;
}

export function writeResultFiles({ folder, ...options }: ResultFiles): (results: Results) => void {
  const write = <T>(name: string, elements: Collection<T>, to: string, encoder: FileEncoderName<T>): void => {
    writeToFiles(name, elements, {
      connection: FILES_CONNECTION,
      folder: `${folder}/${to}`,
      encoder,
      ...options,
    });
  };
  return ({ joined, unmatched, deadLetters }) => {
    write("WriteJoined", joined, "joined", JOINED_ENCODER);
    write("WriteUnmatched", unmatched, "unmatched", UNMATCHED_ENCODER);
    write("WriteDeadLetters", counted(deadLetters), "dead_letters", DEAD_LETTER_ENCODER);
  };
}

/** One line of JSON a result: {"joined": …}, {"unmatched": …} or {"dead_letter": …}. */
export function printResults({ joined, unmatched, deadLetters }: Results): void {
  parDo("WriteJoined", joined, new PrintResults({ kind: "joined" }));
  parDo("WriteUnmatched", unmatched, new PrintResults({ kind: "unmatched" }));
  parDo("WriteDeadLetters/Print", counted(deadLetters), new PrintResults({ kind: "dead_letter" }));
}

function counted(deadLetters: Results["deadLetters"]): Collection<DeadLetter> {
  const all = flattenAll("DeadLetters", deadLetters);
  return parDo("WriteDeadLetters/Count", all, new CountDeadLetters(null)).deadLetters;
}
