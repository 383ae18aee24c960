/**
 * The product on Prism, as a user starts it: the acceptance data, bounded and streaming, against the oracle; and what
 * becomes of a run whose worker or runner dies, or that finds none.
 */
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { eventTypes } from "../../schemas/avro_types.js";
import { encodeConfluent } from "../../schemas/encode.js";
import {
  BACKLOG_D_MS,
  BACKLOG_T_MS,
  backlogCounts,
  backlogEnvironment,
  backlogSummary,
  backlogTopics,
} from "../fixtures/backlog.js";
import { CommandLine } from "../fixtures/command_line.js";
import { ConfluentRegistry } from "../fixtures/confluent_registry.js";
import { anOrder, aPayment, type EventRecord, EventTopics } from "../fixtures/event_topics.js";
import { needsPrism } from "../fixtures/runners.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";
import { WorkerScript } from "../fixtures/worker_script.js";

const RUN_TIMEOUT_MS = 120_000;
/** Until a failure is noticed and everything has been taken down. */
const FAILURE_MAX_MS = 30_000;

describe("the pipeline on Prism", function () {
  this.timeout(RUN_TIMEOUT_MS + FAILURE_MAX_MS);
  needsPrism();
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let topics: EventTopics;
  let database: TestDatabase;
  let worker: WorkerScript;
  let command: CommandLine | undefined;

  before(async () => {
    // Prism puts what waits for a step in the order of its event times, and what has the same one in any: which of two
    // conflicting events of one id comes first is not known there, and the rest is the same without.
    topics = await backlogTopics(kafka.bootstrap(), { conflict: 0 });
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
      ["run", "--runner=prism", "--summary=json", ...args],
      backlogEnvironment(kafka.bootstrap(), topics, database),
    );
    return command;
  }

  const inAnotherProcess = (): string[] => [
    "--environment_type=PROCESS",
    `--environment_config=${worker.command}`,
  ];

  const someDocuments = (): Promise<unknown> =>
    until("the first documents", async () => (await database.joined.estimatedDocumentCount()) > 0, 60_000);

  /** Of the process group of the run's Prism. */
  function prismOf({ stderr }: CommandLine): number {
    const [, pid] = /started Prism on port \d+ \(pid (\d+)\)/.exec(stderr) ?? [];
    assert.ok(pid !== undefined, stderr);
    return Number(pid);
  }

  async function fails(run: CommandLine, message: RegExp): Promise<void> {
    const startedMs = Date.now();
    const { code } = await run.ended;
    assert.match(run.stderr, message);
    assert.equal(code, 1);
    assert.ok(Date.now() - startedMs < FAILURE_MAX_MS, `${Date.now() - startedMs} ms`);
    assert.equal(run.stdout, "");
  }

  it("gives exactly the oracle's collections and counts, bounded", async () => {
    const run = start("--bounded");
    const { duration_ms, ...counts } = await run.summary();
    await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
    assert.deepEqual(counts, backlogSummary(topics));
    assert.ok(duration_ms > 0);
    assertGone(prismOf(run));
  });

  it("gives the same with the worker in a process of its own", async () => {
    await start("--bounded", ...inAnotherProcess()).summary();
    await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
    assert.equal(worker.pids.length, 1);
    assertGone(worker.pids[0]!);
  });

  it("has a worker ask a schema registry, with the password of its environment", async () => {
    const registry = await ConfluentRegistry.start();
    registry.authorization = `Basic ${Buffer.from("bob:a secret").toString("base64")}`;
    const framed = await EventTopics.create(kafka.bootstrap());
    const idOf = (kind: "order" | "payment") => registry.add(`${kind}-value`, eventTypes[kind].schema).id;
    try {
      const atMs = Date.parse("2026-01-01T00:00:00Z");
      const events = Array.from(
        { length: 50 },
        (_, i) => [anOrder(`o${i}`, atMs), aPayment(`p${i}`, `o${i}`, atMs)] as const,
      );
      await framed.send(
        ...events.flatMap(([order, payment]): EventRecord[] => [
          { topic: "orders", key: order.order_id, value: encodeConfluent(idOf("order"), "order", order) },
          {
            topic: "payments",
            key: order.order_id,
            value: encodeConfluent(idOf("payment"), "payment", payment),
          },
        ]),
      );
      command = new CommandLine(
        ["run", "--runner=prism", "--bounded", "--summary=json", ...inAnotherProcess()],
        {
          ...backlogEnvironment(kafka.bootstrap(), framed, database),
          SCHEMA_REGISTRY_URL: registry.url,
          SCHEMA_REGISTRY_USERNAME: "bob",
          SCHEMA_REGISTRY_PASSWORD: "a secret",
        },
      );
      await command.summary();
      assert.deepEqual(await database.counts(), [50, 0, 0]);
      assert.ok(!command.stderr.includes("a secret"));
    } finally {
      await Promise.all([registry.close(), framed.close()]);
    }
  });

  it("gives the same streaming, and exits with 0 when it is told to end", async () => {
    const run = start();
    const expected = backlogCounts(topics);
    await until(
      "all documents",
      async () => String(await database.counts()) === String(expected),
      RUN_TIMEOUT_MS,
    );
    run.kill("SIGTERM");
    const { orders, payments } = await run.summary();
    await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
    assert.equal(orders + payments, topics.log.length);
    assertGone(prismOf(run));
  });

  it("fails in bounded time, with a reason, when its worker is killed", async () => {
    const run = start("--bounded", ...inAnotherProcess());
    await someDocuments();
    process.kill(worker.pids.at(-1)!, "SIGKILL");
    await fails(run, /the job failed: |the job has lost its worker: .*signal: killed/s);
  });

  it("fails in bounded time, with a reason, when its worker ends before it has begun", async () => {
    const run = start("--environment_type=PROCESS", "--environment_config=/bin/false");
    // Now and then Prism itself panics over the worker that went, and then that is the reason that it gives.
    await fails(
      run,
      /the job has lost its worker: .*exit status 1|the job failed: panic .*send on closed channel/s,
    );
  });

  it("fails in bounded time, with a reason, when Prism is killed", async () => {
    const run = start();
    await someDocuments();
    process.kill(-prismOf(run), "SIGKILL");
    await fails(run, /Prism ended by itself \(signal SIGKILL\)/);
  });

  it("leaves nothing running when it is killed itself", async () => {
    const run = start(...inAnotherProcess());
    await someDocuments();
    const pids = [prismOf(run), ...worker.pids];
    run.kill("SIGKILL");
    await run.ended;
    await until("all processes to be gone", () => pids.every(isGone), FAILURE_MAX_MS);
  });

  it("does not begin where no runner listens", async () => {
    await fails(
      start("--job_endpoint=127.0.0.1:1"),
      /the runner at 127\.0\.0\.1:1 cannot be reached: connect ECONNREFUSED/,
    );
  });

  it("does not begin, nor wait for ever, where somebody listens who is no runner", async () => {
    const sockets: Socket[] = [];
    const deaf = createServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
    try {
      await new Promise((resolve) => deaf.once("listening", resolve));
      const { port } = deaf.address() as { port: number };
      await fails(
        start(`--job_endpoint=127.0.0.1:${port}`),
        /did not answer a first call within|cannot be reached/,
      );
    } finally {
      for (const socket of sockets) socket.destroy();
      deaf.close();
    }
  });

  it("does not begin where no worker pool listens", async () => {
    const run = start("--environment_type=EXTERNAL", "--environment_config=127.0.0.1:1");
    await fails(run, /no worker pool listens at 127\.0\.0\.1:1/);
  });

  it("does not begin when the worker command does not exist", async () => {
    const run = start("--environment_type=PROCESS", "--environment_config=/nowhere/worker");
    await fails(run, /\/nowhere\/worker is not an executable file/);
  });
});

function assertGone(pid: number): void {
  assert.ok(isGone(pid), `process ${pid} is still there`);
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}
