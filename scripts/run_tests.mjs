// Runs groups of tests, each in a mocha process of its own so that none sees another's leftovers, and ends with the
// line `N passed, N failed, N skipped` over all of them. Usage: node scripts/run_tests.mjs [group…], default all.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const GROUPS = ["unit", "types", "conformance", "simulation", "fuzz", "integration", "e2e"];
/**
 * Their tests wait for servers that share this machine. One that fails is run once more; that it did so is told at the
 * end, for what fails now and then is to be mended, too.
 */
const WITH_SERVERS = ["conformance", "integration", "e2e"];
/** A group that hangs is ended, and counts as a failure. */
const GROUP_TIMEOUT_MS = 45 * 60_000;
/** After its last test a process may take this long to close what it opened. */
const EXIT_TIMEOUT_MS = 30_000;
const POLL_MS = 200;

const wanted = process.argv.slice(2);
for (const group of wanted) {
  if (!GROUPS.includes(group)) {
    console.error(`unknown group of tests "${group}"; there are: ${GROUPS.join(", ")}`);
    process.exit(2);
  }
}

const folder = mkdtempSync(join(tmpdir(), "test-counts-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const total = { passed: 0, failed: [], skipped: [], repeated: [] };
for (const group of wanted.length > 0 ? wanted : GROUPS) {
  if (!hasTests(join("test", group))) continue;
  console.log(`\n── ${group} ${"─".repeat(60 - group.length)}`);
  const { passed, failed, skipped, repeated } = await runGroup(group);
  total.passed += passed;
  total.failed.push(...failed);
  total.skipped.push(...skipped);
  total.repeated.push(...repeated);
}

for (const reason of new Set(total.skipped.map((test) => test.reason))) {
  console.log(`\nSkipped (${reason}):`);
  for (const test of total.skipped) if (test.reason === reason) console.log(`  ${test.title}`);
}
for (const { title, message } of total.repeated)
  console.log(`\nFailed once, and was run again: ${title}\n  ${message.replaceAll("\n", "\n  ")}`);
for (const { title, message } of total.failed)
  console.log(`\nFailed: ${title}\n  ${message.replaceAll("\n", "\n  ")}`);
if (total.passed + total.failed.length === 0) console.log("\nNo test ran.");
console.log(`\n${total.passed} passed, ${total.failed.length} failed, ${total.skipped.length} skipped`);
process.exitCode = total.failed.length > 0 || total.passed === 0 ? 1 : 0;

function hasTests(path) {
  return existsSync(path) && readdirSync(path, { recursive: true }).some((file) => file.endsWith(".test.ts"));
}

/** Counts of one group. What goes wrong outside of a test, such as a file that does not load, is one failure. */
async function runGroup(group) {
  const countsFile = join(folder, `${group}.json`);
  const problem = await runMocha(group, countsFile);
  const counts = existsSync(countsFile)
    ? JSON.parse(readFileSync(countsFile, "utf8"))
    : { passed: 0, failed: [], skipped: [], repeated: [] };
  if (problem !== undefined && counts.failed.length === 0) {
    counts.failed.push({ title: group, message: problem });
  }
  return counts;
}

/** Resolves with what went wrong, or undefined. */
function runMocha(group, countsFile) {
  const args = ["node_modules/mocha/bin/mocha.js", "--reporter", "scripts/counting_reporter.cjs"];
  if (WITH_SERVERS.includes(group)) args.push("--retries", "1");
  // Many programs run side by side, and most tests look at no page.
  const env = { UI_PORT: "off", ...process.env, TEST_COUNTS_FILE: countsFile };
  const child = spawn(process.execPath, [...args, `test/${group}/**/*.test.ts`], { stdio: "inherit", env });
  const onTerminate = () => interrupt(child);
  process.once("SIGTERM", onTerminate);
  return new Promise((resolve) => {
    let problem;
    const startedMs = Date.now();
    let endedMs;
    const watch = setInterval(() => {
      if (endedMs === undefined && existsSync(countsFile)) endedMs = Date.now();
      if (Date.now() - startedMs > GROUP_TIMEOUT_MS)
        problem = `not done after ${GROUP_TIMEOUT_MS / 60_000} minutes`;
      if (endedMs !== undefined && Date.now() - endedMs > EXIT_TIMEOUT_MS) {
        problem = `still running ${EXIT_TIMEOUT_MS / 1000} s after its last test: something was not closed`;
      }
      if (problem !== undefined) interrupt(child);
    }, POLL_MS);
    child.once("exit", (code, signal) => {
      clearInterval(watch);
      process.off("SIGTERM", onTerminate);
      resolve(problem ?? (code === 0 ? undefined : `mocha ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}

/** Mocha's command is a wrapper that passes on SIGINT, and a SIGTERM after it, but not a SIGTERM of its own. */
function interrupt(child) {
  child.kill("SIGINT");
}
