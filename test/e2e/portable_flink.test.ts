/** The product on Flink inside Beam's job server, with checkpoints, against the oracle; also when a worker dies. */
import assert from "node:assert/strict";
import {
  BACKLOG_D_MS,
  BACKLOG_T_MS,
  backlogCounts,
  backlogEnvironment,
  backlogSummary,
  backlogTopics,
} from "../fixtures/backlog.js";
import { CommandLine } from "../fixtures/command_line.js";
import type { EventTopics } from "../fixtures/event_topics.js";
import { needsFlink } from "../fixtures/runners.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";
import { WorkerScript } from "../fixtures/worker_script.js";

const RUN_TIMEOUT_MS = 180_000;

describe("the pipeline on Flink", function () {
  this.timeout(RUN_TIMEOUT_MS + 30_000);
  needsFlink();
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let topics: EventTopics;
  let database: TestDatabase;
  let worker: WorkerScript;
  let command: CommandLine | undefined;

  before(async () => {
    topics = await backlogTopics(kafka.bootstrap());
  });

  beforeEach(async () => {
    database = await TestDatabase.open(mongodb.uri());
    worker = new WorkerScript();
  });

  afterEach(async function () {
    if (this.currentTest?.isFailed()) console.error(command?.stderr, worker?.log);
    command?.kill("SIGKILL");
    await command?.ended;
    command = undefined;
    worker?.remove();
    await database?.close();
  });

  after(() => topics?.close());

  function start(...args: string[]): CommandLine {
    command = new CommandLine(
      [
        "run",
        "--runner=flink",
        "--summary=json",
        "--checkpointing_interval=1000",
        "--parallelism=1",
        ...args,
      ],
      backlogEnvironment(kafka.bootstrap(), topics, database),
    );
    return command;
  }

  const allDocuments = (): Promise<unknown> =>
    until(
      "all documents",
      async () => String(await database.counts()) === String(backlogCounts(topics)),
      RUN_TIMEOUT_MS,
    );

  for (const [how, ...args] of [["in shards"], ["by order_id", "--key_shards=0"]] as const) {
    it(`gives exactly the oracle's collections and counts, bounded, with its state ${how}`, async () => {
      const { duration_ms, ...counts } = await start("--bounded", ...args).summary();
      await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
      assert.deepEqual(counts, backlogSummary(topics));
      assert.ok(duration_ms > 0);
    });
  }

  it("gives the same streaming, and exits with 0 when it is told to end", async () => {
    const run = start();
    await allDocuments();
    run.kill("SIGTERM");
    await run.summary();
    await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
  });

  it("gives the same when a worker is killed on the way", async () => {
    const run = start("--environment_type=PROCESS", `--environment_config=${worker.command}`);
    await until(
      "the first documents",
      async () => (await database.joined.estimatedDocumentCount()) > 0,
      60_000,
    );
    process.kill(worker.pids.at(-1)!, "SIGKILL");
    await allDocuments();
    assert.ok(worker.pids.length >= 2, "no other worker was started");
    run.kill("SIGTERM");
    await run.summary();
    await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
  });
});
