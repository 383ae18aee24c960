/** The bench's result as text. Nothing here decides what is good: it shows figures and what they are compared with. */
import { cpus, totalmem } from "node:os";
import { medianRatio, spreadOf } from "./statistics.js";
import type { JoinCounts, SubjectResult } from "./subject.js";
import { BASELINE, SUBJECTS, type Subject } from "./subjects.js";

/** By subject, then by run; undefined where a subject did not run. */
export type Results = ReadonlyMap<string, readonly (SubjectResult | undefined)[]>;

const MEBIBYTE = 1024 * 1024;

export function machine(): string {
  const processors = cpus();
  const memory = (totalmem() / 1024 ** 3).toFixed(0);
  const model = processors[0]?.model.trim() ?? "unknown processor";
  return `${processors.length} × ${model}, ${memory} GiB, ${process.platform} ${process.arch}, Node ${process.version}`;
}

export function report(results: Results): string {
  return [throughputTable(results), latencyTable(results), agreement(results)]
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

function latencyTable(results: Results): string {
  const rows = [["from payment sent to document found", "p50 ms", "p99 ms", "max ms", "payments", "missing"]];
  for (const { name } of SUBJECTS) {
    for (const [run, result] of (results.get(name) ?? []).entries()) {
      if (result?.latencyMs === undefined) continue;
      const { p50, p99, max, samples, missing } = result.latencyMs;
      rows.push([`${name}, run ${run + 1}`, ms(p50), ms(p99), ms(max), count(samples), count(missing)]);
    }
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
