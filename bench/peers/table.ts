/** The table of `make bench-peers`, as documents have it. */
import { spreadOf } from "../statistics.js";
import type { SubjectResult } from "../subject.js";
import type { LatencySummary } from "./latencies.js";

interface ComparedPeer {
  readonly name: string;
  readonly differs: string;
}

/** Markdown; each cell is min / median / max of the rounds. */
export function peersTable(
  peers: readonly ComparedPeer[],
  results: ReadonlyMap<string, readonly SubjectResult[]>,
  latencies: ReadonlyMap<string, readonly LatencySummary[]>,
): string {
  const lines = [
    "| | events/s | CPU µs an event | peak MiB | latency p50, ms | p99, ms | does less or more |",
    "|---|---|---|---|---|---|---|",
  ];
  for (const { name, differs } of peers) {
    const runs = results.get(name)!;
    const late = latencies.get(name)!;
    const missing = late.reduce((sum, each) => sum + each.missing, 0);
    const cells = [
      three(
        runs.map(({ events, seconds }) => events / seconds),
        0,
      ),
      three(
        runs.map(({ events, cpuSeconds }) => (cpuSeconds * 1e6) / events),
        1,
      ),
      three(
        runs.map(({ peakRssBytes }) => peakRssBytes / 2 ** 20),
        0,
      ),
      three(
        late.map(({ p50 }) => p50),
        0,
      ),
      three(
        late.map(({ p99 }) => p99),
        0,
      ),
      missing === 0 ? differs : `${differs}; ${missing} pairs did not come out in time`,
    ];
    lines.push(`| ${name} | ${cells.join(" | ")} |`);
  }
  return lines.join("\n");
}

function three(values: readonly number[], digits: number): string {
  if (values.length === 0) return "";
  const { min, median, max } = spreadOf(values);
  const text = (value: number): string =>
    value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return values.length === 1 ? text(median) : [min, median, max].map(text).join(" / ");
}
