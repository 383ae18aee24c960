/**
 * What a user of the same machine tries who wants a worker's password: he runs a Prism of his own, and gives it jobs
 * that name a server of his. Beside it, what a runner and its children see of a run's environment.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { runPortable } from "../../beam/runners/portable/portable_run.js";
import { buildPipeline } from "../../pipeline/graph.js";
import { type LocalRunner, startPrism } from "../../services/index.js";
import {
  BACKLOG_D_MS,
  BACKLOG_T_MS,
  backlogEnvironment,
  backlogSummary,
  backlogTopics,
} from "../fixtures/backlog.js";
import { CommandLine } from "../fixtures/command_line.js";
import type { EventTopics } from "../fixtures/event_topics.js";
import { ListeningBroker } from "../fixtures/listening_broker.js";
import { programArgs } from "../fixtures/program.js";
import { needsPrism } from "../fixtures/runners.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";
import { WorkerScript } from "../fixtures/worker_script.js";

const SECRET = "Secr3t-of-the-pool";
const TOKEN = "a token of some length";
const START_TIMEOUT_MS = 120_000;

/** A pool of workers, as somebody starts one. */
class Pool {
  stdout = "";
  stderr = "";
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;

  constructor(env: Readonly<Record<string, string>>, address = "127.0.0.1:0") {
    const { PATH = "", HOME = "" } = process.env;
    const args = [...programArgs("worker"), `--worker_pool=${address}`];
    const child = spawn(process.execPath, args, {
      cwd: tmpdir(),
      env: { PATH, HOME, UI_PORT: "off", ...env },
    });
    this.#child = child;
    child.stdout.setEncoding("utf8").on("data", (text) => {
      this.stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve) => child.once("close", resolve));
  }

  endpoint(): Promise<string> {
    return until("the pool's address", () => this.stdout.trim() || undefined, START_TIMEOUT_MS);
  }

  async close(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.ended;
  }
}

