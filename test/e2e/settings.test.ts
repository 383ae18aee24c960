/** Each wrong setting ends the real program with one clear message, before it reads anything. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programArgs } from "../fixtures/program.js";
import { kafkaFixture, mongodbFixture, uniqueName } from "../fixtures/services.js";

const SECRET = "s3cr3t-Pa55";
const NOBODY = "127.0.0.1:1";

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

describe("wrong settings", function () {
  this.timeout(60_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let folder: string;
  let silent: Server;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "settings-"));
    silent = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => silent.once("listening", resolve));
  });
  after(() => {
    silent.close();
    rmSync(folder, { recursive: true });
  });

  /** Runs the program in an empty folder and an environment without settings, but for those given. */
  function program(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    const { PATH = "" } = process.env;
    const child = spawn(process.execPath, [...programArgs("main"), ...args], {
      cwd: folder,
      env: { PATH, NODE_NO_WARNINGS: "1", UI_PORT: "off", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
    });
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve({ code, stdout, stderr }));
    });
  }

  const running = () => ({ KAFKA_BOOTSTRAP: kafka.bootstrap(), MONGODB_URI: mongodb.uri() });
  const run = (env: Readonly<Record<string, string>>, ...args: string[]) =>
    program(["run", "--bounded", "--summary=json", ...args], { ...running(), ...env });

  /** A message of so many lines that fit, nothing else, and no stack. */
  function assertRefused(ended: Ended, code: number, ...lines: readonly RegExp[]): void {
    const { stdout, stderr } = ended;
    const said = stderr.trimEnd().split("\n");
    const shown = JSON.stringify(ended);
    assert.equal(ended.code, code, shown);
    assert.equal(stdout, "", shown);
    assert(!shown.includes(SECRET), shown);
    assert.equal(said.length, lines.length, shown);
    lines.forEach((line, i) => {
      assert.match(said[i]!, line, shown);
    });
  }

  const ONE_WRONG = /^1 (setting|argument) is wrong; nothing was started\.$/;

  describe("that show before anything is connected", () => {
    const refused: readonly [string, Readonly<Record<string, string>>, string[], RegExp][] = [
      [
        "a bad URI",
        { MONGODB_URI: `mongo://bob:${SECRET}@db.example.net/x` },
        [],
        /MONGODB_URI \(--mongodb_uri\) is "mongo:\/\/\*\*\*@db\.example\.net\/x": expected mongodb:\/\//,
      ],
      [
        "an unknown option",
        {},
        ["--kafka_bootstrp=x:1"],
        /--kafka_bootstrp .*did you mean --kafka_bootstrap\?/,
      ],
      [
        "SASL without a password",
        { KAFKA_SECURITY_PROTOCOL: "SASL_PLAINTEXT", KAFKA_SASL_USERNAME: "bob" },
        [],
        /KAFKA_SASL_PASSWORD \(--kafka_sasl_password\) is not set/,
      ],
      [
        "a wrong number",
        { STATE_TIMEOUT_MINUTES: "a quarter" },
        [],
        /STATE_TIMEOUT_MINUTES .* is "a quarter": expected a number of minutes/,
      ],
      [
        "a wrong duration",
        {},
        ["--max_out_of_orderness=1 fortnight"],
        /MAX_OUT_OF_ORDERNESS .* expected a duration/,
      ],
      ["a wrong choice", {}, ["--drain=never"], /DRAIN .* is "never": expected keep or expire/],
      ["a missing certificate file", { KAFKA_SSL_CA_FILE: "none.pem" }, [], /KAFKA_SSL_CA_FILE .*ENOENT/],
      ["a runner that this version does not have", {}, ["--runner=spark"], /RUNNER .*"spark": expected/],
      [
        "a schema registry with a user in its address",
        { SCHEMA_REGISTRY_URL: `http://bob:${SECRET}@127.0.0.1` },
        [],
        /SCHEMA_REGISTRY_URL .*the user and the password are settings of their own/,
      ],
    ];
    for (const [what, env, args, problem] of refused) {
      it(what, async () => assertRefused(await run(env, ...args), 2, ONE_WRONG, problem));
    }

    it("several at once, from the environment, a flag and .env", async () => {
      const file = join(folder, ".env");
      writeFileSync(file, "BUNDLE_SIZE=many\n");
      try {
        const ended = await run({ KAFKA_START: "sometime" }, "--log_level=loud");
        assertRefused(
          ended,
          2,
          /^3 settings are wrong/,
          /KAFKA_START .*"sometime"/,
          /BUNDLE_SIZE .*"many", from \.env/,
          /LOG_LEVEL .*"loud"/,
        );
      } finally {
        rmSync(file);
      }
    });

    it("a variable of .env and an argument that do not exist", async () => {
      const file = join(folder, ".env");
      writeFileSync(file, `KAFKA_BOOTSTARP=bob:${SECRET}@x:1\n`);
      try {
        assertRefused(
          await run({}, "extra"),
          2,
          /^1 setting and 1 argument are wrong; nothing was started\.$/,
          /^ {2}KAFKA_BOOTSTARP in \.env is unknown: did you mean KAFKA_BOOTSTRAP\?$/,
          /^ {2}unexpected argument "extra": expected no arguments besides flags$/,
        );
      } finally {
        rmSync(file);
      }
    });

    it("a command that does not exist", async () => {
      const ended = await program(["rnu"]);
      assert.equal(ended.code, 2);
      assert.equal(ended.stdout, "");
      assert.match(ended.stderr, /unknown command 'rnu'/);
    });
  });

  describe("that show when it connects", () => {
    it("a broker that nobody runs", async () => {
      const startedMs = performance.now();
      const ended = await run({ KAFKA_BOOTSTRAP: NOBODY });
      assertRefused(ended, 1, /^Kafka cannot be reached at 127\.0\.0\.1:1: .*ECONNREFUSED/);
      assert(performance.now() - startedMs < 20_000);
    });

    it("a broker that does not answer", async () => {
      const { port } = silent.address() as { port: number };
      const ended = await run({ KAFKA_BOOTSTRAP: `127.0.0.1:${port}` });
      assertRefused(ended, 1, /^Kafka cannot be reached at 127\.0\.0\.1:/);
    });

    it("a login that the broker does not have", async () => {
      const ended = await run({
        KAFKA_SECURITY_PROTOCOL: "SASL_PLAINTEXT",
        KAFKA_SASL_USERNAME: "bob",
        KAFKA_SASL_PASSWORD: SECRET,
      });
      assertRefused(ended, 1, /^Kafka /);
    });

    it("a topic that does not exist", async () => {
      const topic = uniqueName("absent");
      const ended = await run({ KAFKA_ORDER_TOPIC: topic, KAFKA_PAYMENT_TOPIC: `${topic}_too` });
      const line = (name: string, variable: string) =>
        new RegExp(`has no topic "${name}"\\. Correct ${variable}, or create the topic`);
      assertRefused(ended, 1, line(topic, "KAFKA_ORDER_TOPIC"), line(`${topic}_too`, "KAFKA_PAYMENT_TOPIC"));
    });

    it("a MongoDB that nobody runs, and a Kafka neither", async () => {
      const ended = await run({ KAFKA_BOOTSTRAP: NOBODY, MONGODB_URI: `mongodb://bob:${SECRET}@${NOBODY}` });
      assertRefused(ended, 1, /^Kafka cannot be reached/, /^no MongoDB answers at 127\.0\.0\.1:1 within 5 s/);
    });
  });

  it("are not to be found in a run that ends with 0 and its summary", async () => {
    const topics = { KAFKA_ORDER_TOPIC: uniqueName("orders"), KAFKA_PAYMENT_TOPIC: uniqueName("payments") };
    const env = { ...topics, KAFKA_BOOTSTRAP: kafka.bootstrap() };
    const sent = await program(["produce", "all", "--count=200", "--rate=0", "--seed=1"], env);
    assert.equal(sent.code, 0, sent.stderr);
    assert.equal(sent.stdout, "");
    const ended = await run({ ...topics, MONGODB_DATABASE: uniqueName("settings") });
    assert.equal(ended.code, 0, ended.stderr);
    const summary = JSON.parse(ended.stdout.trimEnd().split("\n").at(-1)!);
    assert(summary.orders > 200 && summary.payments > 150, ended.stdout);
    assert(summary.joined > 150 && summary.unmatched > 0, ended.stdout);
    assert.equal(summary.pending, 0);
    assert(!/BALANCE/.test(ended.stderr), ended.stderr);
  });
});
