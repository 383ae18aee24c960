/** A run over files that is killed, with its state on disk: it goes on where it was, and every record counts once. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Summary } from "../../pipeline/report/summary.js";
import { TemporaryFolder } from "../fixtures/avro_files.js";
import { CommandLine } from "../fixtures/command_line.js";
import { until } from "../fixtures/until.js";

const ORDERS = 8_000;

describe("a run over files with its state on disk", function () {
  this.timeout(120_000);
  const folder = new TemporaryFolder();
  const run = (...args: string[]): CommandLine => new CommandLine(args, {});
  const input = [
    "run",
    "--summary=json",
    `--orders=${folder.path}/in/orders/*`,
    `--payments=${folder.path}/in/payments/*`,
  ];
  after(() => folder.remove());

  before(async () => {
    const made = run(
      "produce",
      "all",
      "--to=files",
      `--to_path=${folder.path}/in`,
      "--backfill",
      `--count=${ORDERS}`,
      "--seed=5",
    );
    assert.equal((await made.ended).code, 0, made.stderr);
  });

  /** The lines of all files of results, without regard to how they lie in them. */
  function results(of: string): string[] {
    return ["joined", "unmatched", "dead_letters"].flatMap((name) => {
      const at = join(folder.path, of, name);
      return readdirSync(at)
        .flatMap((file) => readFileSync(join(at, file), "utf8").trimEnd().split("\n"))
        .map((line) => `${name} ${line}`);
    });
  }

  it("goes on after a kill, and gives the same files as one that was left alone", async () => {
    const whole = run(...input, "--sink=jsonl", `--sink_path=${folder.path}/whole`);
    const expected = await whole.summary();

    const state = `--state_dir=${folder.path}/state`;
    const sink = ["--sink=jsonl", `--sink_path=${folder.path}/killed`];
    const first = run(...input, ...sink, state, "--bundle_size=64");
    // In the middle of its work.
    await until("state on disk", () => {
      try {
        return readdirSync(join(folder.path, "state")).some(
          (name) => name.endsWith(".log") || name.includes("0"),
        );
      } catch {
        return false;
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 700));
    first.kill("SIGKILL");
    await first.ended;

    const second = run(...input, ...sink, state);
    const { duration_ms, total, ...counts }: Summary = await second.summary();
    const { duration_ms: _, ...wanted } = expected;
    assert.deepEqual(total ?? counts, total === undefined ? wanted : total);
    assert.deepEqual(results("killed").sort(), results("whole").sort());

    // What was read to its end is not read again.
    const third = run(...input, ...sink, state);
    const again = await third.summary();
    assert.equal(again.orders + again.payments, 0, third.stderr);
    assert.deepEqual(results("killed").sort(), results("whole").sort());
  });

  it("names file, offset and reason of a file that is cut, and skips what is asked for", async () => {
    const [name] = readdirSync(join(folder.path, "in", "orders"));
    const bytes = readFileSync(join(folder.path, "in", "orders", name!));
    const cut = folder.write("cut.avro", bytes.subarray(0, -100));
    const args = ["run", `--orders=${cut}`, `--payments=${folder.path}/in/payments/*`, "--sink=stdout"];
    const failed = run(...args);
    assert.equal((await failed.ended).code, 1);
    assert.match(
      failed.stderr,
      /cut\.avro, at byte \d+: the file ends within a block: \d+ bytes are missing/,
    );
    const skipped = run(...args, "--bad-files=skip");
    assert.equal((await skipped.ended).code, 0, skipped.stderr);
    const [letter] = skipped.stdout
      .split("\n")
      .filter((line) => line.includes("the file ends within a block"));
    const { dead_letter } = JSON.parse(letter!);
    assert.equal(dead_letter.reason, "UNDECODABLE");
    assert.equal(dead_letter.file, cut);
    assert.ok(dead_letter.offset > 0 && dead_letter.offset < bytes.length);
    assert.match(skipped.stderr, /UNDECODABLE/);
  });

  it("says before it starts what it cannot read or write, and what may have been meant", async () => {
    const last = async (code: number, ...args: string[]): Promise<string> => {
      const refused = run("run", ...args);
      assert.equal((await refused.ended).code, code, refused.stderr);
      return refused.stderr.trimEnd().split("\n").at(-1)!;
    };
    const [nothing, aFolder, elsewhere, noSink, noLog] = await Promise.all([
      last(1, "--orders=nowhere/*.avro", "--payments=x", "--sink=stdout"),
      last(1, `--orders=${folder.path}/in/orders`, "--payments=x", "--sink=stdout"),
      last(1, "--orders=s3://bucket/*", "--payments=x", "--sink=stdout"),
      // Below /proc Node's own making of folders never ends.
      last(2, ...input.slice(-2), "--sink=jsonl", "--sink_path=/proc/no"),
      last(2, ...input.slice(-2), "--sink=stdout", "--log_dir=/proc/no"),
    ]);
    assert.match(nothing, /--orders: no file fits .*nowhere\/\*\.avro/);
    assert.match(aFolder, /which is a folder: for the files in it, .*\/\*$/);
    assert.match(elsewhere, /from this machine and from gs:\/\/, not from s3:\/\//);
    assert.match(noSink, /^SINK_PATH \(--sink_path\): \/proc\/no cannot be written/);
    assert.match(noLog, /^LOG_DIR \(--log_dir\) is "\/proc\/no"/);
  });
});
