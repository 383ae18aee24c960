/**
 * The table in docs/runners.md: one row for each feature, one column for each runner, taken from what came out when the
 * suite ran. A run knows one runner and leaves the other columns as they are.
 */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { KNOWN_FAILURES, knownFailure } from "./known_failures.js";
import { CONFORMANCE } from "./pipelines/index.js";

const FILE = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../docs/runners.md");
const BEGIN = "<!-- The table: written by `make conformance`. -->";
const END = "<!-- The end of the table. -->";
const RUNNERS = ["direct", "prism", "flink", "python"] as const;
const WORKS = "✓";
const NOT_APPLICABLE = "–";
const NOT_RUN = "";

/** Whether each feature worked; undefined where the runner takes no such pipeline. */
export type Outcomes = ReadonlyMap<string, boolean | undefined>;

/** Cells by feature, then by runner. */
type Cells = ReadonlyMap<string, ReadonlyMap<string, string>>;

export const columnOf = (runner: string): ReadonlyMap<string, string> => {
  const cells = parse(readFileSync(FILE, "utf8"));
  return new Map([...cells].map(([feature, row]) => [feature, row.get(runner) ?? NOT_RUN]));
};

export function columnFrom(runner: string, outcomes: Outcomes): ReadonlyMap<string, string> {
  const cell = (feature: string, works: boolean | undefined): string => {
    if (works === undefined) return NOT_APPLICABLE;
    return works ? WORKS : noteOf(runner, feature);
  };
  return new Map([...outcomes].map(([feature, works]) => [feature, cell(feature, works)]));
}

/** Puts a column into the file. */
export function writeColumn(runner: string, column: ReadonlyMap<string, string>): void {
  const text = readFileSync(FILE, "utf8");
  const cells = parse(text);
  const [before] = text.split(BEGIN);
  const [, after] = text.split(END);
  const row = (feature: string) =>
    RUNNERS.map((name) =>
      name === runner ? (column.get(feature) ?? NOT_RUN) : (cells.get(feature)?.get(name) ?? NOT_RUN),
    );
  const lines = [
    `| | ${RUNNERS.join(" | ")} |`,
    `|---|${RUNNERS.map(() => ":---:|").join("")}`,
    ...[...CONFORMANCE].flatMap(([heading, pipelines]) => [
      `| **${heading}** | ${RUNNERS.map(() => "").join(" | ")} |`,
      ...pipelines.map(({ feature }) => `| ${feature} | ${row(feature).join(" | ")} |`),
    ]),
  ];
  const notes = RUNNERS.flatMap((name) =>
    (KNOWN_FAILURES[name] ?? []).map(({ reason }, index) => `- ${name} (${index + 1}): ${reason}`),
  );
  const parts = [`${before}${BEGIN}`, lines.join("\n"), notes.join("\n"), `${END}${after}`];
  writeFileSync(FILE, parts.filter((part) => part !== "").join("\n\n"));
}

function parse(text: string): Cells {
  const table = text.slice(text.indexOf(BEGIN), text.indexOf(END));
  const rows = table
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const [, ...runners] = rows[0] ?? [];
  return new Map(
    rows
      .slice(2)
      .filter(([name]) => !name!.startsWith("**"))
      .map(([feature, ...cells]) => [feature!, new Map(cells.map((cell, i) => [runners[i]!, cell]))]),
  );
}

function noteOf(runner: string, feature: string): string {
  const failure = knownFailure(runner, feature);
  return failure === undefined ? "fails" : `no (${KNOWN_FAILURES[runner]!.indexOf(failure) + 1})`;
}
