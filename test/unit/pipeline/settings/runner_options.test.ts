import assert from "node:assert/strict";
import { checkTogether, RUN_SETTINGS } from "../../../../pipeline/settings/options.js";
import { readSettings, SettingsError } from "../../../../pipeline/settings/read_settings.js";
import { workerEnvironment, workerOptions } from "../../../../pipeline/settings/worker_settings.js";

function problemsOf(flags: Record<string, string>): readonly string[] {
  try {
    readSettings(RUN_SETTINGS, { flags, environment: {}, file: {} }, checkTogether);
  } catch (error) {
    assert(error instanceof SettingsError);
    return error.problems;
  }
  return [];
}

describe("the settings of other runners", () => {
  it("are taken where they make sense", () => {
    for (const flags of [
      { runner: "prism" },
      { runner: "prism", job_endpoint: "localhost:8073", environment_type: "LOOPBACK" },
      { runner: "flink", checkpointing_interval: "1000", parallelism: "2", flink_master: "[local]" },
      { runner: "flink", environment_type: "PROCESS", environment_config: '{"command": "/bin/worker"}' },
      { runner: "portable", job_endpoint: "[::1]:8073", drain: "expire" },
      {
        runner: "portable",
        job_endpoint: "a:1",
        environment_type: "EXTERNAL",
        environment_config: "b:50000",
      },
      { runner: "portable", job_endpoint: "a:1", environment_type: "DOCKER", environment_config: "image:1" },
      { runner: "direct", job_name: "of the build server" },
    ] as Record<string, string>[]) {
      assert.deepEqual(problemsOf(flags), [], JSON.stringify(flags));
    }
  });

  it("are refused where they make none, each by its name", () => {
    const cases: [Record<string, string>, RegExp][] = [
      [{ runner: "spark" }, /^RUNNER .* expected direct, prism, flink, portable or dataflow$/],
      [{ runner: "portable" }, /^JOB_ENDPOINT .* is not set: expected host:port/],
      [{ runner: "prism", job_endpoint: "http://a" }, /^JOB_ENDPOINT .* expected host:port$/],
      [{ job_endpoint: "a:1" }, /^JOB_ENDPOINT .* RUNNER is direct/],
      [{ parallelism: "2" }, /^PARALLELISM .* RUNNER is direct/],
      [{ runner: "prism", checkpointing_interval: "1000" }, /^CHECKPOINTING_INTERVAL .* expected flink$/],
      [{ runner: "flink", checkpointing_interval: "1s" }, /^CHECKPOINTING_INTERVAL .* a whole number of ms/],
      [
        { runner: "flink", job_endpoint: "a:1", flink_master: "b:1" },
        /^FLINK_MASTER .* already has its Flink/,
      ],
      [{ runner: "prism", state_dir: "/d" }, /^STATE_DIR .* keeps state in its own way: expected direct$/],
      [{ runner: "flink", drain: "expire" }, /^DRAIN .* flink cannot drain a job: expected keep$/],
      [{ runner: "prism", environment_type: "EXTERNAL" }, /^ENVIRONMENT_CONFIG .* a worker pool/],
      [{ runner: "prism", environment_type: "DOCKER" }, /^ENVIRONMENT_CONFIG .* a container image/],
      [{ runner: "prism", environment_config: "x" }, /^ENVIRONMENT_CONFIG .* LOOPBACK, which has nothing/],
      [
        { runner: "prism", environment_type: "EXTERNAL", environment_config: "nowhere" },
        /^ENVIRONMENT_CONFIG .* is "nowhere": expected host:port/,
      ],
    ];
    for (const [flags, message] of cases) {
      const problems = problemsOf(flags);
      assert.equal(problems.length, 1, `${JSON.stringify(flags)}: ${problems.join("; ")}`);
      assert.match(problems[0]!, message);
    }
  });
});

describe("what a worker is told", () => {
  it("is where Kafka and MongoDB are, but no password", () => {
    const texts = new Map([
      ["kafka_bootstrap", "a:1,b:2"],
      ["kafka_sasl_password", "pw"],
      ["mongodb_uri", "mongodb://bob:pw@host/"],
      ["mongodb_database", "not the worker's to know"],
      ["log_level", "warn"],
    ]);
    assert.deepEqual(workerOptions(texts), { kafka_bootstrap: "a:1,b:2", log_level: "warn" });
    assert.deepEqual(workerEnvironment(texts), {
      KAFKA_BOOTSTRAP: "a:1,b:2",
      KAFKA_SASL_PASSWORD: "pw",
      MONGODB_URI: "mongodb://bob:pw@host/",
    });
  });
});
