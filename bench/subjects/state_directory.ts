/** A durable store in a folder of its own, which goes with the process. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DurableStore } from "../../beam/store/durable_store.js";
import { LocalDirectory } from "../../beam/store/local_directory.js";
import { servicesHome } from "../../services/home.js";

export async function openStateDirectory(): Promise<DurableStore> {
  // Not in the system's folder for temporary files, which may be memory.
  const parent = join(servicesHome(), "bench");
  mkdirSync(parent, { recursive: true });
  const path = mkdtempSync(join(parent, "state-"));
  process.once("exit", () => rmSync(path, { recursive: true, force: true }));
  return DurableStore.open(await LocalDirectory.open(path));
}
