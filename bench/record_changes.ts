/**
 * Records what the pipeline does to its store, once for all subjects that commit it again: the log of a durable store
 * that never writes a snapshot, so that the log holds everything.
 */
import { DurableStore } from "../beam/store/durable_store.js";
import { LocalDirectory } from "../beam/store/local_directory.js";
import type { SubjectInput } from "./subject.js";
import { runCounting } from "./subjects/counting.js";

const input = JSON.parse(process.argv[2] ?? "{}") as SubjectInput;
const directory = await LocalDirectory.open(input.changes);
await runCounting(input, () =>
  DurableStore.open(directory, { sync: false, snapshotLogBytes: Number.POSITIVE_INFINITY }),
);
process.stdout.write("{}\n");
