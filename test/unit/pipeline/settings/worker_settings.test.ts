import assert from "node:assert/strict";
import { SettingsError } from "../../../../pipeline/settings/read_settings.js";
import {
  checkOthers,
  readPoolAdmission,
  readWorkerSettings,
  workerEnvironment,
  workerOptions,
} from "../../../../pipeline/settings/worker_settings.js";

const SECRET = "Secr3t-of-the-pool";
const LOGIN = { KAFKA_SASL_USERNAME: "bob", KAFKA_SASL_PASSWORD: SECRET };
const POOL = { KAFKA_BOOTSTRAP: "kafka-a:9092,kafka-b:9092", ...LOGIN };
const JOB = {
  kafka_bootstrap: "kafka-a:9092",
  kafka_security_protocol: "SASL_SSL",
  kafka_sasl_mechanism: "PLAIN",
  kafka_sasl_username: "bob",
  mongodb_uri: "mongodb://db:27017",
};

function refusalsOf(options: object, environment: Readonly<Record<string, string>>): readonly string[] {
  try {
    readWorkerSettings(options as Record<string, unknown>, environment);
  } catch (error) {
    assert(error instanceof SettingsError);
    assert(!error.message.includes(SECRET), error.message);
    return error.problems;
  }
  return [];
}

describe("a worker's settings", () => {
  it("give a password of the environment to the brokers that are named there", () => {
    const settings = readWorkerSettings(JOB, POOL);
    assert.equal(settings.kafka_sasl_password, SECRET);
    assert.deepEqual(settings.kafka_bootstrap, ["kafka-a:9092"]);
    assert.deepEqual(refusalsOf({ ...JOB, kafka_bootstrap: "KAFKA-B:9092" }, POOL), []);
  });

  it("refuse any other broker, in one line that says what to set", () => {
    for (const kafka_bootstrap of ["evil:9092", "kafka-a:9093", "evil.kafka-a:9092"]) {
      const refusals = refusalsOf({ ...JOB, kafka_bootstrap }, POOL);
      assert.deepEqual(refusals, [
        `KAFKA_BOOTSTRAP (--kafka_bootstrap) is "${kafka_bootstrap}" in the job, but "kafka-a:9092,kafka-b:9092" in the worker's environment, where KAFKA_SASL_PASSWORD is: expected the same, because a secret is sent to no other servers`,
      ]);
    }
    assert.equal(refusalsOf({ ...JOB, kafka_bootstrap: "kafka-a:9092,evil:9092" }, POOL).length, 1);
    const [refusal, ...others] = refusalsOf({ ...JOB, kafka_bootstrap: "127.0.0.1:9092" }, LOGIN);
    assert.match(refusal!, /^KAFKA_BOOTSTRAP .* is not set in the worker's environment, where KAFKA_SASL_PA/);
    assert.deepEqual(others, []);
  });

  it("refuse another way to send it than the environment names", () => {
    const environment = {
      ...POOL,
      KAFKA_SECURITY_PROTOCOL: "SASL_SSL",
      KAFKA_SASL_MECHANISM: "SCRAM-SHA-256",
    };
    const refusals = refusalsOf({ ...JOB, kafka_security_protocol: "SASL_PLAINTEXT" }, environment);
    assert.match(refusals[0]!, /^KAFKA_SECURITY_PROTOCOL .* is "SASL_PLAINTEXT" in the job, but "SASL_SSL"/);
    assert.match(refusals[1]!, /^KAFKA_SASL_MECHANISM .* is "PLAIN" in the job, but "SCRAM-SHA-256"/);
  });

  it("let a job have any broker without a login, and one with a login of its own", () => {
    const plain = { ...JOB, kafka_bootstrap: "other:9092", kafka_security_protocol: "PLAINTEXT" };
    assert.deepEqual(refusalsOf(plain, POOL), []);
    const own = { ...JOB, kafka_bootstrap: "other:9092", kafka_sasl_password: "its own one" };
    assert.equal(readWorkerSettings(own, POOL).kafka_sasl_password, "its own one");
  });

  it("give a client's secret to the token endpoint that is named beside it, and its token to the brokers there", () => {
    const url = "https://issuer.example/oauth2";
    const environment = {
      KAFKA_BOOTSTRAP: "kafka-a:9092",
      KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET: SECRET,
      KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: url,
    };
    const job = { ...JOB, kafka_sasl_mechanism: "OAUTHBEARER", kafka_sasl_oauthbearer_client_id: "bob" };
    assert.deepEqual(refusalsOf(job, environment), []);
    const [elsewhere] = refusalsOf(
      { ...job, kafka_sasl_oauthbearer_token_endpoint_url: "https://evil.example/oauth2" },
      environment,
    );
    assert.match(
      elsewhere!,
      /^KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL .* is "https:\/\/evil.example\/oauth2" in/,
    );
    const [broker] = refusalsOf({ ...job, kafka_bootstrap: "evil:9092" }, environment);
    assert.match(broker!, /^KAFKA_BOOTSTRAP .* is "evil:9092" in the job/);
    const started = workerEnvironment(
      new Map([
        ["kafka_bootstrap", "kafka-a:9092"],
        ["kafka_sasl_oauthbearer_token_endpoint_url", url],
        ["kafka_sasl_oauthbearer_client_secret", SECRET],
      ]),
    );
    assert.deepEqual(started, environment);
  });

  it("want the password where the job's login needs one", () => {
    const [refusal] = refusalsOf(JOB, { KAFKA_BOOTSTRAP: "kafka-a:9092" });
    assert.match(refusal!, /^KAFKA_SASL_PASSWORD .* is not set: expected a password/);
  });

  it("take a MongoDB URI whole from one place", () => {
    const MONGODB_URI = `mongodb://bob:${SECRET}@db:27017`;
    const uriOf = (options: object) =>
      readWorkerSettings(options as Record<string, unknown>, { ...POOL, MONGODB_URI }).mongodb_uri;
    const { mongodb_uri: _, ...withoutUri } = JOB;
    assert.equal(uriOf(withoutUri), MONGODB_URI);
    assert.equal(uriOf({ ...JOB, mongodb_uri: "mongodb://evil:1" }), "mongodb://evil:1");
    assert.match(refusalsOf(withoutUri, POOL)[0]!, /^MONGODB_URI .* is not set in the worker's environment/);
    for (const query of [
      "authMechanism=MONGODB-OIDC&authMechanismProperties=ENVIRONMENT:azure,TOKEN_RESOURCE:x",
      "authMechanism=MONGODB-X509&tls=true&tlsCertificateKeyFile=/etc/key.pem",
    ]) {
      const [refusal] = refusalsOf({ ...JOB, mongodb_uri: `mongodb://evil:1/?${query}` }, POOL);
      assert.match(refusal ?? "", /^MONGODB_URI .* credentials of the worker's machine|^MONGODB_URI/, query);
    }
  });

  it("travel without secrets, which workers that are started here get with the servers they are for", () => {
    const texts = new Map(
      Object.entries({ ...JOB, kafka_sasl_password: SECRET, mongodb_uri: `mongodb://b:${SECRET}@db` }),
    );
    const options = workerOptions(texts);
    assert(!JSON.stringify(options).includes(SECRET));
    assert.equal(options.kafka_bootstrap, "kafka-a:9092");
    const environment = workerEnvironment(texts);
    assert.deepEqual(environment, {
      KAFKA_BOOTSTRAP: "kafka-a:9092",
      KAFKA_SASL_PASSWORD: SECRET,
      MONGODB_URI: `mongodb://b:${SECRET}@db`,
    });
    assert.equal(readWorkerSettings(options, environment).kafka_sasl_password, SECRET);
    assert.deepEqual(workerEnvironment(new Map(Object.entries(JOB))), {});
  });

  it("are the same for all workers of a process at a time", () => {
    const plain = { ...JOB, kafka_security_protocol: "PLAINTEXT" };
    const one = readWorkerSettings(plain, {});
    const other = readWorkerSettings({ ...plain, kafka_bootstrap: "evil:1" }, {});
    checkOthers(one, 0);
    checkOthers(one, 1);
    assert.throws(() => checkOthers(other, 1), /works for a job with other settings of Kafka or MongoDB/);
    checkOthers(other, 0);
  });

  it("give the credentials of a pool's machine to the brokers of its environment alone", () => {
    const job = { ...JOB, kafka_sasl_mechanism: "OAUTHBEARER", kafka_sasl_oauthbearer_method: "google" };
    assert.deepEqual(refusalsOf(job, { KAFKA_BOOTSTRAP: "kafka-a:9092" }), []);
    const [unnamed] = refusalsOf(job, {});
    assert.match(
      unnamed!,
      /^KAFKA_BOOTSTRAP .* is not set in the environment of the worker, whose own credentials/,
    );
    const [other] = refusalsOf({ ...job, kafka_bootstrap: "evil:1" }, { KAFKA_BOOTSTRAP: "kafka-a:9092" });
    assert.match(other!, /^KAFKA_BOOTSTRAP .* is "evil:1" in the job/);
    assert.equal(readWorkerSettings(job, {}, false).kafka_sasl_oauthbearer_method, "google");
  });

  it("give a schema registry's secrets to the one that is named beside them", () => {
    const job = {
      ...JOB,
      kafka_security_protocol: "PLAINTEXT",
      schema_registry_url: "http://registry-a:8081",
    };
    const pool = { SCHEMA_REGISTRY_URL: "http://registry-a:8081,http://registry-b:8081" };
    for (const secret of [
      { SCHEMA_REGISTRY_USERNAME: "bob", SCHEMA_REGISTRY_PASSWORD: SECRET },
      { SCHEMA_REGISTRY_BEARER_TOKEN: SECRET },
    ]) {
      assert.deepEqual(refusalsOf(job, { ...pool, ...secret }), []);
      const [other] = refusalsOf({ ...job, schema_registry_url: "http://evil:1" }, { ...pool, ...secret });
      assert.match(
        other!,
        /^SCHEMA_REGISTRY_URL .* is "http:\/\/evil:1" in the job, but "http:\/\/registry-a/,
      );
      const [unnamed] = refusalsOf(job, secret);
      assert.match(
        unnamed!,
        /^SCHEMA_REGISTRY_URL .* is not set in the worker's environment, where SCHEMA_REG/,
      );
    }
    const texts = new Map([
      ["schema_registry_url", "http://registry-a:8081"],
      ["schema_registry_username", "bob"],
      ["schema_registry_password", SECRET],
    ]);
    assert.deepEqual(workerOptions(texts), {
      schema_registry_url: "http://registry-a:8081",
      schema_registry_username: "bob",
    });
    assert.deepEqual(workerEnvironment(texts), {
      SCHEMA_REGISTRY_URL: "http://registry-a:8081",
      SCHEMA_REGISTRY_PASSWORD: SECRET,
    });
  });

  it("of a pool have a token long enough, or none", () => {
    assert.deepEqual(readPoolAdmission({ WORKER_POOL_RUNNERS: "Flink-1, 10.0.0.7" }), {
      token: undefined,
      runnerHosts: ["flink-1", "10.0.0.7"],
    });
    assert.throws(
      () => readPoolAdmission({ WORKER_POOL_TOKEN: "short" }),
      /WORKER_POOL_TOKEN .* 16 characters/,
    );
  });
});
