/** The latency of the product: streaming on the direct runner, state in memory. */
import { runSubject } from "../subject.js";
import { measureLatency } from "./latency/measure_latency.js";

await runSubject((input) => measureLatency(input, new URL("latency/pipeline_process.js", import.meta.url)));
