/**
 * `make bench-files`: history in Avro files, joined in one run to a counting sink: events per second, CPU time and peak
 * memory, for each size and codec; and with `--kafka` the same events from topics beside it, one after the other in each
 * round, and in turn at being first. Peak memory must not grow with the size. Shows figures and fails on none.
 *
 *   --events=1000000,5000000,10000000  --codecs=snappy,zstandard  --files=20  --runs=1
 *   --kafka=none,snappy,zstd           what batches are compressed with   --partitions=3
 *   --keep                             the files for the next time   --profile   V8 CPU profiles (slower)
 */
import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { AVRO_CODECS, type AvroCodec, whyNoCodec } from "../connectors/files/codecs.js";
import { COMPRESSIONS, type Compression, whyNoCompression } from "../producers/compression.js";
import { DEFAULT_OUT_OF_ORDERNESS_MS, DEFAULT_TIMEOUT_MS } from "../producers/scenario.js";
import { PARTITIONS } from "../producers/topics.js";
import { servicesHome } from "../services/home.js";
import { type LocalServer, startKafka } from "../services/index.js";
import { build } from "./build.js";
import { fillTopics, inputOf } from "./fill_topics.js";
import { type LoadFilesInput, type LoadResult, SHARES } from "./load_input.js";
import { runScript } from "./run_script.js";
import { spreadOf } from "./statistics.js";
import type { JoinCounts, SubjectInput, SubjectResult } from "./subject.js";
import type { FilesInput } from "./subjects/files_count.js";

/** As in the bench of Kafka. */
const LOAD = {
  seed: 1,
  /** Orders a second of event time: the state holds T of them. */
  eventRatePerSecond: 250,
  timeoutMs: DEFAULT_TIMEOUT_MS,
  outOfOrdernessMs: DEFAULT_OUT_OF_ORDERNESS_MS,
  /** Nothing that a topic can hold and a file cannot, so that both hold the same. */
  shares: { ...SHARES, malformed: 0, nullValue: 0 },
};
/** What a subject is told that reads no topics. */
const NO_KAFKA = { brokers: [], topics: { orders: "orders", payments: "payments" } };
const NAME_WIDTH = 24;

/** One way from the events to the join. */
interface Way {
  readonly name: string;
  readonly script: string;
  readonly input: SubjectInput;
}

const { values } = parseArgs({
  options: {
    events: { type: "string", default: "1000000,5000000,10000000" },
    codecs: { type: "string", default: "snappy,zstandard" },
    /** Half of orders, half of payments. */
    files: { type: "string", default: "20" },
    runs: { type: "string", default: "1" },
    kafka: { type: "string", default: "" },
    /** Of each topic. */
    partitions: { type: "string", default: String(PARTITIONS) },
    keep: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
  },
});
const codecs = namesOf<AvroCodec>(values.codecs, AVRO_CODECS, whyNoCodec);
const compressions = namesOf<Compression>(values.kafka, COMPRESSIONS, whyNoCompression);
const cancel = new AbortController();
const { signal } = cancel;
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => cancel.abort());

const scripts = build();

