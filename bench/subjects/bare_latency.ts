/** To compare: the latency of the same way with the least that joins in place of the product. */
import { runSubject } from "../subject.js";
import { measureLatency } from "./latency/measure_latency.js";

await runSubject((input) => measureLatency(input, new URL("latency/bare_process.js", import.meta.url)));
