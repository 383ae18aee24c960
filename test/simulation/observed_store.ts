/** The store of a simulated process, and a view of it that tells of commits. */
import { DurableStore } from "../../beam/store/durable_store.js";
import { MemoryStore } from "../../beam/store/memory_store.js";
import type { Store } from "../../beam/store/store.js";
import type { Scenario } from "./scenario.js";
import type { SimulatedDisk } from "./world/simulated_directory.js";
import type { SimulatedProcess } from "./world/simulated_process.js";

export async function openStore(
  kind: Scenario["store"],
  disk: SimulatedDisk,
  process: SimulatedProcess,
): Promise<Store> {
  if (kind === "memory") return new MemoryStore();
  return DurableStore.open(disk.open(process), {
    sync: true,
    snapshotLogBytes: 4_000,
    clock: process,
    newId: () => "simulated",
  });
}

/** @param before is called when a commit begins, `after` when it has ended */
export function observedStore(store: Store, before: () => void, after: () => void): Store {
  return new Proxy(store, {
    get(target, property) {
      if (property === "commit") {
        return async (...turns: Parameters<Store["commit"]>): Promise<void> => {
          before();
          await target.commit(...turns);
          after();
        };
      }
      const value = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
