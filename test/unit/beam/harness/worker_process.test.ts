import assert from "node:assert/strict";
import { optionsByName } from "../../../../beam/harness/pipeline_options.js";
import { readWorkerFlags } from "../../../../beam/harness/worker_process.js";

describe("a worker's flags", () => {
  it("may be quoted as for a shell, and followed by others", () => {
    const flags = readWorkerFlags([
      "--id='job[1]_env'",
      "--provision_endpoint=localhost:1",
      "--semi_persist_dir",
      "/var/worker",
      "--unknown=x",
    ]);
    assert.equal(flags.id, "job[1]_env");
    assert.equal(flags.provisionEndpoint, "localhost:1");
    assert.equal(flags.semiPersistDir, "/var/worker");
    assert.equal(flags.workerPool, undefined);
  });

  it("name the worker and where it learns the rest", () => {
    assert.throws(() => readWorkerFlags(["--provision_endpoint=a:1"]), /needs --id/);
    assert.throws(() => readWorkerFlags(["--id=a"]), /needs --provision_endpoint/);
    assert.equal(readWorkerFlags(["--id=a", "--control_endpoint=b:1"]).controlEndpoint, "b:1");
  });

  it("ask for a pool, with or without its address", () => {
    assert.equal(readWorkerFlags(["--worker_pool"]).workerPool, "127.0.0.1:50000");
    assert.equal(readWorkerFlags(["--worker_pool=127.0.0.1:7"]).workerPool, "127.0.0.1:7");
  });
});

describe("pipeline options", () => {
  it("have plain names in whatever shape they come", () => {
    assert.deepEqual(optionsByName({ "beam:option:a_b:v1": 1, c: true }), { a_b: 1, c: true });
    assert.deepEqual(optionsByName({ options: { a: 1, b: 2 }, a: 3, display_data: [] }), {
      a: 3,
      b: 2,
      display_data: [],
    });
    assert.deepEqual(optionsByName({ "beam:option:go_options:v1": { options: { a: "x" } } }), { a: "x" });
    assert.deepEqual(optionsByName(null), {});
  });
});
