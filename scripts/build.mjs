// Compiles to dist/ and says what it does. When nothing has changed since the last time, it does nothing.
import { spawn } from "node:child_process";
import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const STAMP = "dist/.built";
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
const STEPS = [
  [
    "compiling (half a minute the first time)",
    "node_modules/typescript/bin/tsc",
    ["-b", "tsconfig.build.json"],
  ],
  ["declarations of the packages", "scripts/public_declarations.mjs", []],
  ["schemas, recipes and the page", "scripts/copy_assets.mjs", []],
];

if (isUpToDate()) {
  console.error("build: nothing has changed");
} else {
  const startedMs = performance.now();
  const begunMs = Date.now();
  for (const [what, script, args] of STEPS) {
    console.error(`build: ${what}`);
    const code = await run(script, args);
    if (code !== 0) process.exit(code ?? 1);
  }
  writeFileSync(STAMP, "");
  // Of the beginning: what was changed meanwhile is not in it.
  utimesSync(STAMP, begunMs / 1000, begunMs / 1000);
  console.error(`build: done in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
}

function isUpToDate() {
  if (!existsSync(STAMP) || !RESULTS.every((path) => existsSync(path))) return false;
  const builtMs = statSync(STAMP).mtimeMs - 1;
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
