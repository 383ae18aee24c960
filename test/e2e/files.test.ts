/**
 * Stream and batch: the acceptance data through Kafka and through files gives the same collections, on every runner; and
 * history from files that goes on in the topics is one run, however the two overlap.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { TemporaryFolder } from "../fixtures/avro_files.js";
import { BACKLOG_D_MS, BACKLOG_T_MS, backlogEnvironment, backlogTopics } from "../fixtures/backlog.js";
import { CommandLine } from "../fixtures/command_line.js";
import { EventFiles } from "../fixtures/event_files.js";
import type { EventTopics } from "../fixtures/event_topics.js";
import { needsFlink, needsPrism } from "../fixtures/runners.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";

const RUN_TIMEOUT_MS = 120_000;
/** Enough for every outcome. */
const ORDERS = 2_000;
/** Prism may take the other one of two events of one id that contradict each other. Files hold no record without a value. */
const SHARES = { conflict: 0, malformed: 0, nullValue: 0 };

describe("files", function () {
  this.timeout(RUN_TIMEOUT_MS);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let topics: EventTopics;
  let files: EventFiles;
  let database: TestDatabase;
  let command: CommandLine | undefined;
  /** What a stream makes of the same events. */
  let streamed: string[];

  before(async () => {
    topics = await backlogTopics(kafka.bootstrap(), SHARES, ORDERS);
    files = new EventFiles(topics.log);
    database = await TestDatabase.open(mongodb.uri());
    await start("--bounded").summary();
    await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
    streamed = await contents(database);
    await database.close();
  });

  beforeEach(async () => {
    database = await TestDatabase.open(mongodb.uri());
  });

  afterEach(async function () {
    if (this.currentTest?.isFailed()) console.error(command?.stderr);
    command?.kill("SIGKILL");
    await command?.ended;
    await database?.close();
  });

  after(async () => {
    files?.remove();
    await topics?.close();
  });

  function start(...args: string[]): CommandLine {
    const environment = backlogEnvironment(kafka.bootstrap(), topics, database);
    command = new CommandLine(["run", "--summary=json", ...args], environment);
    return command;
  }

  const input = (): string[] => [`--orders=${files.orders}`, `--payments=${files.payments}`];

  it("give what a stream gives, without Kafka", async () => {
    const environment = backlogEnvironment("127.0.0.1:1", topics, database);
    command = new CommandLine(["run", "--summary=json", ...input()], environment);
    const summary = await command.summary();
    assert.equal(summary.orders + summary.payments, topics.log.length);
    assert.equal(summary.pending, 0);
    assert.deepEqual(await contents(database), streamed);
  });

  it("give the same as JSON lines, and write it to files", async () => {
    const folder = new TemporaryFolder();
    const json = topics.log.filter(({ value }) => value![0] === 0x7b);
    const lines = new EventFiles(json, "jsonl");
    const args = ["--sink=avro", `--sink_path=${folder.path}`];
    const summary = await start(
      `--orders=${lines.orders}`,
      `--payments=${lines.payments}`,
      ...args,
    ).summary();
    assert.equal(summary.orders + summary.payments, json.length);
    // What was written is read again by the same program: pairs are no orders, which each record says.
    const again = start(
      `--orders=${folder.path}/joined/*`,
      `--payments=${files.payments}`,
      "--bad_files=skip",
      "--sink=stdout",
    );
    const { code } = await again.ended;
    assert.equal(code, 0, again.stderr);
    assert.match(again.stdout, /cannot be read as|no order|amount/);
    for (const name of ["joined", "unmatched"]) {
      assert.ok(readdirSync(join(folder.path, name)).every((file) => /^part-\d{5}-\d{5}\.avro$/.test(file)));
    }
    // A folder that holds results is not written to by another run.
    const second = start(`--orders=${lines.orders}`, `--payments=${lines.payments}`, ...args);
    assert.equal((await second.ended).code, 1);
    assert.match(second.stderr, /SINK_PATH: .*holds files of another run/);
    lines.remove();
    folder.remove();
  });

  it("are what export writes of the collections, too", async () => {
    const folder = new TemporaryFolder();
    await start(...input()).summary();
    const environment = backlogEnvironment(kafka.bootstrap(), topics, database);
    const to = `--to_path=${folder.path}/exported`;
    const exported = new CommandLine(["export", to, "--format=jsonl"], environment);
    assert.equal((await exported.ended).code, 0, exported.stderr);
    await start(...input(), "--sink=jsonl", `--sink_path=${folder.path}/written`).summary();
    for (const name of ["joined", "unmatched", "dead_letters"]) {
      const lines = (of: string): string[] => linesIn(join(folder.path, of, name));
      assert.ok(lines("exported").length > 0, name);
      assert.deepEqual(lines("exported"), lines("written"), name);
    }
    folder.remove();
  });

  describe("on Prism", () => {
    needsPrism();
    it("give what a stream gives", async () => {
      await start("--runner=prism", ...input()).summary();
      assert.deepEqual(await contents(database), streamed);
    });
  });

  describe("on Flink", () => {
    needsFlink();
    it("give what a stream gives", async () => {
      await start("--runner=flink", "--parallelism=1", "--checkpointing_interval=1000", ...input()).summary();
      assert.deepEqual(await contents(database), streamed);
    });
  });

  describe("that go on in the topics", () => {
    /** A place in event time that many pairs lie across. */
    const atShare = (share: number): number => {
      const times = topics.log.map(({ timestampMs }) => timestampMs).sort((a, b) => a - b);
      return times[Math.floor(times.length * share)]!;
    };

    for (const [what, filesUpTo, topicsFrom] of [
      ["overlap", 0.7, 0.3],
      ["meet", 0.5, 0.5],
      ["hold the same", 1, 0],
    ] as const) {
      it(`give what a stream gives where the two ${what}`, async () => {
        const end = atShare(Math.min(filesUpTo, 0.999_999));
        const log = filesUpTo === 1 ? topics.log : topics.log.filter(({ timestampMs }) => timestampMs < end);
        const history = new EventFiles(log);
        const seam = topicsFrom === 0 ? "earliest" : new Date(atShare(topicsFrom)).toISOString();
        const summary = await start(
          `--orders=${history.orders}`,
          `--payments=${history.payments}`,
          `--then-kafka-from=${seam}`,
          "--bounded",
        ).summary();
        assert.ok(summary.orders + summary.payments >= topics.log.length);
        assert.equal(summary.pending, 0);
        assert.deepEqual((await contents(database)).filter(isInBounds), streamed.filter(isInBounds));
        history.remove();
      });
    }

    it("go on at offsets, and where nothing was for a while", async () => {
      const offsets = new Map<string, number>();
      const cut = atShare(0.5);
      const log = topics.log.filter(({ topic, partition, offset, timestampMs }) => {
        const key = `${topics[topic]}:${partition}`;
        const isHistory = timestampMs < cut && offset === (offsets.get(key) ?? 0);
        if (isHistory) offsets.set(key, offset + 1);
        return isHistory;
      });
      const history = new EventFiles(log);
      const seam = [...offsets].map(([key, offset]) => `${key}:${offset}`).join(",");
      const summary = await start(
        `--orders=${history.orders}`,
        `--payments=${history.payments}`,
        `--then_kafka_from=${seam}`,
        "--bounded",
      ).summary();
      // Each event once: nothing was read twice, and nothing left out.
      assert.equal(summary.orders + summary.payments, topics.log.length);
      assert.deepEqual((await contents(database)).filter(isInBounds), streamed.filter(isInBounds));
      history.remove();
    });
  });
});

/** Of all files of a folder, sorted. */
function linesIn(folder: string): string[] {
  const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
  return texts.flatMap((text) => text.trimEnd().split("\n")).sort();
}

/** What is late beyond the bound is so by what was read before it, which behind a seam is less. */
function isInBounds(text: string): boolean {
  return !text.startsWith("dead_letters") && !/"order_id":"[^"]*-l"/.test(text);
}

/** All documents; of dead letters what they are about, for where they were read is another place. */
async function contents(database: TestDatabase): Promise<string[]> {
  const all = await database.contents();
  return all.map((text) => {
    if (!text.startsWith("dead_letters")) return text;
    const { reason, message } = JSON.parse(text.slice("dead_letters ".length));
    return `dead_letters ${reason} ${String(message).replace(/the (partition|file)'s watermark/, "")}`;
  });
}
