/** The latency of the product: streaming on the direct runner, state on disk, synced with every commit. */
import { runSubject } from "../subject.js";
import { measureLatency } from "./latency/measure_latency.js";

await runSubject((input) => measureLatency(input, new URL("latency/durable_process.js", import.meta.url)));
