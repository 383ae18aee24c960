import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const FOLDERS = ["beam", "connectors", "schemas", "producers", "services", "transforms", "pipeline", "bench"];
const LINES_MAX = 400;
/** What decides by time, and what tells it. */
const PRODUCT = ["beam", "connectors", "transforms", "pipeline"];
const CLOCK = "beam/platform/clock.ts";

const sources = FOLDERS.flatMap((folder) =>
  (readdirSync(join(root, folder), { recursive: true }) as string[])
    .filter((name) => name.endsWith(".ts") && !/(^|[\\/])(dist|node_modules)[\\/]/.test(name))
    .map((name) => posix.join(folder, name.split(sep).join("/"))),
).map((file) => ({ file, text: readFileSync(join(root, file), "utf8") }));

describe("source files", () => {
  it(`have no more than ${LINES_MAX} lines`, () => {
    const lengths = sources.map(({ file, text }) => ({ file, lines: text.split("\n").length - 1 }));
    assert.deepEqual(
      lengths.filter(({ lines }) => lines > LINES_MAX),
      [],
    );
  });

  it("ask the time of a Clock", () => {
    const asking = sources.filter(
      ({ file, text }) =>
        PRODUCT.some((folder) => file.startsWith(`${folder}/`)) &&
        file !== CLOCK &&
        /\b(Date|performance)\.now\(|\bnew Date\(\)/.test(text),
    );
    assert.deepEqual(
      asking.map(({ file }) => file),
      [],
    );
  });
});
