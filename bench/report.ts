/** The bench's result as text. Nothing here decides what is good: it shows figures and what they are compared with. */
import { cpus, totalmem } from "node:os";
import type { LoadInput, LoadResult } from "./load_input.js";
import type { BenchOptions } from "./options.js";
import { medianRatio, spreadOf } from "./statistics.js";
import type { JoinCounts, SubjectResult } from "./subject.js";
import {
  BASELINE,
  PIPELINE_TO_MONGODB,
  RAW_INSERT,
  STORE_IN_MEMORY,
  SUBJECTS,
  type Subject,
} from "./subjects.js";

/** By subject, then by run. */
export type Results = ReadonlyMap<string, readonly SubjectResult[]>;

const MEBIBYTE = 1024 * 1024;
/** Best over worst run on a quiet machine stays below. */
const NOISY = 1.35;

/** What a reader must know to repeat the figures. */
export function conditionsOf(
  { runs, eventRatePerSecond }: BenchOptions,
  { timeoutMs, outOfOrdernessMs }: LoadInput,
  { orders, payments }: LoadResult,
): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? "unknown processor";
  const memory = (totalmem() / 1024 ** 3).toFixed(0);
  return [
    `${processors.length} × ${model}, ${memory} GiB, ${process.platform} ${process.arch}, Node ${process.version}`,
    `${count(orders)} orders and ${count(payments)} payments, ${count(eventRatePerSecond)} orders per second of event time`,
    `T = ${timeoutMs / 1000} s, D = ${outOfOrdernessMs / 1000} s; ${runs} run${runs === 1 ? "" : "s"}, one subject after the other in each`,
  ].join("\n");
}

