/** The product's store: a log of its own. Without snapshots, which the stores that it is compared with lack too. */
import { DurableStore } from "../../beam/store/durable_store.js";
import { LocalDirectory } from "../../beam/store/local_directory.js";
import { stateFolder } from "./state_directory.js";
import { assertSameSizes, measureStore } from "./store_choice.js";

await measureStore(async () => {
  const path = stateFolder();
  const open = async (): Promise<DurableStore> =>
    DurableStore.open(await LocalDirectory.open(path), { snapshotLogBytes: Number.POSITIVE_INFINITY });
  const store = await open();
  const verify = async (): Promise<void> => {
    await store.close();
    const again = await open();
    assertSameSizes(again.sizes(), store.sizes());
    await again.close();
  };
  return { store, verify };
});
