/** Each commit as one value in LMDB, under keys in the order of the commits. */
import { join } from "node:path";
import { LmdbCommits } from "./lmdb_store.js";
import { stateFolder } from "./state_directory.js";
import { assertSameSizes, measureStore } from "./store_choice.js";

await measureStore(async () => {
  const store = new LmdbCommits(join(stateFolder(), "commits.lmdb"));
  const verify = async (): Promise<void> => {
    assertSameSizes(store.restore().sizes(), store.sizes());
    await store.close();
  };
  return { store, verify };
});
