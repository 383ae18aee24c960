/** The product to a counting sink, with state on disk, synced with every commit. */
import { measureCounting } from "./counting.js";
import { openStateDirectory } from "./state_directory.js";

await measureCounting(openStateDirectory);
