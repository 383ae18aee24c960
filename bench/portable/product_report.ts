/** What `make bench-portable SHAPE=product` prints: a line for a run, and a table that documents can take. */
import { medianRatio, spreadOf } from "../statistics.js";
import type { JobFigures } from "./product_subjects.js";

export interface ProductRun extends JobFigures {
  readonly subject: string;
  readonly parallelism: number;
  readonly runnerCpuSeconds: number | undefined;
  readonly runnerPeakBytes: number | undefined;
}

export function oneLine(run: ProductRun): string {
  const number = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? "?";
  const { pairs = "in MongoDB", unmatched = "in MongoDB" } = run;
  return [
    `${run.subject}, parallelism ${run.parallelism}: ${number(rateOf(run), 0)} events/s (${run.seconds.toFixed(1)} s)`,
    `CPU µs an event: ${number(microsOf(run, run.workerCpuSeconds), 1)} worker, ${number(microsOf(run, run.runnerCpuSeconds), 1)} runner`,
    `${number(requestsOf(run), 2)} state requests an event`,
    `peak MiB: ${number(mebibytesOf(run.workerPeakBytes), 0)} worker, ${number(mebibytesOf(run.runnerPeakBytes), 0)} runner`,
    `pairs ${pairs}, unmatched ${unmatched}, duplicates ${run.duplicates}`,
  ].join("; ");
}

interface Row {
  readonly name: string;
  readonly digits: number;
  of(run: ProductRun): number | undefined;
}

const ROWS: readonly Row[] = [
  { name: "events/s", digits: 0, of: rateOf },
  {
    name: "CPU µs an event in the workers, without their start",
    digits: 1,
    of: (run) => microsOf(run, run.workerCpuSeconds),
  },
  { name: "CPU µs an event in the runner", digits: 1, of: (run) => microsOf(run, run.runnerCpuSeconds) },
  { name: "state requests an event", digits: 2, of: requestsOf },
  { name: "peak MiB of a worker", digits: 0, of: (run) => mebibytesOf(run.workerPeakBytes) },
  { name: "peak MiB of the runner", digits: 0, of: (run) => mebibytesOf(run.runnerPeakBytes) },
];

export class ProductReport {
  /** By subject and parallelism, in the order in which they came first. */
  readonly #runs = new Map<string, ProductRun[]>();

  add(run: ProductRun): void {
    const name = nameOf(run);
    this.#runs.set(name, [...(this.#runs.get(name) ?? []), run]);
  }

  /** Markdown. */
  table(): string {
    const names = [...this.#runs.keys()].sort();
    const lines = [`| | ${names.join(" | ")} |`, `|---|${"---|".repeat(names.length)}`];
    for (const row of ROWS) {
      const cells = names.map((name) => cellOf(row, this.#runs.get(name)!));
      lines.push(`| ${row.name} | ${cells.join(" | ")} |`);
    }
    return [...lines, ...this.#comparisons()].join("\n");
  }

  #comparisons(): string[] {
    const lines: string[] = [];
    for (const [name, runs] of this.#runs) {
      const [{ subject, parallelism }] = runs as [ProductRun];
      if (subject === "Python") continue;
      const python = this.#runs.get(nameOf({ subject: "Python", parallelism }));
      if (python !== undefined) {
        const ratio = medianRatio(runs.map(rateOf), python.map(rateOf))!;
        lines.push(
          "",
          `${name}: ${ratio.toFixed(1)} × the events per second of Python's (median of the rounds)`,
        );
      }
      const single = this.#runs.get(nameOf({ subject, parallelism: 1 }));
      if (parallelism === 1 || single === undefined) continue;
      const growth = medianRatio(runs.map(rateOf), single.map(rateOf))!;
      lines.push("", `${name}: ${growth.toFixed(2)} × the events per second of parallelism 1`);
    }
    return lines;
  }
}

function nameOf({ subject, parallelism }: Pick<ProductRun, "subject" | "parallelism">): string {
  return `${subject}, parallelism ${parallelism}`;
}

function cellOf(row: Row, runs: readonly ProductRun[]): string {
  const values = runs.flatMap((run) => row.of(run) ?? []);
  if (values.length === 0) return "";
  const { min, median, max } = spreadOf(values);
  const all = values.length === 1 ? [median] : [min, median, max];
  return all
    .map((value) =>
      value.toLocaleString("en-US", {
        minimumFractionDigits: row.digits,
        maximumFractionDigits: row.digits,
      }),
    )
    .join(" / ");
}

function rateOf({ events, seconds }: ProductRun): number {
  return events / seconds;
}

function microsOf({ events }: ProductRun, seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : (seconds * 1e6) / events;
}

function requestsOf({ events, stateRequests }: ProductRun): number | undefined {
  return stateRequests === undefined ? undefined : stateRequests / events;
}

function mebibytesOf(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : bytes / 2 ** 20;
}
