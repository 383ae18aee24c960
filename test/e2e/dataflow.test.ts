/**
 * The product on Dataflow, as a user submits it: what was staged is read back and run by the fake service, with the worker's
 * own program, against the oracle.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
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
import { CommandLine, environmentOf } from "../fixtures/command_line.js";
import { type DataflowUnderTest, startDataflow } from "../fixtures/dataflow.js";
import { anOrder, aPayment, EventTopics, recordOf } from "../fixtures/event_topics.js";
import { needsPrism } from "../fixtures/runners.js";
import { gcsFixture, kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";
import { WorkerScript } from "../fixtures/worker_script.js";

const RUN_TIMEOUT_MS = 120_000;
const ORDERS = 600;
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Stands in the address of MongoDB, which workers alone may know. */
const MARK = "s3cr3t-of-the-address";
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
    dataflow.secrets.secrets.set(URI_SECRET, `${database.uri}/?appName=${MARK}`);
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

  it("gives the same streaming, when every residual changes worker, one of them hangs and one is killed; a drain ends it", async () => {
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
    assert.deepEqual(processesWith(MARK), []);
    process.kill(workers[0]!, "SIGSTOP");
    await sleep(3_000);
    process.kill(workers[0]!, "SIGCONT");
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
    const told = [run.stdout, run.stderr, ...latest.workerLog, ...latest.messages];
    const sent = [JSON.stringify(latest.received), Buffer.from(latest.checked.bytes).toString("latin1")];
    assert.ok(![...told, ...sent].some((text) => text.includes(MARK)));
  });

  it("goes on, updated, with the state, the timers and the positions of the job before", async () => {
    const own = await EventTopics.create(kafka.bootstrap());
    const start = (...args: string[]): CommandLine => {
      const run = new CommandLine(["run", ...dataflow.flags, "--job_name=orders", ...args], {
        ...environmentOf(kafka.bootstrap(), own, database),
        ...dataflow.environment,
        MONGODB_URI: URI_SECRET,
        MAX_AHEAD_OF_CLOCK: "off",
      });
      command = run;
      return run;
    };
    const now = Date.now();
    const ids = Array.from({ length: 30 }, (_, i) => `o-${i}`);
    const paid = ids.slice(0, 20);
    await own.sendEvents(...ids.map((id) => anOrder(id, now)));
    const before = start("--no_wait");
    assert.equal((await before.ended).code, 0, before.stderr);
    const [old] = dataflow.service.jobs;
    await until(
      "all orders in state",
      () => (old!.execution?.fleet?.userState.size ?? 0) >= ids.length,
      60_000,
    );

    const after = start("--no_wait", "--update");
    assert.equal((await after.ended).code, 0, after.stderr);
    const { latest } = dataflow.service;
    assert.notEqual(latest, old);
    assert.equal(old!.state, "UPDATED");
    await until(
      "what was taken over",
      () => latest.messages.some((text) => /were taken over/.test(text)),
      60_000,
    );
    await own.sendEvents(...paid.map((id) => aPayment(`p-${id}`, id, now)));
    await until("all pairs", async () => (await database.joined.countDocuments()) === paid.length, 60_000);
    // Nobody touches those that wait any more: it is their timers that end them.
    const later = now + 60 * 60_000;
    const movers = [0, 1, 2].map((partition) =>
      recordOf(anOrder(`later-${partition}`, later), { partition }),
    );
    const payers = [0, 1, 2].map((partition) =>
      recordOf(aPayment(`later-${partition}`, `later-${partition}`, later), { partition }),
    );
    await own.send(...movers, ...payers);
    await until("all expired", async () => (await database.unmatched.countDocuments()) === 10, 60_000);
    assert.equal(await database.deadLetters.countDocuments(), 0);
    const reasons = await database.unmatched.distinct("reason");
    assert.deepEqual(reasons, ["UNPAID"]);
    // Nothing was read again.
    const read = (): number => latest.execution!.run!.metrics.counter("records", "ReadOrders");
    await until("the counts of the job", () => read() >= movers.length).catch(() => undefined);
    assert.equal(read(), movers.length, JSON.stringify([...latest.execution!.run!.metrics.counters()]));
    await own.close();
  });
});

/** Linux alone, as Prism's tests are. */
function childrenOf(pid: number): number[] {
  return processesThat((own) =>
    readFileSync(`${own}/stat`, "utf8")
      .replace(/^.*\) \S /, "")
      .startsWith(`${pid} `),
  );
}

/** Those that have it in their arguments or their environment, where others can see it, or the runner passes it on. */
function processesWith(text: string): number[] {
  return processesThat((own) =>
    ["cmdline", "environ"].some((file) => readFileSync(`${own}/${file}`, "latin1").includes(text)),
  );
}

/** @param test of a folder in /proc; of processes that have ended meanwhile it may throw */
function processesThat(test: (own: string) => boolean): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return test(`/proc/${name}`);
      } catch {
        return false;
      }
    })
    .map(Number);
}
