/**
 * `make bench-peers`: what else one might use for this join, beside the product, on the same topics of the same Kafka,
 * one after the other in each round, and in turn at being first. Each ends in a sink that counts. What a peer does less
 * or more is said beside its figures. Shows figures and fails on none.
 */
import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { PARTITIONS } from "../../producers/topics.js";
import { servicesHome } from "../../services/home.js";
import { startKafka } from "../../services/index.js";
import { javaCommand, resolveJars } from "../../services/maven.js";
import { build } from "../build.js";
import { fillTopics } from "../fill_topics.js";
import type { LoadResult } from "../load_input.js";
import { runScript } from "../run_script.js";
import { spreadOf } from "../statistics.js";
import type { SubjectInput, SubjectResult } from "../subject.js";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const JVM_HEAP = "-Xmx4g";
/** Flink looks into these by reflection. */
const OPENED = ["java.lang", "java.util", "java.time"].map(
  (name) => `--add-opens=java.base/${name}=ALL-UNNAMED`,
);

interface Peer {
  readonly name: string;
  /** What it does less or more than the product. */
  readonly differs: string;
  run(input: SubjectInput, folder: string): Promise<SubjectResult>;
}

const { values } = parseArgs({
  options: {
    events: { type: "string", default: "1000000" },
    runs: { type: "string", default: "3" },
    only: { type: "string" },
  },
});
const { signal } = new AbortController();
const say = (line: string): void => console.error(line);
const scripts = build();

const all: readonly Peer[] = [
  node("ours in memory", "pipeline_count", "no state after a crash: the topics are read again"),
  node("ours synced", "pipeline_durable", "each commit is on disk (fsync) before it counts"),
  node("plain Node", "bare_join", "kafkajs, a Map and a heap; nothing survives a crash"),
  await java(
    "Kafka Streams",
    "kafka_streams",
    "KafkaStreamsJoin",
    "drops no duplicates, tells of no late or bad events",
  ),
  await java(
    "Flink DataStream",
    "flink",
    "FlinkJoin",
    "inner join alone: tells of no event without a partner; drops no duplicates",
  ),
];
const only = values.only?.split(",") ?? all.map(({ name }) => name);
const peers = only.map((wanted) => {
  const peer = all.find(({ name }) => name === wanted);
  if (peer === undefined)
    throw new Error(`there is no peer "${wanted}", only ${all.map(({ name }) => name).join(", ")}`);
  return peer;
});

const folder = mkdtempSync(join(tmpdir(), "order-payment-stream-peers-"));
const kafka = await startKafka({ dataDir: join(folder, "kafka"), log: say, signal });
try {
  const { load, loaded } = await fillTopics(scripts, kafka.address, Number(values.events), signal);
  const input: SubjectInput = {
    brokers: load.brokers,
    topics: load.topics,
    partitions: PARTITIONS,
    expected: loaded,
    timeoutMs: load.timeoutMs,
    outOfOrdernessMs: load.outOfOrdernessMs,
    mongodbUri: "",
    database: "",
    latencySeconds: 0,
    changes: "",
  };
  const results = new Map<string, SubjectResult[]>(peers.map(({ name }) => [name, []]));
  for (let run = 0; run < Number(values.runs); run++) {
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[(i + run) % peers.length]!;
      const result = await peer.run(input, join(folder, `${run}-${i}`));
      results.get(peer.name)!.push(result);
      say(`run ${run + 1}  ${oneLine(peer.name, result)}`);
    }
  }
  console.log(table(loaded, results));
  const file = join(servicesHome(), "bench", "peers.json");
  mkdirSync(join(servicesHome(), "bench"), { recursive: true });
  writeFileSync(
    file,
    `${JSON.stringify({ load, loaded, results: Object.fromEntries(results) }, undefined, 2)}\n`,
  );
  say(`\nEvery figure of every run: ${file}`);
} finally {
  await kafka.kill();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

function node(name: string, script: string, differs: string): Peer {
  return {
    name,
    differs,
    run: (input) =>
      runScript<SubjectResult>({ script: join(scripts, "subjects", `${script}.js`), input, signal }),
  };
}

/** Throws RequirementMissing where there is no Java or no Maven. */
async function java(name: string, sources: string, main: string, differs: string): Promise<Peer> {
  const files = [join(HERE, sources, `${main}.java`), join(HERE, "Events.java")];
  const jars = await resolveJars({
    name: `bench-${sources}`,
    pom: join(HERE, sources, "pom.xml"),
    sources: files,
    build: async (into) => {
      const classPath = jarsIn(into);
      const args = ["-17", "-proc:none", "-nowarn", "-cp", classPath, "-d", join(into, "classes"), ...files];
      const compiler = "org.eclipse.jdt.internal.compiler.batch.Main";
      await promisify(execFile)(javaCommand(), ["-cp", classPath, compiler, ...args]);
    },
    home: servicesHome(),
    log: say,
  });
  const classPath = `${join(jars, "classes")}${delimiter}${jarsIn(jars)}`;
  return {
    name,
    differs,
    run: async ({ brokers, topics, expected, timeoutMs, outOfOrdernessMs }, state) => {
      mkdirSync(state, { recursive: true });
      const settings = [brokers.join(","), topics.orders, topics.payments];
      const figures = [expected.orders + expected.payments, timeoutMs, outOfOrdernessMs].map(String);
      const args = [JVM_HEAP, ...OPENED, "-cp", classPath, main, ...settings, ...figures, state];
      return JSON.parse(lastLine(await output(javaCommand(), args))) as SubjectResult;
    },
  };
}

function jarsIn(jars: string): string {
  return readdirSync(join(jars, "lib"))
    .map((jar) => join(jars, "lib", jar))
    .join(delimiter);
}

function output(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], signal });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) =>
      code === 0 ? resolve(text) : reject(new Error(`ended with ${code}: ${text}`)),
    );
  });
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

function oneLine(name: string, { events, seconds, cpuSeconds, peakRssBytes, counts }: SubjectResult): string {
  const figures = `${Math.round(events / seconds)} events/s, ${((cpuSeconds * 1e6) / events).toFixed(1)} CPU µs an event`;
  return `${name.padEnd(18)} ${figures}, ${(peakRssBytes / 2 ** 20).toFixed(0)} MiB, ${JSON.stringify(counts)}`;
}

function table(loaded: LoadResult, results: ReadonlyMap<string, readonly SubjectResult[]>): string {
  const lines = [
    `\n${(loaded.orders + loaded.payments).toLocaleString("en-US")} events, each order a key of its own; min / median / max of ${values.runs} rounds`,
    "",
    `${"".padEnd(18)} ${"events/s".padEnd(28)} ${"CPU µs an event".padEnd(22)} peak MiB`,
  ];
  const three = (figures: readonly number[], digits: number): string => {
    const { min, median, max } = spreadOf(figures);
    return [min, median, max].map((value) => value.toFixed(digits)).join(" / ");
  };
  for (const { name, differs } of peers) {
    const runs = results.get(name)!;
    const rates = three(
      runs.map(({ events, seconds }) => events / seconds),
      0,
    );
    const cpu = three(
      runs.map(({ events, cpuSeconds }) => (cpuSeconds * 1e6) / events),
      1,
    );
    const peak = three(
      runs.map(({ peakRssBytes }) => peakRssBytes / 2 ** 20),
      0,
    );
    lines.push(`${name.padEnd(18)} ${rates.padEnd(28)} ${cpu.padEnd(22)} ${peak}   ${differs}`);
  }
  return lines.join("\n");
}
