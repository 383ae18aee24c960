import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const FOLDERS = [
  "beam",
  "connectors",
  "schemas",
  "producers",
  "services",
  "transforms",
  "monitor",
  "pipeline",
  "bench",
];
const LINES_MAX = 400;
/** The one door to time and waiting. */
const CLOCK = "beam/platform/clock.ts";
/** Files that may go past it, and why. */
const PAST_THE_CLOCK: Readonly<Record<string, RegExp>> = {
  // kafkajs keeps the time of a login in the form that hrtime has.
  "connectors/kafka/client/kafkajs_internals.ts": /process\.hrtime\(this\.authenticatedAt/g,
};
/** A socket's own setTimeout is none of the time's. */
const TIME = new RegExp(
  [
    String.raw`\b(Date|performance)\.now\b`,
    String.raw`\bnew Date\(\)`,
    String.raw`\bprocess\.hrtime\(`,
    String.raw`(?<!\.)\bset(Timeout|Interval|Immediate)\(`,
    '"node:timers',
    '"node:perf_hooks"',
  ].join("|"),
);

const sources = FOLDERS.flatMap((folder) =>
  (readdirSync(join(root, folder), { recursive: true }) as string[])
    .filter((name) => name.endsWith(".ts") && !/(^|[\\/])(dist|node_modules)[\\/]/.test(name))
    .map((name) => posix.join(folder, name.split(sep).join("/"))),
).map((file) => ({ file, text: readFileSync(join(root, file), "utf8") }));

describe("source files", () => {
  it(`have no more than ${LINES_MAX} lines`, () => {
    const lengths = sources.map(({ file, text }) => ({ file, lines: text.split("\n").length - 1 }));
    assert.deepEqual(
      lengths.filter(({ lines }) => lines > LINES_MAX),
      [],
    );
  });

  it("ask a Clock for the time, and wait by it", () => {
    const asking = sources.filter(
      ({ file, text }) =>
        !file.startsWith("bench/") &&
        file !== CLOCK &&
        TIME.test(PAST_THE_CLOCK[file] === undefined ? text : text.replaceAll(PAST_THE_CLOCK[file], "")),
    );
    assert.deepEqual(
      asking.map(({ file }) => file),
      [],
    );
  });
});
