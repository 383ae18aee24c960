/** Writes the files that `make bench-files` reads, in a process of its own for the same reason as load.ts. */

import { produceFiles } from "../producers/event_files.js";
import { completeShares, messagesPerOrder } from "../producers/shares.js";
import type { LoadFilesInput, LoadResult } from "./load_input.js";
import { BENCH_START_MS } from "./load_input.js";

const input = JSON.parse(process.argv[2] ?? "{}") as LoadFilesInput;
const { folder, codec, files, events, seed, eventRatePerSecond, timeoutMs, outOfOrdernessMs, shares } = input;
const startMs = performance.now();
const { orders, payments } = await produceFiles({
  folder,
  format: "avro",
  codec,
  files,
  which: "all",
  count: Math.round(events / messagesPerOrder(completeShares(shares), "all")),
  rate: 0,
  startMs: BENCH_START_MS,
  eventRatePerSecond,
  shares,
  timeoutMs,
  outOfOrdernessMs,
  seed,
});
const result: LoadResult = { orders, payments, seconds: (performance.now() - startMs) / 1000 };
process.stdout.write(`${JSON.stringify(result)}\n`);
