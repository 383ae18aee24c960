/** `make fuzz [SECONDS=60] [SEED=n] [RECORDS=n]` */
import { randomInt } from "node:crypto";
import { fuzz } from "./fuzz.js";

const number = (name: string): number | undefined =>
  process.env[name] ? Number(process.env[name]) : undefined;

const seed = number("SEED") ?? randomInt(2 ** 31);
const records = number("RECORDS") ?? Number.POSITIVE_INFINITY;
const seconds = number("SECONDS") ?? (Number.isFinite(records) ? Number.POSITIVE_INFINITY : 60);
console.log(`SEED=${seed}`);
const { deadLetters, ...figures } = await fuzz({ seed, records, durationMs: seconds * 1_000 });
console.log(JSON.stringify({ ...figures, deadLetters: Object.fromEntries(deadLetters) }, undefined, 2));
