/**
 * The library as somebody else gets it: packed, installed in an empty folder, compiled against with strict TypeScript
 * that checks declarations too, and run, Kafka in and MongoDB out, with every Node that is supported.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { MongoClient } from "mongodb";
import { publint } from "publint";
import { findPrism, RequirementMissing, startPrism } from "../../services/index.js";
import { KafkaPeer } from "../fixtures/kafka_peer.js";
import { findNode } from "../fixtures/other_node.js";
import { kafkaFixture, mongodbFixture, uniqueName } from "../fixtures/services.js";
import { skipBecause } from "../fixtures/skip.js";

const ROOT = resolve(fileURLToPath(import.meta.url), "../../..");
const GUIDE = join(ROOT, "docs", "guides", "first-stream.ts");
const SENDER = join(ROOT, "docs", "guides", "send-clicks.ts");
const PACKAGES = ["beam", "connectors/kafka", "connectors/mongodb", "connectors/gcs", "connectors/files"];
/** As the guides say. */
const GUIDE_LINES_MAX = 40;
const OTHER_NODES = ["22", "24"];
const INSTALL_TIMEOUT_MS = 600_000;
const RUN_TIMEOUT_MS = 120_000;

const run = promisify(execFile);

describe("packages", function () {
  this.timeout(INSTALL_TIMEOUT_MS);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let folder: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "packed-library-"));
    await run("npm", ["run", "build"], { cwd: ROOT });
    for (const name of PACKAGES) {
      await run("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: join(ROOT, name) });
    }
    const tarballs = readdirSync(folder).filter((file) => file.endsWith(".tgz"));
    assert.equal(tarballs.length, PACKAGES.length);
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
    const versions = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).devDependencies;
    await run(
      "npm",
      [
        "install",
        "--no-audit",
        "--no-fund",
        ...tarballs.map((file) => `./${file}`),
        `typescript@${versions.typescript}`,
        `@types/node@${versions["@types/node"]}`,
      ],
      { cwd: folder },
    );
    cpSync(GUIDE, join(folder, "stream.ts"));
    cpSync(SENDER, join(folder, "send.ts"));
    const compilerOptions = {
      strict: true,
      target: "ES2022",
      module: "NodeNext",
      outDir: "out",
      rootDir: ".",
      types: ["node"],
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
    };
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ compilerOptions, files: ["stream.ts", "send.ts"] }),
    );
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it("hold no sources, tests or machine paths", async () => {
    const installed = join(folder, "node_modules", "@order-payment-stream");
    for (const name of readdirSync(installed)) {
      const files = readdirSync(join(installed, name), { recursive: true }) as string[];
      const odd = files.filter((file) => /\.ts$/.test(file) && !file.endsWith(".d.ts"));
      assert.deepEqual(odd, []);
      assert.ok(existsSync(join(installed, name, "README.md")), name);
    }
  });

  for (const name of PACKAGES) {
    it(`of ${name} pass publint, and have types wherever they have code`, async () => {
      const { messages } = await publint({ pkgDir: join(ROOT, name), level: "warning", strict: true });
      assert.deepEqual(messages, []);
      const tarball = readdirSync(folder).find((file) => file.includes(`-${name.split("/").at(-1)}-`))!;
      const analysis = await checkPackage(
        createPackageFromTarballData(new Uint8Array(readFileSync(join(folder, tarball)))),
      );
      assert.ok(analysis.types, "no types");
      // The packages are ES modules alone: what older ways of resolving find is of no matter.
      const found = analysis.problems.filter(
        (problem) =>
          problem.kind !== "CJSResolvesToESM" &&
          !("resolutionKind" in problem && problem.resolutionKind === "node10"),
      );
      assert.deepEqual(found, []);
    });
  }

  it("have an API reference of which no link leads nowhere", async () => {
    await run("npx", ["typedoc", "--emit", "none"], { cwd: ROOT });
  });

  it("compile in strict mode, declarations included", async () => {
    await run("npx", ["tsc"], { cwd: folder });
  });

  it("refuse what is below their entries", async () => {
    const program =
      'import("@order-payment-stream/beam/dist/sdk/graph.js").catch((e) => console.log(e.code))';
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], { cwd: folder });
    assert.equal(stdout.trim(), "ERR_PACKAGE_PATH_NOT_EXPORTED");
  });

  it("refuse a second copy of the library in one process", async () => {
    const copy = join(folder, "copy", "node_modules", "@order-payment-stream");
    mkdirSync(copy, { recursive: true });
    cpSync(join(folder, "node_modules", "@order-payment-stream", "beam"), join(copy, "beam"), {
      recursive: true,
    });
    writeFileSync(join(folder, "copy", "index.mjs"), 'import "@order-payment-stream/beam";\n');
    const program = 'await import("@order-payment-stream/beam"); await import("./copy/index.mjs");';
    await assert.rejects(
      run(process.execPath, ["--input-type=module", "-e", program], { cwd: folder }),
      /two copies of @order-payment-stream\/beam are loaded/,
    );
  });

  it("have a guide whose program is no longer than it says", () => {
    const lines = readFileSync(GUIDE, "utf8").trimEnd().split("\n");
    assert.ok(lines.length <= GUIDE_LINES_MAX, `${lines.length} lines`);
  });

  for (const node of [undefined, ...OTHER_NODES]) {
    const name = node === undefined ? "this Node" : `Node ${node}`;

    it(`run a durable stream from Kafka to MongoDB on ${name}`, async () => {
      const program = node === undefined ? process.execPath : await findNode(node);
      const directory = join(folder, `state-${node ?? "this"}`);
      await runGuide(program, [`--state_dir=${directory}`]);
      assert.ok(readdirSync(directory).some((file) => file.startsWith("log-")));
    });

    it(`run the same stream on Prism on ${name}, with its workers in the same process`, async function () {
      const prism = await prismFor(this);
      try {
        const program = node === undefined ? process.execPath : await findNode(node);
        await runGuide(program, [`--job_endpoint=${prism.endpoint}`]);
      } finally {
        await prism.stop();
      }
    });
  }

  it("run the same stream on Prism with a pool of workers, which is the same program", async function () {
    const prism = await prismFor(this);
    const kafkaAndMongo = { ...process.env, KAFKA: kafka.bootstrap(), MONGODB: mongodb.uri() };
    const pool = spawn(process.execPath, [join(folder, "out", "stream.js"), "--worker_pool=127.0.0.1:0"], {
      cwd: folder,
      env: kafkaAndMongo,
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const [endpoint] = await once(pool.stdout, "data");
      await runGuide(process.execPath, [
        `--job_endpoint=${prism.endpoint}`,
        "--environment_type=EXTERNAL",
        `--environment_config=${String(endpoint).trim()}`,
      ]);
    } finally {
      pool.kill("SIGTERM");
      await prism.stop();
    }
    const [code] = pool.exitCode === null ? await once(pool, "exit") : [pool.exitCode];
    assert.equal(code, 0);
  });

  it("refuse wrong arguments of such a program in one line, and show those there are", async () => {
    const refused = await run(process.execPath, [join(folder, "out", "stream.js"), "--runner=portable"], {
      cwd: folder,
    }).catch((error) => error);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /^--runner=portable needs --job_endpoint=HOST:PORT\n\nUsage: node PROGRAM/);
  });

  async function prismFor(test: Mocha.Context) {
    try {
      await findPrism();
    } catch (error) {
      if (!(error instanceof RequirementMissing)) throw error;
      skipBecause(test, error.message);
    }
    return startPrism();
  }

  /** Sends clicks, runs the guide's program over them, and looks at its documents. */
  async function runGuide(node: string, args: readonly string[]): Promise<void> {
    const peer = await KafkaPeer.open(kafka.bootstrap());
    const topic = await peer.createTopic("clicks", 2);
    // Of one minute, the last that is over.
    const minute = Math.floor(Date.now() / 60_000 - 1) * 60_000;
    const click = (user: string, second: number) => ({
      key: user,
      value: JSON.stringify({ user, at: new Date(minute + second * 1_000).toISOString() }),
    });
    const messages = [click("ann", 0), click("bob", 1), click("ann", 2), { key: "x", value: "no JSON" }];
    await peer.producer.send({ topic, messages });
    await peer.close();
    const database = uniqueName("packages");
    await run(node, [join(folder, "out", "stream.js"), ...args], {
      cwd: folder,
      timeout: RUN_TIMEOUT_MS,
      env: {
        ...process.env,
        KAFKA: kafka.bootstrap(),
        TOPIC: topic,
        MONGODB: mongodb.uri(),
        DATABASE: database,
        BOUNDED: "yes",
      },
    });
    const mongo = await MongoClient.connect(mongodb.uri());
    try {
      const found = await mongo.db(database).collection("minutes").find().sort({ _id: 1 }).toArray();
      assert.deepEqual(
        found,
        [
          ["ann", 2],
          ["bob", 1],
        ].map(([user, clicks]) => {
          const until = new Date(minute + 59_999);
          return { _id: { user, until }, user, until, clicks };
        }),
      );
    } finally {
      await mongo.close();
    }
  }
});
