/** With state on disk, synced with every commit. */
import { openStateDirectory } from "../state_directory.js";
import { joinLive } from "./join_live.js";

await joinLive(openStateDirectory);
