/**
 * `make bench-portable`: this project's workers beside those of Beam's Python SDK, on the same Prism, with the same
 * pipeline, one after the other in each round, and first in turn. A round in which a job goes wrong is told of and
 * repeated; with too many of them there is no result. Shows figures and fails on none.
 */
import { parseArgs } from "node:util";
import { medianRatio, spreadOf } from "../statistics.js";
import { type Cost, JobWentWrong, type Measured, runRound } from "./round.js";
import { ownWorkers, pythonWorkers, type Workers } from "./workers.js";

const { values } = parseArgs({
  options: {
    elements: { type: "string", default: "600000" },
    keys: { type: "string", default: "1000" },
    runs: { type: "string", default: "3" },
    /** Writes a V8 CPU profile of our worker to this folder. */
    profile: { type: "string" },
  },
});
const config = { elements: Number(values.elements), keys: Number(values.keys) };
const runs = Number(values.runs);
/** Rounds that may go wrong, all in all. */
const FAILED_MAX = Math.max(2, runs);

const profile = values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`];
const own = await ownWorkers(profile);
const python = await pythonWorkers();
const rounds: ReadonlyMap<string, Measured>[] = [];
const failures: JobWentWrong[] = [];
try {
  while (rounds.length < runs && failures.length <= FAILED_MAX) {
    const number = rounds.length + 1;
    try {
      const round = await runRound(number % 2 === 1 ? [own, python] : [python, own], config);
      rounds.push(round);
      for (const [name, measured] of round) console.error(`round ${number}  ${oneLine(name, measured)}`);
    } catch (error) {
      if (!(error instanceof JobWentWrong)) throw error;
      failures.push(error);
      console.error(`round ${number}  WENT WRONG and does not count: ${error.message}`);
    }
  }
} finally {
  await own.stop();
  await python.stop();
}
console.log(report());
process.exit(rounds.length < runs ? 1 : 0);

function oneLine(name: string, { elements, overhead }: Measured): string {
  const seconds = `${elements.seconds.toFixed(2)} s, and ${overhead.seconds.toFixed(2)} s for a job of one element`;
  return `${name.padEnd(10)}  ${rate(elements.seconds)} elements/s, ${seconds}`;
}

function report(): string {
  const lines = [
    `\n${count(config.elements)} elements, ${count(config.keys)} keys, a value and a timer for each; ${rounds.length} rounds`,
  ];
  if (rounds.length > 0) lines.push("", ...figures());
  if (failures.length > 0) {
    lines.push("", `Rounds that went wrong, and were not counted: ${failures.length}`);
    for (const { message } of failures) lines.push(`  ${message}`);
  }
  return lines.join("\n");
}

function figures(): string[] {
  const lines = [`${"".padEnd(12)}${["min", "median", "max"].map((word) => word.padStart(10)).join("")}`];
  for (const { name } of [own, python]) {
    const rates = spreadOf(of(name).map(({ elements }) => config.elements / elements.seconds));
    const cells = [rates.min, rates.median, rates.max].map((each) => count(each).padStart(10)).join("");
    lines.push(`${name.padEnd(12)}${cells}  elements/s${cpuWords(name)}`);
  }
  const speed = medianRatio(seconds(python.name), seconds(own.name))!;
  lines.push(
    "",
    `${speed.toFixed(1)} × the elements per second of Beam's Python SDK (median of the rounds' ratios)`,
  );
  lines.push(...cpuRatios());
  const requests = of(own.name).flatMap(({ elements }) => elements.stateRequests ?? []);
  const perElement = spreadOf(requests).max / config.elements;
  lines.push(`${own.name}: ${perElement.toFixed(3)} state requests an element`);
  return lines;
}

/** Of both sides, for each element. */
function cpuWords(name: string): string {
  const workers = micros(of(name).flatMap(({ elements }) => elements.workerCpuSeconds ?? []));
  const prism = micros(of(name).flatMap(({ elements }) => elements.prismCpuSeconds ?? []));
  if (workers === undefined || prism === undefined) return "";
  return `; CPU µs an element: ${workers} in the workers, ${prism} in Prism`;
}

/** What a busy machine falsifies least. */
function cpuRatios(): string[] {
  const less = (cpu: (cost: Cost) => number): string => {
    const seconds = ({ name }: Workers): number[] => of(name).map(({ elements }) => cpu(elements));
    return medianRatio(seconds(python), seconds(own))!.toFixed(1);
  };
  const workers = less(({ workerCpuSeconds }) => workerCpuSeconds ?? Number.NaN);
  const all = less(
    ({ workerCpuSeconds, prismCpuSeconds }) => (workerCpuSeconds ?? Number.NaN) + prismCpuSeconds!,
  );
  return workers === "NaN" ? [] : [`${workers} × less CPU in the workers, ${all} × less with Prism's`];
}

function micros(all: readonly number[]): string | undefined {
  if (all.length === 0) return undefined;
  return ((spreadOf(all).median * 1e6) / config.elements).toFixed(1);
}

function of(name: string): Measured[] {
  return rounds.map((round) => round.get(name)!);
}

function seconds(name: string): number[] {
  return of(name).map(({ elements }) => elements.seconds);
}

function rate(elementsSeconds: number): string {
  return count(config.elements / elementsSeconds);
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