const folder = mkdtempSync(join(tmpdir(), "order-payment-stream-bench-files-"));
let kafka: LocalServer | undefined;
try {
  if (compressions.length > 0) kafka = await startKafka({ dataDir: join(folder, "kafka"), log: say, signal });
  for (const events of values.events.split(",").map(Number)) await compare(events);
} catch (error) {
  if (!signal.aborted) throw error;
  process.exitCode = 130;
} finally {
  await kafka?.kill();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** All ways of so many events, and their table. */
async function compare(events: number): Promise<void> {
  const ways: Way[] = [];
  for (const codec of codecs) ways.push(await ofFiles(codec, events));
  for (const compression of compressions) ways.push(await ofKafka(compression, events, kafka!.address));
  const results = new Map<string, SubjectResult[]>(ways.map(({ name }) => [name, []]));
  for (let run = 0; run < Number(values.runs); run++) {
    for (let i = 0; i < ways.length; i++) {
      const { name, script, input } = ways[(i + run) % ways.length]!;
      const profiles = join(servicesHome(), "bench", "profiles", name.replaceAll(/[^a-z0-9]+/gi, "-"));
      const nodeArgs = values.profile ? ["--cpu-prof", `--cpu-prof-dir=${profiles}`] : [];
      const result = await runScript<SubjectResult>({
        script: join(scripts, script),
        input,
        nodeArgs,
        signal,
      });
      results.get(name)!.push(result);
      say(`run ${run + 1}  ${name.padEnd(NAME_WIDTH)} ${figuresOf([result]).join("  ")}`);
    }
  }
  console.log(table(results));
  if (!values.keep) for (const codec of codecs) rmSync(folderOf(codec, events), { recursive: true });
}

function folderOf(codec: AvroCodec, events: number): string {
  return join(servicesHome(), "bench", "files", `${codec}-${events}-${values.files}`);
}

async function ofFiles(codec: AvroCodec, events: number): Promise<Way> {
  const made = folderOf(codec, events);
  const files = Number(values.files) / 2;
  if (!existsSync(made)) {
    const input: LoadFilesInput = { ...LOAD, folder: `${made}.partial`, codec, files, events };
    rmSync(input.folder, { recursive: true, force: true });
    await runScript<LoadResult>({ script: join(scripts, "load_files.js"), input, signal });
    renameSync(input.folder, made);
  }
  const input: FilesInput = {
    ...inputOf({ load: { ...LOAD, events, ...NO_KAFKA }, loaded: { orders: 0, payments: 0, seconds: 0 } }),
    folder: made,
  };
  return { name: `files, ${codec}`, script: "subjects/files_count.js", input };
}

async function ofKafka(compression: Compression, events: number, broker: string): Promise<Way> {
  const name = `bench_${compression}_${events}`;
  const topics = { orders: `${name}_orders`, payments: `${name}_payments` };
  const partitions = Number(values.partitions);
  const more = { ...LOAD, topics, compression, partitions };
  const filled = await fillTopics(scripts, broker, events, signal, more);
  return { name: `Kafka, ${compression}`, script: "subjects/pipeline_count.js", input: inputOf(filled) };
}

/** Markdown, as documents have it; each cell is min / median / max of the rounds. */
function table(results: ReadonlyMap<string, readonly SubjectResult[]>): string {
  const [one] = [...results.values()].flat();
  const lines = [
    `\n${one!.events.toLocaleString("en-US")} events, ${values.runs} round(s), Node ${process.version}\n`,
    "| | events/s | CPU µs an event | peak MiB |",
    "|---|---|---|---|",
    ...[...results].map(([name, runs]) => `| ${name} | ${figuresOf(runs).join(" | ")} |`),
  ];
  const counted = [...results].map(([name, runs]) => ({ name, counts: wordsOf(runs[0]!.counts!) }));
  const differ = counted.filter(({ counts }) => counts !== counted[0]!.counts);
  if (differ.length === 0) lines.push(`\nAll counted the same: ${counted[0]!.counts}.`);
  else {
    lines.push("\nTHE JOINS DIFFER, so their figures must not be compared:");
    for (const { name, counts } of counted) lines.push(`  ${name}: ${counts}`);
  }
  return lines.join("\n");
}

function wordsOf(counts: JoinCounts): string {
  return Object.entries(counts)
    .map(([what, count]) => `${what} ${count.toLocaleString("en-US")}`)
    .join(", ");
}

/** Events a second, CPU µs an event, peak MiB. */
function figuresOf(runs: readonly SubjectResult[]): string[] {
  return [
    three(runs.map(({ events, seconds }) => events / seconds)),
    three(
      runs.map(({ cpuSeconds, events }) => (cpuSeconds * 1e6) / events),
      2,
    ),
    three(runs.map(({ peakRssBytes }) => peakRssBytes / 2 ** 20)),
  ];
}

function three(values: readonly number[], digits = 0): string {
  const { min, median, max } = spreadOf(values);
  const text = (value: number): string =>
    value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return values.length === 1 ? text(median) : [min, median, max].map(text).join(" / ");
}

/** Those that this Node can write; of the others it is said why. Throws a RangeError for what is none. */
function namesOf<T extends string>(
  list: string,
  known: readonly T[],
  whyNot: (name: T) => string | undefined,
): T[] {
  return list
    .split(",")
    .filter((name) => name !== "")
    .flatMap((text) => {
      const name = known.find((one) => one === text);
      if (name === undefined) throw new RangeError(`there is no "${text}", only ${known.join(", ")}`);
      const why = whyNot(name);
      if (why === undefined) return [name];
      say(`${name} is left out: ${why}`);
      return [];
    });
}

/** Progress, so that stdout holds the table alone. */
function say(line: string): void {
  console.error(line);
}
