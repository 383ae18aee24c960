/** Every program of examples/ runs, on each runner that is at hand, and prints what its reader is told to expect. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { findPrism, RequirementMissing } from "../../services/index.js";
import { FROM_SOURCE } from "../fixtures/from_source.js";
import { skipBecause } from "../fixtures/skip.js";

const FOLDER = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../examples");
/** Shared by the programs, and none itself. */
const PARTS = ["run.ts"];
/** Need servers: test/integration/examples.test.ts runs them. */
const WITH_SERVERS = ["join_topics.ts"];
const LINES_MAX = 66;
const TIMEOUT_MS = 60_000;
/** Of Prism, where there is none. */
const INSTALL_TIMEOUT_MS = 10 * 60_000;

/** Lines, sorted: no runner promises an order. */
const PRINTED: Readonly<Record<string, readonly string[]>> = {
  "dead_letters.ts": [
    "2 dead letters",
    'dead letter "ink": not of the form item,price',
    'dead letter "paper,two": two is no number',
    "price of nib: 3",
    "price of pen: 1.5",
  ],
  "event_time_timer.ts": [
    "ann, until 2026-01-01T12:08:00.000Z: / /cart /pay",
    "bob, until 2026-01-01T12:25:00.000Z: / /help",
  ],
  "splittable_source.ts": readFileSync(path.join(FOLDER, "../LICENSE"), "utf8").trimEnd().split("\n").sort(),
  "stateful_counter.ts": [
    "be 1",
    "be 2",
    "is 1",
    "not 1",
    "or 1",
    "question 1",
    "that 1",
    "the 1",
    "to 1",
    "to 2",
  ],
};

async function printed(example: string, runner: string): Promise<string[]> {
  const args = [...FROM_SOURCE, path.join(FOLDER, example), `--runner=${runner}`];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: path.join(FOLDER, ".."),
    timeout: TIMEOUT_MS,
  });
  return stdout.trimEnd().split("\n").sort();
}

describe("examples", () => {
  let whyNoPrism: string | undefined;
  before(async function () {
    this.timeout(INSTALL_TIMEOUT_MS);
    try {
      await findPrism();
    } catch (error) {
      if (!(error instanceof RequirementMissing)) throw error;
      whyNoPrism = error.message;
    }
  });

  const programs = readdirSync(FOLDER).filter((file) => !PARTS.includes(file));

  for (const example of programs) {
    it(`${example} is one screen`, () => {
      const lines = readFileSync(path.join(FOLDER, example), "utf8").trimEnd().split("\n").length;
      assert.ok(lines <= LINES_MAX, `${lines} lines`);
    });

    if (WITH_SERVERS.includes(example)) continue;
    for (const runner of ["direct", "prism"]) {
      it(`${example} runs on ${runner}`, async function () {
        this.timeout(TIMEOUT_MS);
        if (runner === "prism" && whyNoPrism !== undefined) skipBecause(this, whyNoPrism);
        assert.deepEqual(await printed(example, runner), PRINTED[example]);
      });
    }
  }
});
