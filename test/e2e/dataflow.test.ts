/**
 * The product on Dataflow, as a user submits it: what was staged is read back and run by the fake service, with the worker's
 * own program, against the oracle.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { layOutImage } from "../../services/dataflow/index.js";
import {
  BACKLOG_D_MS,
  BACKLOG_T_MS,
  backlogCounts,
  backlogEnvironment,
  backlogSummary,
  backlogTopics,
} from "../fixtures/backlog.js";
import { CommandLine } from "../fixtures/command_line.js";
import { type DataflowUnderTest, startDataflow } from "../fixtures/dataflow.js";
import type { EventTopics } from "../fixtures/event_topics.js";
import { needsPrism } from "../fixtures/runners.js";
import { gcsFixture, kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";
import { WorkerScript } from "../fixtures/worker_script.js";

const RUN_TIMEOUT_MS = 120_000;
const ORDERS = 600;
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const URI_SECRET = "projects/my-project/secrets/mongodb-uri/versions/latest";

describe("the pipeline on Dataflow", function () {
  this.timeout(RUN_TIMEOUT_MS);
  needsPrism();
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  const gcs = gcsFixture();
  let topics: EventTopics;
  let database: TestDatabase;
  let worker: WorkerScript;
  let dataflow: DataflowUnderTest;
  let command: CommandLine | undefined;

  before(async () => {
    // Which of two conflicting events of one time comes first is not known on Prism.
    topics = await backlogTopics(kafka.bootstrap(), { conflict: 0 }, ORDERS);
  });

  beforeEach(async () => {
    database = await TestDatabase.open(mongodb.uri());
    worker = new WorkerScript();
    dataflow = await startDataflow(
      // As the image has it, where the program is built; the same worker from its sources otherwise.
      process.env.TEST_PROGRAM === "dist"
        ? layOutImage(ROOT, join(ROOT, ".local/e2e-image"))
        : { entrypoint: worker.command },
      { apiEndpoint: gcs.apiEndpoint(), bucket: await gcs.newBucket() },
      { siblings: 1, firesTimersTwice: true },
    );
    dataflow.secrets.secrets.set(URI_SECRET, database.uri);
  });

  afterEach(async function () {
    if (this.currentTest?.isFailed()) {
      console.error(
        command?.stderr,
        dataflow?.service.latest?.workerLog.join("\n"),
        worker?.log,
        dataflow?.service.latest?.messages,
      );
    }
    command?.kill("SIGKILL");
    await command?.ended;
    command = undefined;
    await dataflow?.close();
    worker?.remove();
    await database?.close();
  });

  after(() => topics?.close());

  function submit(...args: string[]): CommandLine {
    command = new CommandLine(["run", ...dataflow.flags, "--summary=json", ...args], {
      ...backlogEnvironment(kafka.bootstrap(), topics, database),
      ...dataflow.environment,
      MONGODB_URI: URI_SECRET,
    });
    return command;
  }

  it("gives exactly the oracle's collections and counts, bounded, with two workers, when timers fire twice", async () => {
    const run = submit("--bounded");
    const { duration_ms: _, ...counts } = await run.summary();
    await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
    assert.deepEqual(counts, backlogSummary(topics));
    const { latest } = dataflow.service;
    assert.equal(latest.state, "DONE");
    assert.match(run.stderr, /console\.cloud\.google\.com\/dataflow\/jobs\/us-central1/);
    assert.ok(dataflow.secrets.asked.includes(URI_SECRET));
    assert.equal(new Set(latest.execution!.fleet!.assignments.map((one) => one.worker)).size, 2);
  });

  it("gives the same streaming, when every residual changes worker and one of them is killed; a drain ends it", async () => {
    const run = submit("--drain=expire");
    await until("some documents", async () => (await database.joined.estimatedDocumentCount()) > 0, 60_000);
    const haveBothRead = async (): Promise<boolean> => {
      const { assignments } = dataflow.service.latest.execution!.fleet!;
      const readers = new Set(assignments.filter(({ isSource }) => isSource).map((one) => one.worker));
      return readers.has("sdk-0-0") && readers.has("sdk-0-1");
    };
    await until("reads by both workers", haveBothRead, 60_000);
    const workers = childrenOf(dataflow.service.latest.execution!.container!.pid!);
    assert.equal(workers.length, 2);
    process.kill(workers[1]!, "SIGKILL");
    const expected = backlogCounts(topics);
    await until(
      "all documents",
      async () => String(await database.counts()) === String(expected),
      RUN_TIMEOUT_MS,
    );
    run.kill("SIGTERM");
    await run.summary();
    const { latest } = dataflow.service;
    assert.equal(latest.state, "DRAINED");
    await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
  });
});

/** Linux alone, as Prism's tests are. */
function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/stat`, "utf8")
          .replace(/^.*\) \S /, "")
          .startsWith(`${pid} `);
      } catch {
        return false;
      }
    })
    .map(Number);
}
