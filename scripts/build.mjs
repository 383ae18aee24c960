// Compiles to dist/ and says what it does. When nothing has changed since the last time, it does nothing. With --quick it
// looks at no types where nobody has built with them before: enough to run, in some seconds.
import { spawn } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const STAMP = "dist/.built";
const QUICK_STAMP = "dist/.built-quick";
const SOURCES = [
  "beam",
  "connectors",
  "schemas",
  "producers",
  "transforms",
  "pipeline",
  "services",
  "monitor",
  "scripts",
];
const FILES = [
  "package.json",
  "package-lock.json",
  "tsconfig.json",
  "tsconfig.build.json",
  "tsconfig.package.json",
];
/** What a build leaves behind: somebody may have removed a part. */
const RESULTS = [
  "dist/pipeline/main.js",
  "beam/dist/index.js",
  "connectors/kafka/dist/index.js",
  "dist/monitor/page/index.html",
];
const ASSETS = ["schemas, recipes and the page", "scripts/copy_assets.mjs", []];
const STEPS = [
  [
    "compiling (half a minute the first time)",
    "node_modules/typescript/bin/tsc",
    ["-b", "tsconfig.build.json"],
  ],
  ["declarations of the packages", "scripts/public_declarations.mjs", []],
  ASSETS,
];

const PROGRAM = ["schemas", "producers", "transforms", "pipeline", "services", "monitor"];
const QUICK_STEPS = [["compiling, without type checks", "scripts/quick_build.mjs", PROGRAM], ASSETS];

// tsc knows what it has written itself, and would not notice that something else has been there.
const isQuick = process.argv.includes("--quick") && !existsSync(STAMP);
if (isUpToDate(isQuick ? QUICK_STAMP : STAMP)) {
  console.error("build: nothing has changed");
} else {
  const startedMs = performance.now();
  const begunMs = Date.now();
  for (const [what, script, args] of isQuick ? QUICK_STEPS : STEPS) {
    console.error(`build: ${what}`);
    const code = await run(script, args);
    if (code !== 0) process.exit(code ?? 1);
  }
  const stamp = isQuick ? QUICK_STAMP : STAMP;
  writeFileSync(stamp, "");
  // Of the beginning: what was changed meanwhile is not in it.
  utimesSync(stamp, begunMs / 1000, begunMs / 1000);
  if (!isQuick) rmSync(QUICK_STAMP, { force: true });
  console.error(`build: done in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
}

function isUpToDate(stamp) {
  if (!existsSync(stamp) || !RESULTS.every((path) => existsSync(path))) return false;
  const builtMs = statSync(stamp).mtimeMs - 1;
  return (
    FILES.every((path) => statSync(path).mtimeMs < builtMs) && SOURCES.every((path) => isOlder(path, builtMs))
  );
}

/** Names of folders change with what is put into them or removed. */
function isOlder(folder, builtMs) {
  // A folder that gets a dist of its own has changed by the build itself.
  if (!existsSync(join(folder, "dist")) && statSync(folder).mtimeMs >= builtMs) return false;
  return readdirSync(folder, { withFileTypes: true }).every((entry) => {
    if (entry.name === "dist" || entry.name === "node_modules") return true;
    const path = join(folder, entry.name);
    return entry.isDirectory() ? isOlder(path, builtMs) : statSync(path).mtimeMs < builtMs;
  });
}

function run(script, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], { stdio: "inherit" });
    child.once("error", reject);
    child.once("exit", resolve);
  });
}