describe("a worker's secrets", function () {
  this.timeout(300_000);
  needsPrism();
  let thief: ListeningBroker;
  let named: ListeningBroker;
  let pool: Pool | undefined;
  let prism: LocalRunner | undefined;

  beforeEach(async () => {
    thief = await ListeningBroker.start();
    named = await ListeningBroker.start();
  });
  afterEach(async () => {
    await prism?.stop();
    await pool?.close();
    prism = undefined;
    pool = undefined;
    thief.close();
    named.close();
  });

  const poolEnvironment = () => ({
    KAFKA_BOOTSTRAP: named.address,
    KAFKA_SASL_USERNAME: "bob",
    KAFKA_SASL_PASSWORD: SECRET,
    MONGODB_URI: `mongodb://bob:${SECRET}@${named.address}`,
    OUTAGE_MAX: "2s",
  });

  /** A job of the pipeline's graph with these options, on a Prism of its own; what it failed with. */
  async function jobFails(
    options: Readonly<Record<string, string>>,
    environment: Readonly<Record<string, string>> = poolEnvironment(),
    token?: string,
  ): Promise<string> {
    pool = new Pool(environment);
    const endpoint = await pool.endpoint();
    prism = await startPrism({ env: { ...process.env, KAFKA_SASL_PASSWORD: "not the pool's" } });
    const pipeline = buildPipeline({
      orderTopic: "orders",
      paymentTopic: "payments",
      isBounded: true,
      start: "earliest",
      groupId: undefined,
      timeoutMs: 1_000,
      maxOutOfOrdernessMs: 0,
      maxAheadOfClockMs: 0,
      database: "d",
      joinedCollection: "j",
      unmatchedCollection: "u",
      deadLetterCollection: "x",
    });
    const run = await runPortable(pipeline, {
      jobEndpoint: prism.endpoint,
      jobName: "thief",
      environment: { kind: "external", endpoint, token },
      pipelineOptions: { kafka_security_protocol: "SASL_PLAINTEXT", kafka_sasl_username: "bob", ...options },
      log: { debug: () => {}, info: () => {}, warn: () => {} },
      runnerEnded: prism.ended,
    });
    const failure = await run.finished.then(
      () => "",
      (error: Error) => error.message,
    );
    for (const text of [failure, pool.stdout, pool.stderr]) assert.ok(!text.includes(SECRET), text);
    return failure;
  }

  it("go to the brokers that are named beside them", async () => {
    await jobFails({ kafka_bootstrap: named.address, outage_max: "2s" });
    await until("the password", () => named.wasSent(SECRET));
  });

  it("do not go to brokers that a job names", async () => {
    const failure = await jobFails({ kafka_bootstrap: thief.address });
    assert.match(failure, /KAFKA_BOOTSTRAP .* in the job, but .* in the worker's environment/);
    assert.equal(thief.connections, 0);
  });

  it("do not go to a broker that a job names beside the right one", async () => {
    const failure = await jobFails({ kafka_bootstrap: `${named.address},${thief.address}` });
    assert.match(failure, /KAFKA_BOOTSTRAP .* in the job/);
    assert.equal(thief.connections, 0);
  });

  it("go nowhere where the environment names no brokers", async () => {
    const { KAFKA_BOOTSTRAP: _, ...withoutBrokers } = poolEnvironment();
    const failure = await jobFails({ kafka_bootstrap: thief.address }, withoutBrokers);
    assert.match(failure, /KAFKA_BOOTSTRAP .* is not set in the worker's environment/);
    assert.equal(thief.connections, 0);
  });

  it("do not go to a server that a job connects to without a login", async () => {
    const plain = { kafka_security_protocol: "PLAINTEXT", mongodb_uri: `mongodb://${thief.address}` };
    assert.notEqual(await jobFails({ kafka_bootstrap: thief.address, outage_max: "2s", ...plain }), "");
    assert.ok(!thief.wasSent(SECRET));
  });

  it("are behind a token, where there is one", async () => {
    const failure = await jobFails(
      { kafka_bootstrap: named.address },
      { ...poolEnvironment(), WORKER_POOL_TOKEN: TOKEN },
      "another token of some length",
    );
    const refusal = /does not name this worker pool's token/;
    // Now and then Prism itself panics over a worker that did not come, and then that is the reason that it gives.
    assert.match(failure, new RegExp(`${refusal.source}|Prism ended by itself \\(exit code 2\\)`));
    assert.match(pool!.stderr, refusal);
    assert.equal(named.connections, 0);
  });

  it("are not served to the network without a token", async () => {
    pool = new Pool(poolEnvironment(), "0.0.0.0:0");
    assert.equal(await pool.ended, 1);
    assert.match(
      pool.stderr,
      /^a worker pool at 0\.0\.0\.0 would do what anybody says .* WORKER_POOL_TOKEN$/m,
    );
    pool = undefined;
  });

  describe("of a run", () => {
    const kafka = kafkaFixture();
    const mongodb = mongodbFixture();
    let topics: EventTopics;
    let database: TestDatabase;
    let worker: WorkerScript;
    let command: CommandLine | undefined;

    before(async () => {
      topics = await backlogTopics(kafka.bootstrap(), { conflict: 0 }, 1_000);
    });
    beforeEach(async () => {
      database = await TestDatabase.open(mongodb.uri());
      worker = new WorkerScript();
    });
    afterEach(async function () {
      if (this.currentTest?.isFailed()) console.error(command?.stderr, worker?.log, pool?.stderr);
      command?.kill("SIGKILL");
      await command?.ended;
      worker?.remove();
      await database?.close();
    });
    after(() => topics?.close());

    const start = (...args: string[]): CommandLine => {
      const environment = backlogEnvironment(kafka.bootstrap(), topics, database);
      // The broker asks for no login, so nothing needs it: it is only there.
      const secrets = { KAFKA_SASL_PASSWORD: SECRET, SOMEBODYS_TOKEN: SECRET };
      command = new CommandLine(["run", "--runner=prism", "--summary=json", ...args], {
        ...environment,
        ...secrets,
        WORKER_POOL_TOKEN: TOKEN,
      });
      return command;
    };

    /** Of all processes of the group of the run's Prism, which others can have run their commands. */
    async function environmentsBesidePrism(run: CommandLine): Promise<string[]> {
      const group = await until(
        "Prism",
        () => /started Prism on port \d+ \(pid (\d+)\)/.exec(run.stderr)?.[1],
        60_000,
      );
      const ofGroup = readdirSync("/proc").filter((pid) => {
        try {
          return /^\d+$/.test(pid) && groupOf(pid) === group;
        } catch {
          return false;
        }
      });
      assert.ok(ofGroup.length >= 2, "the shell and Prism");
      return ofGroup.map((pid) => readFileSync(`/proc/${pid}/environ`, "latin1"));
    }

    it("are not in the environment of a runner that needs none", async function () {
      if (process.platform !== "linux") this.skip();
      const run = start();
      for (const environment of await environmentsBesidePrism(run)) {
        assert.match(environment, /PATH=/);
        assert.ok(!environment.includes(SECRET) && !environment.includes(TOKEN), environment);
      }
      run.kill("SIGTERM");
      await run.ended;
    });

    it("are, where it starts the workers itself, no more than these need", async function () {
      if (process.platform !== "linux") this.skip();
      const config = `--environment_config=${worker.command}`;
      const run = start("--environment_type=PROCESS", config);
      for (const environment of await environmentsBesidePrism(run)) {
        assert.ok(environment.includes(`KAFKA_SASL_PASSWORD=${SECRET}`), environment);
        assert.ok(!environment.includes("SOMEBODYS_TOKEN") && !environment.includes(TOKEN), environment);
      }
      run.kill("SIGTERM");
      await run.ended;
    });

    it("stay with a pool that knows its token, and the run gives the oracle's collections", async () => {
      pool = new Pool({ WORKER_POOL_TOKEN: TOKEN });
      const run = start(
        "--bounded",
        "--environment_type=EXTERNAL",
        `--environment_config=${await pool.endpoint()}`,
      );
      const { duration_ms: _, ...counts } = await run.summary();
      await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
      assert.deepEqual(counts, backlogSummary(topics));
    });
  });
});

function groupOf(pid: string): string {
  return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ")[2]!;
}
