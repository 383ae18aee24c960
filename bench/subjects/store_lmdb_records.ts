/** Each record of the tables under its key in LMDB. */
import { join } from "node:path";
import { LmdbRecords } from "./lmdb_store.js";
import { stateFolder } from "./state_directory.js";
import { measureStore } from "./store_choice.js";

await measureStore(async () => {
  const store = new LmdbRecords(join(stateFolder(), "records.lmdb"));
  const verify = async (): Promise<void> => {
    const held = [...store.sizes().values()].reduce((sum, size) => sum + size, 0);
    if (store.count !== held) throw new Error(`${store.count} of ${held} records were kept`);
    await store.close();
  };
  return { store, verify };
});
