/**
 * `make bench-peers`: what else one might use for this join, beside the product, on the same topics of the same Kafka,
 * one after the other in each round, and in turn at being first. Each ends in a sink that counts. Then, in the same way,
 * how late pairs come out when 1,000 a second are sent. What a peer does less or more is said beside its figures. The
 * last lines are a table for README and docs/performance.md. Shows figures and fails on none.
 */
import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { servicesHome } from "../../services/home.js";
import { startKafka } from "../../services/index.js";
import { javaCommand, resolveJars } from "../../services/maven.js";
import { build } from "../build.js";
import { fillTopics, inputOf } from "../fill_topics.js";
import { runScript } from "../run_script.js";
import type { SubjectInput, SubjectResult } from "../subject.js";
import {
  type Latencies,
  type LatencySummary,
  type LiveInput,
  measureLatencies,
  PAIRS_PER_SECOND,
} from "./latencies.js";
import { peersTable } from "./table.js";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const NAME_WIDTH = 50;
const JVM_HEAP = "-Xmx4g";
/** Flink looks into these by reflection. */
const OPENED = ["java.lang", "java.util", "java.time"].map(
  (name) => `--add-opens=java.base/${name}=ALL-UNNAMED`,
);

interface Peer {
  /** For `--only`. */
  readonly id: string;
  readonly name: string;
  /** What it does less or more than the product. */
  readonly differs: string;
  run(input: SubjectInput, folder: string): Promise<SubjectResult>;
  /** Ends by itself. */
  runLive(input: LiveInput, folder: string): Promise<{ readonly latencies: Latencies }>;
}

const { values } = parseArgs({
  options: {
    events: { type: "string", default: "1000000" },
    runs: { type: "string", default: "3" },
    /** Of memory, synced, by-hand, kafka-streams and flink. */
    only: { type: "string" },
    /** How long latency is measured after a warm-up, in each round; 0: not at all. */
    latency_seconds: { type: "string", default: "20" },
  },
});
const { signal } = new AbortController();
const say = (line: string): void => console.error(line);
const scripts = build();

const all: readonly Peer[] = [
  node(
    "memory",
    "this, state in memory",
    "subjects/pipeline_count",
    "peers/live_pipeline",
    "after a crash the topics are read again",
  ),
  node(
    "synced",
    "this, each commit synced",
    "subjects/pipeline_durable",
    "peers/live_pipeline",
    "nothing is lost or doubled by a crash; pairs come out behind their commit",
  ),
  node(
    "by-hand",
    "a Map and a heap, by hand",
    "subjects/bare_join",
    "peers/live_bare",
    "kafkajs; nothing survives a crash",
  ),
  await java(
    "kafka-streams",
    "Kafka Streams 4.0, exactly once",
    "kafka_streams",
    "KafkaStreamsJoin",
    "drops no duplicates, keeps no dead letters; pairs come out before their commit (each 100 ms)",
  ),
  await java(
    "flink",
    "Flink 1.20, interval join, a checkpoint a second",
    "flink",
    "FlinkJoin",
    "inner join alone: tells of no event without a partner; pairs come out before their checkpoint",
  ),
];
const only = values.only?.split(",") ?? all.map(({ id }) => id);
const peers = only.map((wanted) => {
  const peer = all.find(({ id }) => id === wanted);
  if (peer === undefined)
    throw new Error(`there is no peer "${wanted}", only ${all.map(({ id }) => id).join(", ")}`);
  return peer;
});

const folder = mkdtempSync(join(tmpdir(), "order-payment-stream-peers-"));
const kafka = await startKafka({ dataDir: join(folder, "kafka"), log: say, signal });
try {
  const filled = await fillTopics(scripts, kafka.address, Number(values.events), signal);
  const { load, loaded } = filled;
  const input = inputOf(filled);
  const results = new Map<string, SubjectResult[]>(peers.map(({ name }) => [name, []]));
  for (let run = 0; run < Number(values.runs); run++) {
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[(i + run) % peers.length]!;
      const state = join(folder, `${run}-${i}`);
      const result = await peer.run(input, state);
      rmSync(state, { recursive: true, force: true, maxRetries: 5 });
      results.get(peer.name)!.push(result);
      say(`run ${run + 1}  ${oneLine(peer.name, result)}`);
    }
  }
  const latencies = new Map<string, LatencySummary[]>(peers.map(({ name }) => [name, []]));
  const latencySeconds = Number(values.latency_seconds);
  for (let run = 0; latencySeconds > 0 && run < Number(values.runs); run++) {
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[(i + run) % peers.length]!;
      const state = join(folder, `live-${run}-${i}`);
      const summary = await measureLatencies(
        input,
        latencySeconds,
        async (live) => (await peer.runLive(live, state)).latencies,
      );
      latencies.get(peer.name)!.push(summary);
      say(`run ${run + 1}  ${peer.name.padEnd(NAME_WIDTH)} ${JSON.stringify(summary)}`);
    }
  }
  console.log(
    `\n${(loaded.orders + loaded.payments).toLocaleString("en-US")} events, each order a key of its own; latency with ${PAIRS_PER_SECOND.toLocaleString("en-US")} pairs a second; min / median / max of ${values.runs} rounds\n`,
  );
  console.log(peersTable(peers, results, latencies));
  const file = join(servicesHome(), "bench", "peers.json");
  mkdirSync(join(servicesHome(), "bench"), { recursive: true });
  writeFileSync(
    file,
    `${JSON.stringify({ load, loaded, results: Object.fromEntries(results), latencies: Object.fromEntries(latencies) }, undefined, 2)}\n`,
  );
  say(`\nEvery figure of every run: ${file}`);
} finally {
  await kafka.kill();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** @param script and `live`: compiled scripts of the bench */
function node(id: string, name: string, script: string, live: string, differs: string): Peer {
  return {
    id,
    name,
    differs,
    run: (input) => runScript<SubjectResult>({ script: join(scripts, `${script}.js`), input, signal }),
    runLive: (input) =>
      runScript<{ latencies: Latencies }>({
        script: join(scripts, `${live}.js`),
        input: { ...input, isSynced: script.endsWith("durable") },
        signal,
      }),
  };
}

/** Throws RequirementMissing where there is no Java or no Maven. */
async function java(id: string, name: string, sources: string, main: string, differs: string): Promise<Peer> {
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
  const runJava = async <T>(input: SubjectInput, state: string, more: readonly number[]): Promise<T> => {
    const { brokers, topics, expected, timeoutMs, outOfOrdernessMs } = input;
    mkdirSync(state, { recursive: true });
    const settings = [brokers.join(","), topics.orders, topics.payments];
    const figures = [expected.orders + expected.payments, timeoutMs, outOfOrdernessMs].map(String);
    const args = [...settings, ...figures, state, ...more.map(String)];
    return JSON.parse(
      lastLine(await output(javaCommand(), [JVM_HEAP, ...OPENED, "-cp", classPath, main, ...args])),
    ) as T;
  };
  return {
    id,
    name,
    differs,
    run: (input, state) => runJava(input, state, []),
    runLive: (input, state) => runJava(input, state, [input.fromMs, input.untilMs]),
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
  return `${name.padEnd(NAME_WIDTH)} ${figures}, ${(peakRssBytes / 2 ** 20).toFixed(0)} MiB, ${JSON.stringify(counts)}`;
}
