/** Tables in memory, and nothing kept: what the other stores are compared with. */
import { MemoryStore } from "../../beam/store/memory_store.js";
import { measureStore } from "./store_choice.js";

await measureStore(async () => ({ store: new MemoryStore(), verify: async () => undefined }));
