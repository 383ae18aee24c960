import assert from "node:assert/strict";
import { Connection } from "../../../../beam/harness/connection.js";
import { START_WORKER, STOP_WORKER } from "../../../../beam/harness/fn_methods.js";
import type { PoolAdmission } from "../../../../beam/harness/pool_admission.js";
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

  it("has workers started elsewhere where it is told so, and ends them", async () => {
    const wanted: unknown[] = [];
    const stopped: string[] = [];
    const elsewhere = await startWorkerPool({
      startWorker: (worker) => {
        wanted.push(worker);
        let end!: () => void;
        const finished = new Promise<void>((resolve) => {
          end = resolve;
        });
        const stop = (): void => {
          stopped.push(worker.id);
          end();
        };
        return { stop, finished };
      },
    });
    const asking = new Connection(elsewhere.endpoint, "pool");
    const endpoint = { url: runner.endpoint };
    for (const workerId of ["v", "w"]) {
      const request = fnApi.StartWorkerRequest.create({ workerId, controlEndpoint: endpoint });
      assert.equal((await asking.call(START_WORKER, request)).error, "");
    }
    await asking.call(STOP_WORKER, { workerId: "v" });
    asking.close();
    await elsewhere.close();
    assert.deepEqual(wanted[0], { id: "v", controlEndpoint: runner.endpoint, provisionEndpoint: "" });
    assert.deepEqual(stopped, ["v", "w"]);
    assert.equal(runner.workerIds.size, 0);
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

  describe("that knows whom it serves", () => {
    const TOKEN = "a token of some length";
    let guarded: WorkerPool | undefined;

    afterEach(() => guarded?.close());

    async function ask(admission: PoolAdmission, params: Record<string, string>, url = runner.endpoint) {
      guarded = await startWorkerPool({ admission, log: silent });
      const asking = new Connection(guarded.endpoint, "asks");
      try {
        const request = { workerId: "w", controlEndpoint: { url }, params };
        return (await asking.call(START_WORKER, fnApi.StartWorkerRequest.create(request))).error;
      } finally {
        asking.close();
      }
    }

    it("gives workers to those who name its token", async () => {
      assert.equal(await ask({ token: TOKEN }, { token: TOKEN }), "");
      await isAlive();
      assert.deepEqual([...runner.workerIds], ["w"]);
    });

    it("refuses those who name none, or another", async () => {
      for (const params of [{}, { token: "" }, { token: `${TOKEN}x` }, { Token: TOKEN }]) {
        const refusal = await ask({ token: TOKEN }, params as Record<string, string>);
        assert.match(refusal, /does not name this worker pool's token: expected the same WORKER_POOL_TOKEN/);
        assert.doesNotMatch(refusal, /some length/);
        await guarded!.close();
      }
      assert.equal(runner.workerIds.size, 0);
    });

    it("without a token lets workers connect to this machine and to the hosts it names only", async () => {
      for (const url of [
        "10.1.2.3:4000",
        "evil.example:4000",
        "localhost.evil.example:1",
        "dns:///evil:1",
        "x",
      ]) {
        assert.match(await ask({}, {}, url), /do not connect to|is not an endpoint/, url);
        await guarded!.close();
      }
      assert.equal(await ask({ runnerHosts: ["flink-1.invalid"] }, {}, "Flink-1.invalid:1"), "");
      await guarded!.close();
      assert.match(
        await ask({ token: TOKEN, runnerHosts: ["a"] }, { token: TOKEN }, "b:1"),
        /do not connect/,
      );
    });

    it("does not connect to another host that the runner names later", async () => {
      runner.provision = provisionApi.ProvisionInfo.create({ controlEndpoint: { url: "evil.example:1" } });
      await start("w", "", runner.endpoint);
      await until("the warning", () => warnings.length > 0);
      assert.match(warnings.join(), /do not connect to evil\.example/);
    });

    it("listens where others could ask only with a token", async () => {
      for (const host of ["0.0.0.0", "::", "10.1.2.3"]) {
        await assert.rejects(startWorkerPool({ host }), /expected a loopback address .* or a token/);
      }
      guarded = await startWorkerPool({ host: "0.0.0.0", admission: { token: TOKEN } });
      await guarded.close();
      guarded = await startWorkerPool({ host: "::1" });
      assert.match(guarded.endpoint, /^\[::1\]:\d+$/);
    });
  });
});

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
