/**
 * `make bench-growth [ARGS="--only=waiting --waiting=100000,1000000 --events=300000"]`: how cost grows with what waits,
 * with the events of a key, and with partitions, and what an idle run costs. CPU time is told, as a busy machine
 * falsifies it least. Each row is a process of its own.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { servicesHome } from "../../services/home.js";
import { startKafka } from "../../services/index.js";
import { build } from "../build.js";
import { fillTopics, inputOf } from "../fill_topics.js";
import { runScript } from "../run_script.js";
import type { SubjectInput, SubjectResult } from "../subject.js";
import type { RestartFigures, WaitingFigures, WaitingInput } from "../subjects/growth/waiting.js";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "waiting,keys,partitions,idle" },
    waiting: { type: "string", default: "100000,1000000,5000000,10000000" },
    keys: { type: "string", default: "1,10,100,1000" },
    partitions: { type: "string", default: "3,30,100" },
    events: { type: "string", default: "300000" },
  },
});
const only = values.only.split(",");
const numbers = (text: string): number[] => text.split(",").map(Number);
const events = Number(values.events);
const scripts = build();
const { signal } = new AbortController();
const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0).padStart(6);

if (only.includes("waiting")) {
  console.log("waiting    µs/event  state MiB  RSS MiB  peak MiB  restart s  CPU s  MiB read");
  for (const waiting of numbers(values.waiting)) console.log(measureWaiting(waiting, waiting, 1));
}
if (only.includes("keys")) {
  console.log(
    `\nevents a key, ${events} events wait\nevents     µs/event  state MiB  RSS MiB  peak MiB  restart s  CPU s  MiB read`,
  );
  for (const eventsPerKey of numbers(values.keys))
    console.log(measureWaiting(eventsPerKey, events, eventsPerKey));
}
if (only.includes("partitions") || only.includes("idle")) await measurePartitions();

/** Takes as many events as wait, then so many more; then is started again over what a kill has left. */
function measureWaiting(row: number, waiting: number, eventsPerKey: number): string {
  const parent = join(servicesHome(), "bench");
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "growth-"));
  try {
    const input = { folder, waiting, measured: events, eventsPerKey };
    const figures = killed<WaitingFigures>({ ...input, isRestart: false });
    const restart = killed<RestartFigures>({ ...input, isRestart: true });
    return [
      String(row).padEnd(9),
      figures.cpuMicrosPerEvent.toFixed(1).padStart(9),
      mib(figures.stateBytes).padStart(10),
      mib(figures.rssBytes).padStart(8),
      mib(figures.peakRssBytes).padStart(9),
      restart.seconds.toFixed(1).padStart(10),
      restart.cpuSeconds.toFixed(1).padStart(6),
      mib(restart.readBytes).padStart(9),
    ].join(" ");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a process printed that ended by killing itself. */
function killed<T>(input: WaitingInput): T {
  const script = join(scripts, "subjects", "growth", "waiting.js");
  const { stdout, signal: end } = spawnSync(process.execPath, [script, JSON.stringify(input)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (end !== "SIGKILL") throw new Error("it ended by itself");
  return JSON.parse(stdout) as T;
}

async function measurePartitions(): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), "order-payment-stream-growth-"));
  const kafka = await startKafka({ dataDir, log: console.error, signal });
  try {
    console.log(
      `\n${events} events, state on disk\npartitions of each topic  µs/event  peak MiB  idle, % of a core`,
    );
    for (const partitions of numbers(values.partitions)) {
      const topics = { orders: `orders_${partitions}`, payments: `payments_${partitions}` };
      const filled = await fillTopics(scripts, kafka.address, events, signal, { topics, partitions });
      const input: SubjectInput = { ...inputOf(filled), partitions };
      const read = only.includes("partitions")
        ? await runScript<SubjectResult>({
            script: join(scripts, "subjects", "pipeline_durable.js"),
            input,
            signal,
          })
        : undefined;
      const idle = only.includes("idle")
        ? await runScript<{ coreShare: number }>({
            script: join(scripts, "subjects", "growth", "idle.js"),
            input,
            signal,
          })
        : undefined;
      console.log(
        [
          String(partitions).padEnd(24),
          (read === undefined ? "-" : ((read.cpuSeconds * 1e6) / read.events).toFixed(1)).padStart(9),
          (read === undefined ? "-" : mib(read.peakRssBytes)).padStart(9),
          (idle === undefined ? "-" : (idle.coreShare * 100).toFixed(2)).padStart(17),
        ].join(" "),
      );
    }
  } finally {
    await kafka.kill();
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
  }
}
