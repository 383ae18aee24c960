/**
 * `make bench-hot-key [ARGS="--events=10000,100000 --synced --cold"]`: very many events of one order_id, in all shapes.
 * Twice the events are to take twice the time, memory and log; and other order_ids are not to wait. Each in a process of
 * its own, in which other order_ids alone have come for two seconds; `--cold`: which has just begun.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { SHAPES, type Shape } from "./subjects/hot_key/hot_key_source.js";
import { type HotKeyFigures, measureHotKey } from "./subjects/hot_key/measure_hot_key.js";

const [first, ...rest] = process.argv.slice(2);
if (first === "--measure") {
  const [shape, events, isSynced, aloneMs] = rest;
  const figures = await measureHotKey(shape as Shape, Number(events), isSynced === "true", Number(aloneMs));
  console.log(JSON.stringify(figures));
  process.exit();
}

const flags = process.argv.slice(2);
const counts = (flags.find((flag) => flag.startsWith("--events="))?.slice(9) ?? "10000,100000").split(",");
const aloneMs = flags.includes("--cold") ? 0 : 2_000;
console.log("events   take s  expire s   CPU s  peak MiB  log MiB   p50 ms  p99 ms  max ms  shape");
for (const isSynced of flags.includes("--synced") ? [true] : [false, true]) {
  console.log(isSynced ? "state on disk, synced" : "state in memory");
  for (const shape of Object.keys(SHAPES)) {
    for (const events of counts) {
      const { stdout, stderr, status } = spawnSync(
        process.execPath,
        [
          ...process.execArgv,
          fileURLToPath(import.meta.url),
          "--measure",
          shape,
          events,
          isSynced,
          aloneMs,
        ].map(String),
        { encoding: "utf8" },
      );
      if (status !== 0) throw new Error(`${shape}, ${events}: ${stderr}`);
      console.log(line(JSON.parse(stdout) as HotKeyFigures));
    }
  }
}

function line({ events, shape, strangersMs, ...figures }: HotKeyFigures): string {
  const cell = (value: number, width: number, digits = 1): string => value.toFixed(digits).padStart(width);
  return [
    String(events).padEnd(7),
    cell(figures.takingSeconds, 7, 2),
    cell(figures.expirySeconds, 9, 2),
    cell(figures.cpuSeconds, 7, 2),
    cell(figures.peakRssBytes / 2 ** 20, 9, 0),
    cell(figures.logBytes / 2 ** 20, 8),
    cell(strangersMs.p50, 8),
    cell(strangersMs.p99, 7),
    cell(strangersMs.max, 7),
    ` ${shape}`,
  ].join(" ");
}
