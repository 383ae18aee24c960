import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { misspeltVariables } from "../../../../pipeline/settings/misspelt.js";
import { checkTogether, RUN_SETTINGS } from "../../../../pipeline/settings/options.js";
import {
  readEnvFile,
  readSettings,
  SettingsError,
  type SettingsSources,
} from "../../../../pipeline/settings/read_settings.js";

const NOTHING: SettingsSources = { flags: {}, environment: {}, file: {} };

function read(sources: Partial<SettingsSources>) {
  return readSettings(RUN_SETTINGS, { ...NOTHING, ...sources }, checkTogether);
}

function problemsOf(sources: Partial<SettingsSources>): readonly string[] {
  try {
    read(sources);
  } catch (error) {
    assert(error instanceof SettingsError);
    return error.problems;
  }
  return [];
}

describe("settings", () => {
  it("have the defaults of the contract", () => {
    const { settings } = read({});
    assert.deepEqual(settings.kafka_bootstrap, ["127.0.0.1:9092"]);
    assert.equal(settings.kafka_order_topic, "stream_order_producer");
    assert.equal(settings.kafka_payment_topic, "stream_payment_producer");
    assert.equal(settings.state_timeout_minutes, 15 * 60_000);
    assert.equal(settings.max_out_of_orderness, 30_000);
    assert.equal(settings.mongodb_database, "spark_streaming");
    assert.equal(settings.mongodb_collection, "spark_streaming_stateful_writes");
    assert.equal(settings.kafka_start, "earliest");
    assert.equal(settings.drain, undefined);
    assert.equal(settings.bounded, false);
    assert.equal(settings.kafka_sasl_password, undefined);
  });

  it("are taken from the flag, then the environment, then the file, then the default", () => {
    const flags = { kafka_group_id: "flag" };
    const environment = { KAFKA_GROUP_ID: "environment" };
    const file = { KAFKA_GROUP_ID: "file" };
    const groupOf = (sources: Partial<SettingsSources>) => {
      const { settings, origins } = read(sources);
      return [settings.kafka_group_id, origins.get("kafka_group_id")];
    };
    assert.deepEqual(groupOf({ flags, environment, file }), ["flag", "flag"]);
    assert.deepEqual(groupOf({ environment, file }), ["environment", "environment"]);
    assert.deepEqual(groupOf({ file }), ["file", ".env"]);
    assert.deepEqual(groupOf({}), ["order-payment-stream", "default"]);
  });

  it("count an empty variable as not set, and let it hide the file's", () => {
    const { settings } = read({ environment: { KAFKA_GROUP_ID: "" }, file: { KAFKA_GROUP_ID: "file" } });
    assert.equal(settings.kafka_group_id, "order-payment-stream");
  });

  it("do not take flags without a variable from the environment", () => {
    assert.deepEqual(problemsOf({ environment: { ORDERS: "x.avro" } }), []);
    assert.equal(read({ environment: { ORDERS: "x.avro" } }).settings.orders, undefined);
    assert.equal(read({ flags: { orders: "x.avro" } }).settings.orders, "x.avro");
  });

  it("report all that is wrong at once, with the flag's and the variable's name, the value and what is expected", () => {
    const problems = problemsOf({
      flags: { state_timeout_minutes: "-1", drain: "never" },
      environment: { BUNDLE_SIZE: "0" },
      file: { KAFKA_BOOTSTRAP: "localhost" },
    });
    assert.deepEqual(problems, [
      'KAFKA_BOOTSTRAP (--kafka_bootstrap) is "localhost", from .env: expected host:port, or several separated by commas',
      'STATE_TIMEOUT_MINUTES (--state_timeout_minutes) is "-1": expected a number of minutes above 0, such as 15 or 0.5',
      'DRAIN (--drain) is "never": expected keep or expire',
      'BUNDLE_SIZE (--bundle_size) is "0": expected a whole number from 1 to 1000000',
    ]);
  });

  it("take the variables of the job that this program replaces as they stand", () => {
    const file = {
      KAFKA_BOOTSTRAP: "pkc-12345.europe-west1.gcp.confluent.cloud:9092",
      KAFKA_SASL_MECHANISM: "PLAIN",
      KAFKA_SECURITY_PROTOCOL: "SASL_SSL",
      KAFKA_SASL_USERNAME: "KEY",
      KAFKA_SASL_PASSWORD: "a secret",
      KAFKA_ORDER_TOPIC: "stream_order_producer",
      KAFKA_PAYMENT_TOPIC: "stream_payment_producer",
      MONGODB_URI: "mongodb+srv://user:word@cluster.example.net/spark_streaming",
      GCS_LOG_PATH: "gs://bucket/logging/",
      LOG_LEVEL: "INFO",
      STATE_TIMEOUT_MINUTES: "15",
    };
    assert.deepEqual(problemsOf({ file }), []);
    const spark = { SPARK_EXECUTOR_MEMORY: "4g", SPARK_MASTER: "local[*]", GCS_BUCKET: "b" };
    assert.deepEqual(misspeltVariables(Object.keys(RUN_SETTINGS), { ...file, ...spark }, {}).wrong, []);
  });

  it("want a user and a password for SASL", () => {
    const environment = { KAFKA_SECURITY_PROTOCOL: "SASL_SSL", KAFKA_SASL_USERNAME: "bob" };
    assert.deepEqual(problemsOf({ environment }), [
      "KAFKA_SASL_PASSWORD (--kafka_sasl_password) is not set: expected a password, because KAFKA_SECURITY_PROTOCOL is SASL_SSL",
    ]);
    assert.deepEqual(problemsOf({ environment: { ...environment, KAFKA_SASL_PASSWORD: "x" } }), []);
  });

  it("want a place for checkpoints that are restored, and state on disk for those that are written", () => {
    const [place, ...others] = problemsOf({ flags: { restore: "latest" } });
    assert.match(
      place!,
      /^GCS_CHECKPOINT_PATH \(--gcs_checkpoint_path\) is not set: .* because of --restore$/,
    );
    assert.deepEqual(others, []);
    const [wrong] = problemsOf({ flags: { restore: "yesterday" } });
    assert.match(wrong!, /^--restore is "yesterday": expected latest, or an id/);
  });

  it("want different names for what must differ", () => {
    const [problem, ...others] = problemsOf({
      environment: { KAFKA_PAYMENT_TOPIC: "stream_order_producer" },
    });
    assert.match(problem!, /^KAFKA_PAYMENT_TOPIC .* as is KAFKA_ORDER_TOPIC/);
    assert.deepEqual(others, []);
    assert.equal(problemsOf({ environment: { MONGODB_UNMATCHED_COLLECTION: "dead_letters" } }).length, 1);
  });

  const SECRET = "s3cr3t";
  const LEAKY = [
    { MONGODB_URI: `mongo://bob:${SECRET}@host/db` },
    { MONGODB_URI: `mongodb://bob:${SECRET}@host:99999/db` },
    { MONGODB_URI: `mongo://bob:p@ss/${SECRET}@host/db` },
    { MONGODB_URI: `bob:${SECRET}@host` },
    { MONGODB_URI: `mongodb://host:1/?tls=maybe&tlsCertificateKeyFilePassword=${SECRET}` },
    { MONGODB_URI: `mongodb:/bob:${SECRET}@host/db` },
    { KAFKA_BOOTSTRAP: `bob:${SECRET}@host:9092` },
    { SCHEMA_REGISTRY_URL: `http://bob:${SECRET}@host` },
    { KAFKA_SECURITY_PROTOCOL: "SASL_SSL", KAFKA_SASL_PASSWORD: SECRET },
  ];
  for (const environment of LEAKY) {
    it(`hide the secret in ${JSON.stringify(environment)}`, () => {
      const problems = problemsOf({ environment });
      assert.equal(problems.length, 1);
      assert(!problems[0]!.includes(SECRET), problems[0]);
    });
  }

  it("say what is wrong with an address of MongoDB, also where they hide it", () => {
    const [problem] = problemsOf({ environment: { MONGODB_URI: `mongodb://bob:p@ss/${SECRET}?x@host/db` } });
    assert.match(problem!, /is "mongodb:\/\/\*\*\*": expected mongodb:\/\/host:27017 .*percent-encoded: %2F/);
  });
});

describe("readEnvFile", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "env-file-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("reads the file and leaves the environment alone", () => {
    const path = join(folder, ".env");
    writeFileSync(path, "KAFKA_GROUP_ID=from_file # a remark\n#MONGODB_URI=x\n");
    assert.deepEqual(readEnvFile(path), { KAFKA_GROUP_ID: "from_file" });
    assert.notEqual(process.env.KAFKA_GROUP_ID, "from_file");
  });

  it("takes a missing file for an empty one, and reports one that cannot be read", () => {
    assert.deepEqual(readEnvFile(join(folder, "nothing")), {});
    assert.throws(() => readEnvFile(folder), SettingsError);
  });
});
