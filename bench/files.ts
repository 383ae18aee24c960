/**
 * `make bench-files`: history in Avro files, joined in one run to a counting sink: events per second and peak memory, for
 * each size and codec. Peak memory must not grow with the size. Shows figures and fails on none.
 *
 *   --events=1000000,5000000,10000000  --codecs=snappy,zstandard  --files=20  --runs=1
 */
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { type AvroCodec, whyNoCodec } from "../connectors/files/codecs.js";
import { produceFiles } from "../producers/event_files.js";
import { completeShares, messagesPerOrder } from "../producers/shares.js";
import { servicesHome } from "../services/home.js";
import { build } from "./build.js";
import { SHARES } from "./load_input.js";
import { runScript } from "./run_script.js";
import type { FilesInput, FilesResult } from "./subjects/files_count.js";

const SEED = 1;
/** Orders a second of event time, as in the bench of Kafka: the state holds T of them. */
const EVENT_RATE = 250;
const EVENTS_PER_ORDER = messagesPerOrder(completeShares(SHARES), "all");

const program = new Command()
  .option("--events <list>", "events in all files", "1000000,5000000,10000000")
  .option("--codecs <list>", "of the blocks", "snappy,zstandard")
  .option("--files <n>", "half of orders, half of payments", "20")
  .option("--runs <n>", "of each", "1")
  .option("--keep", "keeps the files for the next time, in .local/bench/files")
  .parse();
const options = program.opts<{
  events: string;
  codecs: string;
  files: string;
  runs: string;
  keep?: boolean;
}>();
const cancel = new AbortController();
process.once("SIGINT", () => cancel.abort());

const script = join(build(), "subjects", "files_count.js");
for (const codec of options.codecs.split(",") as AvroCodec[]) {
  for (const events of options.events.split(",").map(Number)) {
    const folder = join(servicesHome(), "bench", "files", `${codec}-${events}-${options.files}`);
    if (!existsSync(folder)) {
      const why = whyNoCodec(codec);
      if (why !== undefined) {
        console.log(`${codec}: left out, ${why}`);
        break;
      }
      mkdirSync(folder, { recursive: true });
      await produceFiles({
        folder,
        format: "avro",
        codec,
        files: Number(options.files) / 2,
        which: "all",
        count: Math.round(events / EVENTS_PER_ORDER),
        rate: 0,
        startMs: Date.UTC(2026, 0, 1),
        eventRatePerSecond: EVENT_RATE,
        shares: SHARES,
        seed: SEED,
        signal: cancel.signal,
      });
    }
    for (let run = 1; run <= Number(options.runs); run++) {
      const input: FilesInput = { folder };
      const result = await runScript<FilesResult>({ script, input, signal: cancel.signal });
      const rate = Math.round(result.events / result.seconds).toLocaleString("en");
      console.log(
        `${codec.padEnd(9)} ${result.events.toLocaleString("en").padStart(11)} events  ${rate.padStart(8)}/s  ` +
          `${Math.round(result.peakRssBytes / 2 ** 20)} MiB peak  ${result.cpuSeconds.toFixed(1)} s CPU in ` +
          `${result.seconds.toFixed(1)} s  ${(result.bytes / 2 ** 20).toFixed(0)} MiB of files  pairs ${result.pairs.toLocaleString("en")}`,
      );
    }
    if (!options.keep) rmSync(folder, { recursive: true });
  }
}
