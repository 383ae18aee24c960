/**
 * Lays out the last stage of a Dockerfile in a folder, from what is built here: there is no container engine, but the same
 * files at the same places. Files are linked, not copied. What comes from other images is left out.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { parseDockerfile } from "./dockerfile.js";
import type { LaidOutImage } from "./job_execution.js";

/**
 * @param root of the project, built (`npm run build`)
 * @param folder is made anew
 * @throws Error for a file that is not there
 */
export function layOutImage(root: string, folder: string): LaidOutImage {
  const { stages } = parseDockerfile(readFileSync(join(root, "deploy/Dockerfile"), "utf8"));
  const last = stages.at(-1)!;
  const build = stages.find(({ name }) => name === "build")!;
  rmSync(folder, { recursive: true, force: true });
  for (const { from, sources, target } of last.copies) {
    if (from !== undefined && from !== build.name) continue;
    for (const source of sources) {
      const here = join(root, from === undefined ? source : posix.relative(build.workdir, source));
      if (!existsSync(here)) throw new Error(`${here} is not there: build the program first (npm run build)`);
      const there = join(folder, posix.resolve(last.workdir, target));
      mkdirSync(dirname(there), { recursive: true });
      if (statSync(here).isDirectory()) {
        execFileSync("cp", ["-al", here, there]);
      } else {
        copyFileSync(here, there);
        if (from === undefined) chmodSync(there, 0o755);
      }
    }
  }
  const { SDK_CONTAINER_IMAGE: _, ...env } = last.env;
  return { entrypoint: join(folder, last.entrypoint[0]!), env };
}
