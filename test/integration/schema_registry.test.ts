/** Records of Confluent's own serializers, through a registry that answers as Confluent's and through Apicurio's. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import avsc from "avsc";
import { systemClock } from "../../beam/platform/clock.js";
import { Health } from "../../beam/platform/health.js";
import { registerSchemaRegistry } from "../../connectors/kafka/schema_registry/schema_registries.js";
import { SCHEMA_REGISTRY } from "../../pipeline/graph.js";
import { encodeConfluent } from "../../schemas/encode.js";
import type { Order } from "../../schemas/events.js";
import { fingerprintOf } from "../../schemas/fingerprint.js";
import { findConfluentPython, type LocalServer, servicesHome, startApicurio } from "../../services/index.js";
import { javaCommand, resolveJars } from "../../services/maven.js";
import { CertificateAuthority } from "../fixtures/certificates.js";
import { CommandLine, environmentOf } from "../fixtures/command_line.js";
import { ConfluentRegistry } from "../fixtures/confluent_registry.js";
import { anOrder, aPayment, EventTopics } from "../fixtures/event_topics.js";
import { EVOLUTIONS } from "../fixtures/evolved_schemas.js";
import { kafkaFixture, mongodbFixture, startOrSkip } from "../fixtures/services.js";
import { skipBecause } from "../fixtures/skip.js";
import { balancedFigures, startRun, TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

const BASE_MS = Date.parse("2026-01-01T00:00:00Z");
const PRODUCER = fileURLToPath(new URL("../fixtures/confluent_producer.py", import.meta.url));
const APICURIO_SERDE = fileURLToPath(new URL("../fixtures/apicurio_serde", import.meta.url));
const runProgram = promisify(execFile);
const OWN_SCHEMA = (kind: "order" | "payment") =>
  readFileSync(new URL(`../../schemas/${kind}.avsc`, import.meta.url), "utf8");

const OTHER_SCHEMA = {
  type: "record",
  name: "Bought",
  namespace: "com.acme",
  fields: [
    { name: "created_at", type: { type: "long", logicalType: "timestamp-micros" } },
    { name: "order_date", type: { type: "long", logicalType: "timestamp-micros" } },
    { name: "order_id", type: "string" },
    { name: "customer_id", type: ["null", "string"] },
    { name: "amount", type: "int" },
  ],
};

/** Single-object encoding. */
function otherWritersOrder(createdAtMs: number): Buffer {
  const type = avsc.Type.forSchema(OTHER_SCHEMA as never);
  const header = Buffer.from([0xc3, 0x01, 0, 0, 0, 0, 0, 0, 0, 0]);
  header.writeBigUInt64LE(fingerprintOf(type), 2);
  const micros = createdAtMs * 1_000;
  const order = { order_id: "other", order_date: micros, created_at: micros, customer_id: "c", amount: 1 };
  return Buffer.concat([header, type.toBuffer(order)]);
}

