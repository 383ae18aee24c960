/**
 * Compiles what the subjects run to `.local/bench/build`. They must not run from the sources through tsx: it wraps
 * every function it compiles, and keeps a compiler in the process whose memory is measured.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BUILD = join(ROOT, ".local", "bench", "build");

/** The folder of the compiled bench scripts. Types are not checked: `make check` does that. */
export function build(): string {
  rmSync(BUILD, { recursive: true, force: true });
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  execFileSync(process.execPath, [tsc, "-p", join(ROOT, "bench", "tsconfig.json"), "--noCheck"], {
    stdio: "inherit",
  });
  for (const file of readdirSync(join(ROOT, "schemas"))) {
    if (file.endsWith(".avsc")) cpSync(join(ROOT, "schemas", file), join(BUILD, "schemas", file));
  }
  cpSync(join(ROOT, "monitor", "page"), join(BUILD, "monitor", "page"), { recursive: true });
  for (const folder of [
    "beam",
    "connectors/kafka",
    "connectors/mongodb",
    "connectors/gcs",
    "connectors/files",
  ])
    linkPackage(folder);
  return join(BUILD, "bench");
}

/** Has the name of a workspace package mean what was compiled here, or there would be two copies of it. */
function linkPackage(folder: string): void {
  const { name, exports } = JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8"));
  const compiled = Object.entries<Record<string, string>>(exports)
    .filter(([, target]) => typeof target === "object")
    .map(([entry, target]) => [entry, target.default!.replace("./dist/", "./")]);
  const manifest = { name, type: "module", exports: Object.fromEntries(compiled) };
  writeFileSync(join(BUILD, folder, "package.json"), JSON.stringify(manifest));
  const link = join(BUILD, "node_modules", name);
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(join(BUILD, folder), link);
}
