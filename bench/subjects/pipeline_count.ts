/** The product to a counting sink, with state in memory. */
import { MemoryStore } from "../../beam/store/memory_store.js";
import { measureCounting } from "./counting.js";

await measureCounting(async () => new MemoryStore());
