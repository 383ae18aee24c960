/** The bench's result as text. Nothing here decides what is good: it shows figures and what they are compared with. */
import { cpus, totalmem } from "node:os";
import type { LoadInput, LoadResult } from "./load.js";
import type { BenchOptions } from "./options.js";
import { medianRatio, spreadOf } from "./statistics.js";
import type { JoinCounts, SubjectResult } from "./subject.js";
import { BASELINE, PIPELINE_TO_MONGODB, RAW_INSERT, SUBJECTS, type Subject } from "./subjects.js";

/** By subject, then by run; undefined where a subject did not run. */
export type Results = ReadonlyMap<string, readonly (SubjectResult | undefined)[]>;

const MEBIBYTE = 1024 * 1024;

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
  return [throughputTable(results), mongodbShare(results), latencyTable(results), agreement(results)]
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
  const rows = [["", "per second: min", "median", "max", "× bare join", "peak MiB", "× bare join", ""]];
  for (const subject of SUBJECTS) {
    const runs = results.get(subject.name) ?? [];
    const present = runs.filter((run) => run !== undefined);
    if (subject.unit === "latency" || present.length === 0) continue;
    const rate = spreadOf(present.map(perSecond));
    const peak = spreadOf(present.map(({ peakRssBytes }) => peakRssBytes));
    const isComparable = subject.unit === "events";
    rows.push([
      subject.name,
      count(rate.min),
      count(rate.median),
      count(rate.max),
      isComparable ? ratio(medianRatio(runs.map(rateOf), base.map(rateOf))) : "",
      mebibytes(peak.max),
      isComparable ? ratio(medianRatio(runs.map(peakOf), base.map(peakOf))) : "",
      `${subject.unit}; ${subject.what}`,
    ]);
  }
  return rows.length === 1 ? "" : table(rows);
}

/** Events and documents are not the same number, so the two rows of the way to MongoDB cannot be compared as they stand. */
function mongodbShare(results: Results): string {
  const through = (results.get(PIPELINE_TO_MONGODB) ?? []).map(documentRate);
  const raw = (results.get(RAW_INSERT) ?? []).map(rateOf);
  const present = through.filter((rate) => rate !== undefined);
  const share = medianRatio(through, raw);
  if (present.length === 0 || share === undefined) return "";
  return `${PIPELINE_TO_MONGODB} writes ${count(spreadOf(present).median)} documents/s, ${ratio(share)} × ${RAW_INSERT}.`;
}

function latencyTable(results: Results): string {
  const rows = [
    ["payment to document", "p50 ms: median", "max", "p99 ms: median", "max", "max", "missing", ""],
  ];
  for (const { name, what } of SUBJECTS) {
    const runs = (results.get(name) ?? []).flatMap((run) => run?.latencyMs ?? []);
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
    for (const counts of new Set(runs.flatMap((run) => (run?.counts ? [wordsOf(run.counts)] : [])))) {
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

function rateOf(result: SubjectResult | undefined): number | undefined {
  return result === undefined ? undefined : perSecond(result);
}

function documentRate(result: SubjectResult | undefined): number | undefined {
  if (result?.counts === undefined) return undefined;
  const { pairs, unmatched, deadLetters } = result.counts;
  return (pairs + unmatched + deadLetters) / result.seconds;
}

function peakOf(result: SubjectResult | undefined): number | undefined {
  return result?.peakRssBytes;
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
