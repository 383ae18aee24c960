/** With state in memory. */
import { MemoryStore } from "../../../beam/store/memory_store.js";
import { joinLive } from "./join_live.js";

await joinLive(async () => new MemoryStore());
