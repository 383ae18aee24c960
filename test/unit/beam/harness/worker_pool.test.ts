import assert from "node:assert/strict";
import { Connection } from "../../../../beam/harness/connection.js";
import { START_WORKER, STOP_WORKER } from "../../../../beam/harness/fn_methods.js";
import { startWorkerPool, type WorkerPool } from "../../../../beam/harness/worker_pool.js";
import { fnApi, provisionApi, Struct } from "../../../../beam/model/apache_beam.js";
import { FakeFnRunner } from "../../../fixtures/fake_fn_runner.js";
import { until } from "../../../fixtures/until.js";

describe("worker pool", () => {
  let runner: FakeFnRunner;
  let pool: WorkerPool;
  let connection: Connection;
  const prepared: unknown[] = [];
  const warnings: string[] = [];

  beforeEach(async () => {
    prepared.length = 0;
    warnings.length = 0;
    runner = await FakeFnRunner.start();
    pool = await startWorkerPool({
      prepare: (options) => {
        prepared.push(options);
        if (options.broken === "yes") throw new Error("a broken option");
      },
      log: {
        debug: () => undefined,
        info: () => undefined,
        warn: (message, fields) => warnings.push(`${message} ${fields?.reason}`),
        error: () => undefined,
      },
    });
    connection = new Connection(pool.endpoint, "pool");
  });
  afterEach(async () => {
    connection.close();
    await pool.close();
    runner.kill();
  });

  const start = (workerId: string, control = runner.endpoint, provision = ""): Promise<string> =>
    connection
      .call(
        START_WORKER,
        fnApi.StartWorkerRequest.create({
          workerId,
          controlEndpoint: { url: control },
          ...(provision !== "" && { provisionEndpoint: { url: provision } }),
        }),
      )
      .then(({ error }) => error);
  const isAlive = (): Promise<unknown> =>
    runner.ask({ oneofKind: "register", register: { processBundleDescriptor: [] } });

  it("answers at once; the worker connects afterwards, and may be stopped twice", async () => {
    assert.equal(await start("w[1]"), "");
    await isAlive();
    assert.deepEqual([...runner.workerIds], ["w[1]"]);
    for (let i = 0; i < 2; i++) {
      const { error } = await connection.call(STOP_WORKER, { workerId: "w[1]" });
      assert.equal(error, "");
    }
    await until("the id to be free", async () => (await start("w[1]")) === "");
  });

  it("refuses a worker that is there already, and requests that cannot work", async () => {
    await start("w");
    assert.match(await start("w"), /there already/);
    assert.match(await start("x", ""), /no control endpoint/);
  });

  it("hands on the pipeline's options, whatever shape the runner gives them", async () => {
    runner.provision = provisionApi.ProvisionInfo.create({
      pipelineOptions: Struct.fromJson({
        "beam:option:kafka_bootstrap:v1": "a:1",
        options: { job_name: "j" },
      }),
    });
    await start("w", runner.endpoint, runner.endpoint);
    await isAlive();
    assert.deepEqual(prepared, [{ kafka_bootstrap: "a:1", job_name: "j" }]);
  });

  it("lets each bundle of a worker fail that could not be made ready", async () => {
    runner.provision = provisionApi.ProvisionInfo.create({
      pipelineOptions: Struct.fromJson({ "beam:option:broken:v1": "yes" }),
    });
    await start("w", runner.endpoint, runner.endpoint);
    const id = await runner.startBundle("d");
    assert.match((await runner.answer(id)).error, /a broken option/);
  });

  it("tells of workers that end with an error, and goes on", async () => {
    await start("w");
    await isAlive();
    runner.kill();
    await until("the warning", () => warnings.length > 0);
    assert.match(warnings.join(), /a worker ended the control stream at/);
    assert.equal(await start("w"), "");
  });
});
