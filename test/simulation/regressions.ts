/** Scenarios that once failed, each as small as it could be made. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Scenario } from "./scenario.js";

const FOLDER = new URL("./regressions/", import.meta.url);

export function regressionPath(name: string): string {
  return fileURLToPath(new URL(`${name}.json`, FOLDER));
}

export function regressions(): (readonly [string, Scenario])[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => [file.slice(0, -".json".length), JSON.parse(readFileSync(new URL(file, FOLDER), "utf8"))]);
}
