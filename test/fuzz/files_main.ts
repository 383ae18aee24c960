/** `make fuzz-files [FILES=100000] [SEED=n]` */
import { randomInt } from "node:crypto";
import { fuzzFiles } from "./fuzzed_files.js";

const seed = Number(process.env.SEED || randomInt(2 ** 31));
const files = Number(process.env.FILES || 100_000);
console.log(`SEED=${seed}`);
console.log(JSON.stringify(await fuzzFiles({ seed, files, durationMs: Number.POSITIVE_INFINITY })));
