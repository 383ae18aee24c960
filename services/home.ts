/**
 * Where downloaded jars, data and logs of the local services are kept: `.local/` of the project, or the folder that
 * ORDER_PAYMENT_STREAM_HOME names. The same place is found from the sources and from `dist/`.
 */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Absolute path of the folder; it need not exist yet. */
export function servicesHome(env: NodeJS.ProcessEnv = process.env): string {
  const named = env.ORDER_PAYMENT_STREAM_HOME;
  return named ? resolve(named) : join(projectRoot(), ".local");
}

function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) return process.cwd();
    folder = parent;
  }
  return folder;
}
