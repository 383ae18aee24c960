/**
 * Compiles what the subjects run to `.local/bench/build`. They must not run from the sources through tsx: it wraps
 * every function it compiles, and keeps a compiler in the process whose memory is measured.
 */
import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
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
  return join(BUILD, "bench");
}
