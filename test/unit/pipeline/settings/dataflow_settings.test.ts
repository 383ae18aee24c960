/** The settings of jobs on Dataflow: values, what is missing, and that no secret goes with a job. */
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { REFERABLE } from "../../../../pipeline/settings/dataflow_settings.js";
import { checkTogether, RUN_SETTINGS } from "../../../../pipeline/settings/options.js";
import { readSettings, SettingsError } from "../../../../pipeline/settings/read_settings.js";
import { resolveSecrets, secretReference } from "../../../../pipeline/settings/secret_references.js";
import type { Setting } from "../../../../pipeline/settings/setting.js";
import {
  readWorkerSettings,
  WORKER_SETTINGS,
  workerOptions,
} from "../../../../pipeline/settings/worker_settings.js";

const REFERENCE = "projects/p/secrets/kafka/versions/latest";
const JOB = {
  runner: "dataflow",
  project: "my-project",
  region: "us-central1",
  temp_location: "gs://bucket/tmp/",
  sdk_container_image: "image:1",
};

const read = (flags: Record<string, string>) =>
  readSettings(RUN_SETTINGS, { flags, environment: {}, file: {} }, checkTogether);

function problems(flags: Record<string, string>): string {
  try {
    read(flags);
  } catch (error) {
    assert.ok(error instanceof SettingsError);
    return error.problems.join("\n");
  }
  return "";
}

describe("the settings of jobs on Dataflow", () => {
  it("have Beam's forms", () => {
    const { settings } = read({
      ...JOB,
      runner: "DataflowRunner",
      labels: "team=orders,env=prod",
      experiments: "a,b=1",
      dataflow_service_options: "x=y",
      autoscaling_algorithm: "throughput_based",
      update: "true",
      transform_name_mapping: '{"A":"B"}',
    });
    assert.equal(settings.runner, "dataflow");
    assert.equal(settings.temp_location, "gs://bucket/tmp");
    assert.deepEqual(settings.labels, { team: "orders", env: "prod" });
    assert.deepEqual(settings.experiments, ["a", "b=1"]);
    assert.deepEqual(settings.transform_name_mapping, { A: "B" });
    assert.equal(settings.autoscaling_algorithm, "THROUGHPUT_BASED");
    assert.deepEqual(read({ ...JOB, labels: '{"team": "orders"}' }).settings.labels, { team: "orders" });
  });

  it("are refused where they are wrong or missing, each by its name", () => {
    const { project: _, ...withoutProject } = JOB;
    assert.match(
      problems(withoutProject),
      /^PROJECT .* is not set: expected a project id .*because RUNNER is dataflow/,
    );
    for (const [name, value] of [
      ["project", "X"],
      ["region", "moon"],
      ["temp_location", "/tmp"],
      ["labels", "UPPER=x"],
      ["experiments", "a b"],
      ["transform_name_mapping", "[1]"],
      ["service_account_email", "nobody"],
      ["job_name", "Not_A_Name"],
      ["num_workers", "0"],
    ] as const) {
      assert.match(problems({ ...JOB, [name]: value }), new RegExp(`--${name}\\)? is ".*expected`), name);
    }
    assert.match(problems({ ...JOB, num_workers: "5", max_num_workers: "2" }), /no more than that/);
    assert.match(problems({ ...JOB, machine_type: "a", worker_machine_type: "b" }), /one of the two/);
    assert.match(problems({ ...JOB, transform_name_mapping: "{}" }), /--update is not/);
    assert.match(problems({ ...JOB, job_endpoint: "a:1" }), /RUNNER is dataflow/);
    assert.match(problems({ ...JOB, state_dir: "x" }), /keeps state in its own way/);
    assert.match(problems({ ...JOB, drain: "keep" }), /keeps no state behind a job/);
    assert.match(problems({ dry_run: "true" }), /--dry_run is set, but RUNNER is direct: expected dataflow/);
    // They may stand in an environment for the next submission.
    assert.equal(problems({ project: "my-project", region: "us-central1" }), "");
  });

  it("take references to secrets, and no secret itself", () => {
    const login = { kafka_security_protocol: "SASL_SSL", kafka_sasl_username: "me" };
    const refused = problems({ ...JOB, ...login, kafka_sasl_password: "hunter2hunter2" });
    assert.match(
      refused,
      /^KAFKA_SASL_PASSWORD .* is the secret itself: expected a reference .*versions\/latest/,
    );
    assert.ok(!refused.includes("hunter2"));
    assert.match(
      problems({ ...JOB, mongodb_uri: "mongodb://u:p4ssword@h" }),
      /MONGODB_URI .* may hold a password/,
    );
    assert.match(problems({ ...JOB, kafka_ssl_ca_file: "package.json" }), /holds no certificate/);
    assert.match(problems({ kafka_sasl_password: REFERENCE }), /workers on Dataflow alone resolve/);
    const { texts } = read({ ...JOB, ...login, kafka_sasl_password: REFERENCE, mongodb_uri: REFERENCE });
    const sent = workerOptions(texts);
    assert.equal(sent.kafka_sasl_password, REFERENCE);
    assert.equal(sent.mongodb_uri, REFERENCE);
  });
});

describe("references to secrets", () => {
  it("may stand for every secret and every file that a worker is told of", () => {
    for (const [name, setting] of Object.entries<Setting>(WORKER_SETTINGS)) {
      const isNeeded = setting.isSecret === true || name.endsWith("_file");
      if (!isNeeded || name === "storage_emulator_host") continue;
      assert.ok(REFERABLE.includes(name), name);
      assert.equal(setting.mayRefer, true, name);
    }
  });

  it("are names of versions", () => {
    for (const name of [
      REFERENCE,
      "projects/1/secrets/a-b_c/versions/12",
      "projects/p/locations/europe-west1/secrets/s/versions/3",
    ])
      assert.match(name, secretReference);
    for (const name of [
      "projects/p/secrets/s",
      "xprojects/p/secrets/s/versions/1",
      "projects/p/secrets/s/versions/1\n",
      "s",
    ])
      assert.doesNotMatch(name, secretReference);
  });

  it("become values, and files that only this user can read", async () => {
    const secrets: Record<string, string> = {
      "projects/p/secrets/a/versions/1": "password-of-kafka",
      "projects/p/secrets/b/versions/1": "PEM",
    };
    const resolved = await resolveSecrets(
      {
        kafka_sasl_password: "projects/p/secrets/a/versions/1",
        kafka_ssl_ca_file: "projects/p/secrets/b/versions/1",
        other: REFERENCE,
      },
      ["kafka_sasl_password", "kafka_ssl_ca_file"],
      async (name) => secrets[name]!,
    );
    assert.equal(resolved.kafka_sasl_password, "password-of-kafka");
    const file = resolved.kafka_ssl_ca_file as string;
    assert.equal(readFileSync(file, "utf8"), "PEM\n");
    assert.equal(statSync(file).mode & 0o077, 0);
    assert.equal(resolved.other, REFERENCE);
  });

  it("are refused by a worker that does not resolve them", () => {
    assert.throws(
      () =>
        readWorkerSettings(
          {
            kafka_bootstrap: "b:1",
            mongodb_uri: "mongodb://h",
            kafka_security_protocol: "SASL_SSL",
            kafka_sasl_username: "u",
            kafka_sasl_password: REFERENCE,
          },
          {},
        ),
      /KAFKA_SASL_PASSWORD .* is a reference to Secret Manager: expected the value itself/,
    );
  });
});