describe("schemas of a registry", function () {
  this.timeout(60_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let topics: EventTopics;
  let database: TestDatabase;
  let registry: ConfluentRegistry;
  let health: Health;

  beforeEach(async () => {
    [topics, database, registry] = await Promise.all([
      EventTopics.create(kafka.bootstrap()),
      TestDatabase.open(mongodb.uri()),
      ConfluentRegistry.start(),
    ]);
    health = new Health(systemClock);
  });

  afterEach(async () => {
    await Promise.all([topics?.close(), database?.close(), registry?.close()]);
  });

  function start(url: string, retryMaxMs = 60_000) {
    registerSchemaRegistry(SCHEMA_REGISTRY, { urls: [url], health, retryMaxMs });
    return startRun(kafka.bootstrap(), topics, database, {
      isBounded: true,
      timeoutMs: 60_000,
      usesSchemaRegistry: true,
    });
  }

  async function deadLetters(): Promise<string[]> {
    return (await database.deadLetters.find().toArray()).map(({ message }) => String(message));
  }

  const orderOf = (i: number): Order =>
    anOrder(`o-${i}`, BASE_MS + i, { customer_id: `customer ${i}`, amount: i });

  /** An order of each evolution, and its payment in our own schema. */
  async function produceEvolutions(python: string, url: string, form: "prefix" | "header"): Promise<void> {
    const batches = EVOLUTIONS.map(({ schema, references = [], write }, i) => ({
      topic: topics.orders,
      schema,
      references,
      form,
      records: [{ key: `o-${i}`, value: write(orderOf(i)) }],
    }));
    const payments = EVOLUTIONS.map((_, i) => ({
      key: `o-${i}`,
      value: aPayment(`p-${i}`, `o-${i}`, BASE_MS + i),
    }));
    batches.push({
      topic: topics.payments,
      schema: JSON.parse(OWN_SCHEMA("payment")),
      references: [],
      form,
      records: payments,
    });
    await pythonScript(python, PRODUCER, { bootstrap: kafka.bootstrap(), registry: url, batches });
  }

  async function assertEvolutions(): Promise<void> {
    const refused = EVOLUTIONS.filter(({ refusal }) => refusal !== undefined);
    const messages = await deadLetters();
    assert.equal(messages.length, refused.length, messages.join("\n"));
    for (const { refusal } of refused)
      assert.ok(
        messages.some((message) => refusal!.test(message)),
        messages[0],
      );
    const pairs = await database.joined
      .find({}, { projection: { _id: 0 } })
      .sort({ order_amount: 1 })
      .toArray();
    const expected = EVOLUTIONS.flatMap(({ refusal }, i) => (refusal === undefined ? [orderOf(i)] : [])).map(
      (order) => ({
        order_id: order.order_id,
        order_date: new Date(order.order_date),
        created_at: new Date(order.created_at),
        customer_id: order.customer_id,
        order_amount: order.amount,
        payment_id: order.order_id.replace("o", "p"),
        payment_date: new Date(order.created_at - 500),
        payment_amount: 100,
      }),
    );
    assert.deepEqual(pairs, expected);
  }

  for (const form of ["prefix", "header"] as const) {
    const where = form === "prefix" ? "ids in front of the values" : "GUIDs in headers";
    it(`twelve evolutions, written by Confluent's own serializers: ${where}`, async function () {
      const python = await startOrSkip(this, () => findConfluentPython({ log: console.error }));
      await produceEvolutions(python, registry.url, form);
      const run = start(registry.url);
      await run.finished;
      await assertEvolutions();
      balancedFigures(run);
    });
  }

  describe("through Apicurio", () => {
    let folder: string;
    let apicurio: LocalServer | undefined;

    before(async function () {
      folder = mkdtempSync(join(tmpdir(), "order-payment-stream-apicurio-"));
      apicurio = await startOrSkip(this, () => startApicurio({ dataDir: folder, log: console.error }));
    });

    after(async () => {
      await apicurio?.kill();
      rmSync(folder, { recursive: true, force: true });
    });

    it("twelve evolutions, written by Confluent's own serializers", async function () {
      const python = await startOrSkip(this, () => findConfluentPython({ log: console.error }));
      await produceEvolutions(python, apicurio!.address, "prefix");
      await start(apicurio!.address).finished;
      await assertEvolutions();
    });

    it("records written by Apicurio's own serializer, with ids in headers and in front of the values", async function () {
      const request = {
        name: "apicurio-serde",
        pom: `${APICURIO_SERDE}/pom.xml`,
        home: servicesHome(),
        log: console.error,
      };
      const jars = await startOrSkip(this, () => resolveJars(request));
      const { fields, ...rest } = JSON.parse(OWN_SCHEMA("order"));
      const reversed = JSON.stringify({ ...rest, fields: fields.reverse() });
      const api = apicurio!.address.replace("/apis/ccompat/v7", "/apis/registry/v3");
      await runProgram(javaCommand(), [
        ...["-Xmx128m", "-cp", join(jars, "lib", "*"), `${APICURIO_SERDE}/ApicurioProducer.java`],
        ...[kafka.bootstrap(), api, "20"],
        ...[topics.orders, reversed, "headers", topics.payments, OWN_SCHEMA("payment"), "values"],
      ]).catch((error) => {
        if (/jdk.compiler|no compiler/i.test(String(error.stderr))) skipBecause(this, "Java has no compiler");
        throw error;
      });
      await start(apicurio!.address).finished;
      assert.deepEqual(await database.counts(), [20, 0, 0], (await deadLetters())[0]);
      const pair = await database.joined.findOne({ order_id: "order_id-7" });
      assert.deepEqual(
        [pair?.customer_id, pair?.order_amount, pair?.created_at],
        ["customer_id-7", 7, new Date(7)],
      );
    });

    it("GUIDs, which it neither gives nor looks up, make dead letters that say so", async () => {
      const guid = Buffer.from("01000102030405060708090a0b0c0d0e0f", "hex");
      await topics.peer.send(topics.orders, [
        { key: "o-1", value: Buffer.from("a body"), headers: { __value_schema_id: guid } },
      ]);
      await start(apicurio!.address).finished;
      const [message, ...others] = await deadLetters();
      assert.match(
        message!,
        /GUID 00010203-0405-0607-0809-0a0b0c0d0e0f, and the schema registry at .* does not look up/,
      );
      assert.deepEqual(others, []);
    });
  });

  /** An order and its payment, with ids of our own schemas. */
  async function sendPair(orderSchemaId?: number): Promise<void> {
    const ids = {
      order: registry.add("orders-value", OWN_SCHEMA("order")).id,
      payment: registry.add("payments-value", OWN_SCHEMA("payment")).id,
    };
    const order = orderOf(1);
    const payment = aPayment("p-1", order.order_id, BASE_MS);
    await topics.send(
      { topic: "orders", key: "o-1", value: encodeConfluent(orderSchemaId ?? ids.order, "order", order) },
      { topic: "payments", key: "o-1", value: encodeConfluent(ids.payment, "payment", payment) },
    );
  }

  it("are waited for while the registry is away, and nothing is lost", async () => {
    await sendPair();
    registry.failure = { status: 503, body: "" };
    const run = start(registry.url);
    const { problem } = await until("the outage to be told", () => health.problems()[0]);
    assert.match(problem, /^the schema registry cannot be reached at http:.*: it answers with status 503/);
    assert.deepEqual(await database.counts(), [0, 0, 0]);
    registry.failure = undefined;
    await run.finished;
    assert.deepEqual(await database.counts(), [1, 0, 0]);
    assert.deepEqual(health.problems(), []);
  });

  it("end the run when the registry stays away, or refuses, and the records are there for the next", async () => {
    await sendPair();
    registry.failure = { status: 503, body: "" };
    await assert.rejects(start(registry.url, 500).finished, /the schema registry cannot be reached/);
    registry.failure = undefined;
    registry.authorization = "Basic x";
    await assert.rejects(start(registry.url).finished, /requires a login, and none is set/);
    registry.authorization = undefined;
    await start(registry.url).finished;
    assert.deepEqual(await database.counts(), [1, 0, 0]);
  });

  it("are registered by produce, and read by run, as the commands are started: with a certificate and a password", async () => {
    const folder = mkdtempSync(join(tmpdir(), "order-payment-stream-registry-"));
    const authority = new CertificateAuthority(folder, "authority");
    const server = authority.issue("registry", { alternativeNames: "IP:127.0.0.1" });
    const client = authority.issue("client");
    const [ca, cert, key] = [authority.certFile, server.certFile, server.keyFile].map((file) =>
      readFileSync(file),
    );
    const guarded = await ConfluentRegistry.start({
      tls: { ca: ca!, cert: cert!, key: key!, requestCert: true },
    });
    const otherSchema = join(folder, "other.avsc");
    writeFileSync(otherSchema, JSON.stringify(OTHER_SCHEMA));
    guarded.authorization = `Basic ${Buffer.from("bob:a secret").toString("base64")}`;
    const environment = {
      ...environmentOf(kafka.bootstrap(), topics, database),
      SCHEMA_REGISTRY_URL: guarded.url,
      SCHEMA_REGISTRY_USERNAME: "bob",
      SCHEMA_REGISTRY_PASSWORD: "a secret",
      AVRO_WRITER_SCHEMAS: otherSchema,
      SCHEMA_REGISTRY_SSL_CA_FILE: authority.certFile,
      SCHEMA_REGISTRY_SSL_CERT_FILE: client.certFile,
      SCHEMA_REGISTRY_SSL_KEY_FILE: client.keyFile,
    };
    try {
      const load = [
        "--count=300",
        "--rate=0",
        "--json_share=0",
        "--malformed_share=0",
        "--null_value_share=0",
      ];
      const produce = new CommandLine(["produce", "all", ...load], environment);
      assert.deepEqual(await produce.ended, { code: 0, signal: null }, produce.stderr);
      assert.deepEqual(guarded.subjects(), [`${topics.orders}-value`, `${topics.payments}-value`]);
      const nowMs = Date.now();
      // A single-object value of another writer, whose schema is in a file, and which has no payment.
      await topics.peer.send(topics.orders, [{ key: "other", value: otherWritersOrder(nowMs) }]);
      const summary = await new CommandLine(["run", "--bounded", "--summary=json"], environment).summary();
      assert.ok(summary.orders >= 300 && summary.joined > 200, JSON.stringify(summary));
      assert.equal(summary.dead_letters.UNDECODABLE, undefined, JSON.stringify(summary));
      const other = await database.unmatched.findOne({ order_id: "other" });
      assert.deepEqual(other?.created_at, new Date(nowMs));
    } finally {
      await guarded.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("that the registry does not know make dead letters that name them", async () => {
    await sendPair(4711);
    await start(registry.url).finished;
    assert.deepEqual(await database.counts(), [0, 1, 1]);
    assert.match(
      (await deadLetters())[0]!,
      /schema id 4711, which the schema registry at http.* does not know/,
    );
  });
});

/** Fails with what the script has to say. */
async function pythonScript(python: string, script: string, input: object): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = execFile(python, [script], { timeout: 60_000 }, (error, _stdout, stderr) => {
      if (error === null) resolve();
      else reject(new Error(stderr || error.message));
    });
    child.stdin!.end(JSON.stringify(input));
  });
}
