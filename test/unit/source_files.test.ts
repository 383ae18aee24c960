import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const FOLDERS = ["beam", "connectors", "schemas", "producers", "services", "transforms", "pipeline", "bench"];
const LINES_MAX = 400;

describe("source files", () => {
  it(`have no more than ${LINES_MAX} lines`, () => {
    const long: string[] = [];
    for (const folder of FOLDERS) {
      for (const name of readdirSync(join(root, folder), { recursive: true }) as string[]) {
        if (!name.endsWith(".ts") || /(^|[\\/])(dist|node_modules)[\\/]/.test(name)) continue;
        const lines = readFileSync(join(root, folder, name), "utf8").split("\n").length - 1;
        if (lines > LINES_MAX) long.push(`${join(folder, name)}: ${lines}`);
      }
    }
    assert.deepEqual(long, []);
  });
});
