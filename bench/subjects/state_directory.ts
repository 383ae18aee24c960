/** Folders for state, each of which goes with the process, and a durable store in one. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DurableStore } from "../../beam/store/durable_store.js";
import { LocalDirectory } from "../../beam/store/local_directory.js";
import { servicesHome } from "../../services/home.js";

export async function openStateDirectory(): Promise<DurableStore> {
  return DurableStore.open(await LocalDirectory.open(stateFolder()));
}

/** Absolute path of an empty folder. */
export function stateFolder(): string {
  // Not in the system's folder for temporary files, which may be memory.
  const parent = join(servicesHome(), "bench");
  mkdirSync(parent, { recursive: true });
  const path = mkdtempSync(join(parent, "state-"));
  process.once("exit", () => rmSync(path, { recursive: true, force: true }));
  return path;
}