export function report(results: Results): string {
  return [
    throughputTable(results),
    mongodbShare(results),
    storeTable(results),
    noise(results),
    latencyTable(results),
    agreement(results),
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

/** One line for a result as it comes in. */
export function oneLine(subject: Subject, result: SubjectResult): string {
  const { latencyMs } = result;
  const memory = `${mebibytes(result.peakRssBytes)} MiB`;
  if (latencyMs !== undefined) {
    return `p50 ${ms(latencyMs.p50)}, p99 ${ms(latencyMs.p99)}, max ${ms(latencyMs.max)} ms, ${memory}`;
  }
  return `${count(perSecond(result))} ${subject.unit}/s, ${result.seconds.toFixed(2)} s, ${memory}`;
}

function throughputTable(results: Results): string {
  const base = results.get(BASELINE) ?? [];
  const rows = [
    ["", "per second: min", "median", "max", "× bare", "CPU µs each", "× bare", "peak MiB", "× bare", ""],
  ];
  for (const subject of SUBJECTS) {
    const runs = results.get(subject.name) ?? [];
    if (runs.length === 0 || (subject.unit !== "events" && subject.unit !== "documents")) continue;
    const rate = spreadOf(runs.map(perSecond));
    const versusBase = (figure: (result: SubjectResult) => number): string =>
      subject.unit === "events" ? ratio(medianRatio(runs.map(figure), base.map(figure))) : "";
    rows.push([
      subject.name,
      count(rate.min),
      count(rate.median),
      count(rate.max),
      versusBase(perSecond),
      spreadOf(runs.map(cpuMicrosPerEvent)).median.toFixed(2),
      versusBase(cpuMicrosPerEvent),
      mebibytes(spreadOf(runs.map(peakBytes)).max),
      versusBase(peakBytes),
      `${subject.unit}; ${subject.what}`,
    ]);
  }
  return rows.length === 1 ? "" : table(rows);
}

/** What it costs to keep each bundle's changes, in one way and another. */
function storeTable(results: Results): string {
  const base = (results.get(STORE_IN_MEMORY) ?? []).map(perSecond);
  // What else runs on the machine only slows down, so the best runs are the ones to compare where it does.
  const best = Math.max(...base);
  const rows = [
    ["changes, bundles of 5,000, synced", "per second: min", "median", "max", "× memory", "best × best", ""],
  ];
  for (const { name, unit, what } of SUBJECTS) {
    const rates = (results.get(name) ?? []).map(perSecond);
    if (unit !== "changes" || rates.length === 0) continue;
    const { min, median, max } = spreadOf(rates);
    const ratios = [medianRatio(rates, base), base.length === 0 ? undefined : max / best];
    rows.push([name, count(min), count(median), count(max), ...ratios.map(ratio), what]);
  }
  return rows.length === 1 ? "" : table(rows);
}

/** Rates of one subject that lie far apart are the machine's doing, and then no median of them means much. */
function noise(results: Results): string {
  const spreads = [...results.values()]
    .filter((runs) => runs.length > 1)
    .map((runs) => spreadOf(runs.map(perSecond)));
  const widest = Math.max(1, ...spreads.map(({ min, max }) => max / min));
  if (widest < NOISY) return "";
  return `The machine was busy with something else: the best run of a subject is up to ${ratio(widest)} × its worst. Trust CPU time more.`;
}

/** Events and documents are not the same number, so the two rows of the way to MongoDB cannot be compared as they stand. */
function mongodbShare(results: Results): string {
  const through = (results.get(PIPELINE_TO_MONGODB) ?? []).flatMap((run) => documentsPerSecond(run) ?? []);
  const share = medianRatio(through, (results.get(RAW_INSERT) ?? []).map(perSecond));
  if (share === undefined) return "";
  return `${PIPELINE_TO_MONGODB} writes ${count(spreadOf(through).median)} documents/s, ${ratio(share)} × ${RAW_INSERT}.`;
}

function latencyTable(results: Results): string {
  const rows = [
    ["payment to document", "p50 ms: median", "max", "p99 ms: median", "max", "max", "missing", ""],
  ];
  for (const { name, what } of SUBJECTS) {
    const runs = (results.get(name) ?? []).flatMap((run) => run.latencyMs ?? []);
    if (runs.length === 0) continue;
    const p50 = spreadOf(runs.map((run) => run.p50));
    const p99 = spreadOf(runs.map((run) => run.p99));
    const max = spreadOf(runs.map((run) => run.max));
    const missing = runs.reduce((sum, run) => sum + run.missing, 0);
    const samples = runs.reduce((sum, run) => sum + run.samples, 0);
    const figures = [p50.median, p50.max, p99.median, p99.max, max.max].map(ms);
    rows.push([name, ...figures, count(missing), `${count(samples)} payments at 1,000 events/s; ${what}`]);
  }
  return rows.length === 1 ? "" : table(rows);
}

/** Fast and wrong is not fast: all joins of the same records must count the same. */
function agreement(results: Results): string {
  const seen = new Map<string, string[]>();
  for (const [name, runs] of results) {
    for (const counts of new Set(
      runs.flatMap(({ counts }) => (counts === undefined ? [] : wordsOf(counts))),
    )) {
      seen.set(counts, [...(seen.get(counts) ?? []), name]);
    }
  }
  if (seen.size === 0) return "";
  if (seen.size === 1) {
    const [[counts, names]] = [...seen] as [[string, string[]]];
    return `Every join counted the same (${names.join(", ")}): ${counts}.`;
  }
  const lines = [...seen].map(([counts, names]) => `  ${names.join(", ")}: ${counts}`);
  return ["THE JOINS DIFFER, so their figures must not be compared:", ...lines].join("\n");
}

function wordsOf({ pairs, unmatched, duplicates, deadLetters }: JoinCounts): string {
  return `${count(pairs)} pairs, ${count(unmatched)} unmatched, ${count(duplicates)} duplicates, ${count(deadLetters)} dead letters`;
}

function perSecond({ events, seconds }: SubjectResult): number {
  return events / seconds;
}

function cpuMicrosPerEvent({ cpuSeconds, events }: SubjectResult): number {
  return (cpuSeconds * 1e6) / events;
}

function peakBytes(result: SubjectResult): number {
  return result.peakRssBytes;
}

/** Undefined for a subject that counts no documents. */
function documentsPerSecond({ counts, seconds }: SubjectResult): number | undefined {
  return counts === undefined ? undefined : (counts.pairs + counts.unmatched + counts.deadLetters) / seconds;
}

/** First and last column to the left, figures to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const columns = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const isText = (column: number): boolean => column === 0 || rows[0]![column] === "";
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          isText(column) ? cell.padEnd(columns[column]!) : cell.padStart(columns[column]!),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function mebibytes(bytes: number): string {
  return count(bytes / MEBIBYTE);
}

function ms(value: number): string {
  return value.toFixed(1);
}

function ratio(value: number | undefined): string {
  return value === undefined ? "" : value.toFixed(2);
}
