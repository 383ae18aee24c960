/**
 * One real broker with listeners for each way to log in: with TLS and without, by credentials that are right, wrong and
 * expired, in sessions of five seconds. KAFKA_LOGIN_SECONDS says how long sessions are followed; by default it is short.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectKafka } from "../../connectors/kafka/client/connect_kafka.js";
import type { KafkaClient } from "../../connectors/kafka/client/kafka_client.js";
import { explain } from "../../pipeline/commands/command.js";
import { connectBriefly } from "../../pipeline/commands/preflight.js";
import { producerOptions } from "../../pipeline/commands/produce.js";
import { kafkaConfig } from "../../pipeline/connections.js";
import { loginProblems } from "../../pipeline/settings/kafka_login.js";
import { KAFKA_SETTINGS } from "../../pipeline/settings/options.js";
import { readSettings } from "../../pipeline/settings/read_settings.js";
import { produce } from "../../producers/producer.js";
import { freePort } from "../../services/discovery.js";
import { type KafkaListener, type LocalServer, startKafka } from "../../services/index.js";
import { Collector } from "../connector/kafka_client_suite.js";
import { type Certificate, CertificateAuthority, encryptKey } from "../fixtures/certificates.js";
import { CommandLine } from "../fixtures/command_line.js";
import { KafkaPeer } from "../fixtures/kafka_peer.js";
import { OidcIssuer } from "../fixtures/oidc_issuer.js";
import { mongodbFixture, startOrSkip } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";

const PASSWORD = "Secr3t of bob";
const SESSION_MS = 5_000;
const FOLLOWED_MS = Number(process.env.KAFKA_LOGIN_SECONDS || 13) * 1_000;
const REFUSED_WITHIN_MS = 5_000;
const log = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };
const clock = {
  now: () => Date.now(),
  wait: (ms: number) => new Promise<void>((end) => setTimeout(end, ms)),
};

type Environment = Readonly<Record<string, string>>;

function settingsOf(environment: Environment) {
  return readSettings(KAFKA_SETTINGS, { flags: {}, environment, file: {} }, loginProblems).settings;
}

describe("logins at a real broker", function () {
  this.timeout(120_000);
  let folder: string;
  let kafka: LocalServer | undefined;
  let peer: KafkaPeer;
  let topic: string;
  const ports = new Map<string, number>();
  let authority: CertificateAuthority;
  let stranger: CertificateAuthority;
  let bob: Certificate;
  let issuer: OidcIssuer;

  before(async function () {
    folder = mkdtempSync(join(tmpdir(), "kafka-logins-"));
    authority = new CertificateAuthority(folder, "authority");
    stranger = new CertificateAuthority(folder, "stranger");
    bob = authority.issue("bob");
    issuer = await OidcIssuer.start("bob", PASSWORD);
    const broker = authority.issue("broker", { alternativeNames: "IP:127.0.0.1,DNS:localhost" });
    const elsewhere = authority.issue("elsewhere", { alternativeNames: "DNS:kafka.example" });
    const expired = authority.issue("expired", { alternativeNames: "IP:127.0.0.1", days: -1 });
    const listener = async (
      name: string,
      protocol: KafkaListener["protocol"],
      properties: KafkaListener["properties"],
    ): Promise<KafkaListener> => {
      const port = await freePort();
      ports.set(name, port);
      return { name, protocol, port, properties };
    };
    const store = ({ storeFile }: Certificate) => ({
      "ssl.keystore.type": "PEM",
      "ssl.keystore.location": storeFile,
    });
    const scram = "scram.ScramLoginModule required";
    const modules = {
      PLAIN: `plain.PlainLoginModule required user_bob="${PASSWORD}"`,
      "SCRAM-SHA-256": scram,
      "SCRAM-SHA-512": scram,
      OAUTHBEARER: "oauthbearer.OAuthBearerLoginModule required",
    };
    const sasl = (...mechanisms: (keyof typeof modules)[]) => ({
      "sasl.enabled.mechanisms": mechanisms.join(","),
      "oauthbearer.sasl.server.callback.handler.class":
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler",
      ...Object.fromEntries(
        mechanisms.flatMap((mechanism) => [
          [
            `${mechanism.toLowerCase()}.sasl.jaas.config`,
            `org.apache.kafka.common.security.${modules[mechanism]};`,
          ],
          [`${mechanism.toLowerCase()}.connections.max.reauth.ms`, String(SESSION_MS)],
        ]),
      ),
    });
    const all = sasl("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER");
    const listeners = [
      await listener("MTLS", "SSL", { ...store(broker), "ssl.client.auth": "required" }),
      await listener("ELSEWHERE", "SSL", store(elsewhere)),
      await listener("EXPIRED", "SSL", store(expired)),
      await listener("PLAIN", "SASL_SSL", { ...store(broker), ...sasl("PLAIN") }),
      await listener("SASL_SSL", "SASL_SSL", { ...store(broker), ...all }),
      await listener("SASL_PLAINTEXT", "SASL_PLAINTEXT", all),
    ];
    const scramUsersAtFormat = ["SCRAM-SHA-256", "SCRAM-SHA-512"].map(
      (mechanism) => `${mechanism}=[name=bob,password="${PASSWORD}"]`,
    );
    const properties = {
      "ssl.truststore.type": "PEM",
      "ssl.truststore.location": authority.certFile,
      "sasl.oauthbearer.jwks.endpoint.url": issuer.keysUrl,
      "sasl.oauthbearer.expected.audience": "kafka",
      "sasl.oauthbearer.expected.issuer": issuer.url,
    };
    const javaProperties = { "org.apache.kafka.sasl.oauthbearer.allowed.urls": issuer.keysUrl };
    const dataDir = join(folder, "kafka");
    const options = {
      javaProperties,
      dataDir,
      listeners,
      properties,
      scramUsers: scramUsersAtFormat,
      log: console.error,
    };
    kafka = await startOrSkip(this, () => startKafka(options));
    peer = await KafkaPeer.open(kafka.address);
    topic = await peer.createTopic("login", 1);
    await peer.send(topic, [{ partition: 0, key: "k", value: "v" }]);
  });

  after(async () => {
    await peer?.close();
    await kafka?.stop();
    issuer?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const at = (name: string, environment: Environment): Environment => ({
    KAFKA_BOOTSTRAP: `127.0.0.1:${ports.get(name)}`,
    KAFKA_SSL_CA_FILE: authority.certFile,
    KAFKA_ORDER_TOPIC: "orders_of_every_login",
    ...environment,
  });

  const connect = (environment: Environment): Promise<KafkaClient> =>
    connectBriefly(settingsOf(environment), log as never);

  /** What was sent by `produce` is read by the client that `run` has. */
  async function assertWorks(environment: Environment): Promise<void> {
    const client = await connect(environment);
    try {
      const reading = new Collector(clock, client, topic, 0);
      await reading.count(1);
      assert.deepEqual(reading.values, ["v"]);
      reading.subscription.close();
    } finally {
      await client.close();
    }
    const options = producerOptions(settingsOf(environment));
    const { acknowledged } = await produce({ ...options, which: "orders", seed: 1, count: 3, rate: 0 });
    assert(acknowledged >= 3);
  }

  async function assertRefused(environment: Environment, expected: RegExp): Promise<void> {
    const begin = performance.now();
    await assert.rejects(
      connect(environment).then((client) => client.close()),
      (error: Error) => {
        // As a command prints it.
        const said = explain(error);
        assert.match(said, expected);
        assert.doesNotMatch(said, /\n|OpenSSL|SSL routines/i);
        assert(!said.includes(PASSWORD), said);
        return true;
      },
    );
    assert(performance.now() - begin < REFUSED_WITHIN_MS);
  }

  /** Through several sessions, with nothing that fails on the way. */
  async function assertGoesOn(environment: Environment): Promise<void> {
    const records = await peer.createTopic("sessions", 1);
    const warnings: unknown[] = [];
    const remember = (...said: unknown[]) => void warnings.push(said);
    const client = await connectKafka({
      ...kafkaConfig(settingsOf(environment), { ...log, debug: remember, warn: remember }),
      limits: { retryMaxMs: 1_000, requestRetryMaxMs: 1_000 },
    });
    try {
      const reading = new Collector(clock, client, records, 0);
      const endMs = performance.now() + FOLLOWED_MS;
      let sent = 0;
      while (performance.now() < endMs) {
        await peer.send(records, [{ partition: 0, key: "k", value: String(sent++) }]);
        await clock.wait(200);
      }
      // The connection for other requests than fetches was not used in the meantime: its session is long over.
      assert.deepEqual(await client.partitions(records), [0]);
      await reading.count(sent);
      reading.assertInOrder();
      assert.equal(reading.subscription.error, undefined);
      assert.deepEqual(warnings, []);
    } finally {
      await client.close();
    }
  }

  const PROTOCOLS = ["SASL_SSL", "SASL_PLAINTEXT"] as const;
  const BY_PASSWORD = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const;

  const byPassword = (protocol: string, mechanism: string, more: Environment = {}) =>
    at(protocol, {
      KAFKA_SECURITY_PROTOCOL: protocol,
      KAFKA_SASL_MECHANISM: mechanism,
      KAFKA_SASL_USERNAME: "bob",
      KAFKA_SASL_PASSWORD: PASSWORD,
      ...more,
    });

  const byToken = (protocol: string, more: Environment = {}) =>
    at(protocol, {
      KAFKA_SECURITY_PROTOCOL: protocol,
      KAFKA_SASL_MECHANISM: "OAUTHBEARER",
      KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: issuer.tokenUrl,
      KAFKA_SASL_OAUTHBEARER_CLIENT_ID: "bob",
      KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET: PASSWORD,
      ...more,
    });

  afterEach(() => {
    issuer.lifeSeconds = 3_600;
    issuer.audience = "kafka";
  });

  for (const protocol of PROTOCOLS) {
    describe(`by ${protocol}`, () => {
      for (const mechanism of BY_PASSWORD) {
        it(`reads and writes by ${mechanism}; a wrong one is refused`, async () => {
          await assertWorks(byPassword(protocol, mechanism));
          await assertRefused(
            byPassword(protocol, mechanism, { KAFKA_SASL_PASSWORD: "wrong" }),
            /refused the login: SASL .* authentication failed/,
          );
        });
      }

      it("reads and writes by OAUTHBEARER", () =>
        assertWorks(byToken(protocol, { KAFKA_SASL_OAUTHBEARER_SCOPE: "kafka" })));

      it("is refused by the issuer, or by the broker, with a token that is another's or has expired", async () => {
        await assertRefused(
          byToken(protocol, { KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET: "wrong" }),
          /token endpoint .* refuses to give a token for Kafka: status 401, invalid_client/,
        );
        issuer.audience = "another";
        await assertRefused(byToken(protocol), /refused the login: .*token/);
        issuer.audience = "kafka";
        issuer.lifeSeconds = -100;
        await assertRefused(byToken(protocol), /refused the login: .*token/);
      });
    });
  }

  it("says which mechanism the broker does not have", () =>
    assertRefused(
      { ...byPassword("SASL_SSL", "SCRAM-SHA-256"), KAFKA_BOOTSTRAP: `127.0.0.1:${ports.get("PLAIN")}` },
      /refused the login.*(?:not supported|mechanism)/,
    ));

  it("goes on beyond the end of sessions and tokens, in each of these ways at once", async function () {
    this.timeout(FOLLOWED_MS + 60_000);
    issuer.lifeSeconds = 6;
    const before = issuer.tokens;
    await Promise.all(
      PROTOCOLS.flatMap((protocol) => [
        ...BY_PASSWORD.map((mechanism) => assertGoesOn(byPassword(protocol, mechanism))),
        assertGoesOn(byToken(protocol)),
      ]),
    );
    assert(issuer.tokens >= before + 6);
  });

  describe("by client certificate", () => {
    const tls = ({ certFile, keyFile }: Certificate, listener = "MTLS") =>
      at(listener, {
        KAFKA_SECURITY_PROTOCOL: "SSL",
        KAFKA_SSL_CERT_FILE: certFile,
        KAFKA_SSL_KEY_FILE: keyFile,
      });

    it("reads and writes", () => assertWorks(tls(bob)));

    it("reads and writes with an encrypted key", () => {
      const keyFile = encryptKey(bob.keyFile, PASSWORD);
      return assertWorks({ ...tls({ ...bob, keyFile }), KAFKA_SSL_KEY_PASSWORD: PASSWORD });
    });

    it("says that the broker wants one, or another", async () => {
      const without = at("MTLS", { KAFKA_SECURITY_PROTOCOL: "SSL" });
      await assertRefused(without, /the broker requires a client certificate/);
      await assertRefused(tls(stranger.issue("eve")), /the broker requires a client certificate/);
    });

    it("is refused before anything starts when its own has expired", () => {
      const expired = tls(authority.issue("late", { days: -1 }));
      assert.throws(
        () => settingsOf(expired),
        /KAFKA_SSL_CERT_FILE .*the certificate in the file has expired on/,
      );
    });

    it("says why the broker's is not taken", async () => {
      await assertRefused(tls(bob, "ELSEWHERE"), /127\.0\.0\.1.*the broker's certificate is for other names/);
      await assertRefused(tls(bob, "EXPIRED"), /certificate has expired.*is not valid now/);
      const other = { ...tls(bob), KAFKA_SSL_CA_FILE: stranger.certFile };
      await assertRefused(other, /by an authority that is not trusted here/);
    });
  });

  describe("by an .env as for Confluent Cloud", () => {
    const mongodb = mongodbFixture();

    it("reads JSON of times without an offset and whole amounts, and writes the documents", async () => {
      const database = await TestDatabase.open(mongodb.uri());
      const [orders, payments] = ["stream_order_producer", "stream_payment_producer"];
      const topics = [orders, payments].map((each) => ({ topic: each, numPartitions: 6 }));
      await peer.admin.createTopics({ topics, waitForLeaders: true });
      const at = (time: string) => `2026-01-31T${time}`;
      const order = {
        order_date: at("11:59:58.5"),
        created_at: at("12:00:00.123456"),
        customer_id: "customer-7",
      };
      const send = (to: string, key: string, value: object) =>
        peer.send(to, [{ key, value: JSON.stringify(value) }]);
      await send(orders, "o1", { order_id: "o1", ...order, amount: 350 });
      await send(orders, "o2", { order_id: "o2", ...order, amount: 20 });
      const payment = {
        payment_id: "p1",
        order_id: "o1",
        payment_date: at("12:04:00"),
        created_at: at("12:04:01"),
      };
      await send(payments, "o1", { ...payment, amount: 350 });

      const cloud = mkdtempSync(join(folder, "cloud-"));
      const lines = [
        `KAFKA_BOOTSTRAP=127.0.0.1:${ports.get("PLAIN")}`,
        "KAFKA_SECURITY_PROTOCOL=SASL_SSL",
        "KAFKA_SASL_MECHANISM=PLAIN",
        "KAFKA_SASL_USERNAME=bob",
        `KAFKA_SASL_PASSWORD="${PASSWORD}"`,
        // Not needed for a certificate of a public authority.
        `KAFKA_SSL_CA_FILE=${authority.certFile}`,
        `MONGODB_URI=${mongodb.uri()}`,
        `MONGODB_DATABASE=${database.name}`,
        "MONGODB_COLLECTION=spark_streaming_stateful_writes",
        "GCS_LOG_PATH=gs://logs/stream",
        `LOG_DIR=${join(cloud, "logs")}`,
        // Nobody is there: the log stays on this machine, and the run does not mind.
        "STORAGE_EMULATOR_HOST=http://127.0.0.1:9",
        "LOG_LEVEL=info",
      ];
      writeFileSync(join(cloud, ".env"), lines.join("\n"));
      const run = new CommandLine(["run", "--bounded", "--summary=json"], {}, cloud);
      const summary = await run.summary();
      assert.deepEqual([summary.orders, summary.payments, summary.joined, summary.unmatched], [2, 1, 1, 1]);
      assert.notEqual(readdirSync(join(cloud, "logs")).length, 0);
      assert(!run.stderr.includes(PASSWORD));
      const [joined] = await database.joined.find({}, { projection: { _id: 0 } }).toArray();
      assert.deepEqual(joined, {
        order_id: "o1",
        order_date: new Date("2026-01-31T11:59:58.500Z"),
        created_at: new Date("2026-01-31T12:00:00.123Z"),
        customer_id: "customer-7",
        order_amount: 350,
        payment_id: "p1",
        payment_date: new Date("2026-01-31T12:04:00Z"),
        payment_amount: 350,
      });
      const [unmatched] = await database.unmatched.find().toArray();
      assert.deepEqual([unmatched?.order_id, unmatched?.reason], ["o2", "UNPAID"]);
      await database.close();
    });
  });
});
