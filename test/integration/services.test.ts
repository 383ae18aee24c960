/** The local services, really started: what they keep, who may end them, and what is found again after a crash. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel, Partitioners } from "kafkajs";
import { type Collection, MongoClient, MongoServerError } from "mongodb";
import { freePort, isListening, probeMongodb } from "../../services/discovery.js";
import { servicesHome } from "../../services/home.js";
import {
  ensureServices,
  type LocalServer,
  RequirementMissing,
  ServiceFailed,
  ServiceUnreachable,
  servicesDown,
  servicesStatus,
  startKafka,
  startMongodb,
} from "../../services/index.js";
import { isMarked, killMarked } from "../../services/process.js";
import { markOf, writeRecord } from "../../services/record.js";
import { FROM_SOURCE } from "../fixtures/from_source.js";
import { skipBecause } from "../fixtures/skip.js";
import { until } from "../fixtures/until.js";

describe("services", function () {
  this.timeout(120_000);
  let folder: string;
  let env: NodeJS.ProcessEnv;
  let lines: string[];
  const log = (line: string) => lines.push(line);
  const servers: LocalServer[] = [];

  before("get the jars", async function () {
    this.timeout(300_000);
    const dataDir = mkdtempSync(join(tmpdir(), "services-test-"));
    try {
      await (await startMongodb({ dataDir, backend: "memory" })).stop();
    } catch (error) {
      if (error instanceof RequirementMissing) skipBecause(this, error.message);
      throw error;
    } finally {
      rmSync(dataDir, { recursive: true, force: true });
    }
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "services-test-"));
    const home = join(folder, "home");
    mkdirSync(home);
    symlinkSync(join(servicesHome(), "cache"), join(home, "cache"));
    env = { ORDER_PAYMENT_STREAM_HOME: home };
    lines = [];
  });

  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.kill()));
    await servicesDown({ env });
    rmSync(folder, { recursive: true, force: true });
  });

  async function started(server: Promise<LocalServer>): Promise<LocalServer> {
    servers.push(await server);
    return server;
  }

  const dataDirOf = (service: string) => join(env.ORDER_PAYMENT_STREAM_HOME!, service);
  const runs = (pid: number, dataDir: string) => isMarked(pid, markOf(dataDir));

  describe("Kafka", () => {
    it("keeps acknowledged records when it is killed, and ends on stop", async () => {
      const dataDir = join(folder, "kafka");
      const server = await started(startKafka({ dataDir }));
      await produceOne(server.address, "words", "first");
      assert.deepEqual(await consumeAll(server.address, "words", 1), ["first"]);

      await server.kill();
      assert.equal(await isListening(server.port), false);
      await server.restart();
      await produceOne(server.address, "words", "second");
      assert.deepEqual(await consumeAll(server.address, "words", 2), ["first", "second"]);

      const pid = server.pid!;
      assert.ok(runs(pid, dataDir));
      await server.stop();
      assert.equal(runs(pid, dataDir), false);
      assert.equal(server.pid, undefined);
      await server.stop();
    });
  });

  describe("MongoDB", () => {
    it("inserts, finds, refuses a second document of the same _id, and keeps them across a restart", async () => {
      const server = await started(startMongodb({ dataDir: join(folder, "mongodb"), backend: "file" }));
      await withCollection(server.address, async (collection) => {
        await collection.insertOne({ _id: "a", amount: 1, at: new Date(5) });
        await assert.rejects(
          collection.insertMany([{ _id: "a" }, { _id: "b", amount: 2 }], { ordered: false }),
          (error) => error instanceof MongoServerError && error.code === 11000,
        );
      });
      await server.restart();
      await withCollection(server.address, async (collection) => {
        const documents = await collection.find().sort({ _id: 1 }).toArray();
        assert.deepEqual(documents, [
          { _id: "a", amount: 1, at: new Date(5) },
          { _id: "b", amount: 2 },
        ]);
      });
    });

    it("comes back after a kill with what was written before the last journal interval", async () => {
      const server = await started(startMongodb({ dataDir: join(folder, "mongodb"), backend: "file" }));
      await withCollection(server.address, (collection) => collection.insertOne({ _id: "a" }));
      await sleep(1_000);
      await server.kill();
      await server.restart();
      await withCollection(server.address, async (collection) =>
        assert.equal(await collection.countDocuments(), 1),
      );
    });

    it("keeps all that it acknowledged to a majority when it is killed, and no half of the rest", async () => {
      const server = await started(startMongodb({ dataDir: join(folder, "mongodb"), backend: "file" }));
      const batches = Array.from({ length: 200 }, (_, batch) =>
        Array.from({ length: 20 }, (_, i) => ({ _id: `${batch}/${i}` })),
      );
      const acknowledged = new Set<string>();
      await withCollection(server.address, async (collection) => {
        const rest = batches.values();
        const writeConcern = { w: "majority" } as const;
        const lanes = Array.from({ length: 3 }, async () => {
          for (const batch of rest) {
            await collection.insertMany(batch, { ordered: false, writeConcern });
            for (const { _id } of batch) acknowledged.add(_id);
          }
        });
        const allEnded = Promise.allSettled(lanes);
        while (acknowledged.size < 400) await sleep(5);
        await server.kill();
        await allEnded;
      });
      assert.ok(acknowledged.size < 4_000);
      await server.restart();
      await withCollection(server.address, async (collection) => {
        const documents = await collection.find().toArray();
        const kept = new Set(documents.map(({ _id }) => _id));
        assert.deepEqual(
          [...acknowledged].filter((_id) => !kept.has(_id)),
          [],
        );
        const missing = batches.flat().filter(({ _id }) => !kept.has(_id));
        await collection.insertMany(missing);
        assert.equal(await collection.countDocuments(), 4_000);
      });
    });

    it("does not let its file grow with what is no longer in use, and starts without reading all documents", async () => {
      const dataDir = join(folder, "mongodb");
      const server = await started(startMongodb({ dataDir, backend: "file" }));
      const commits = 400;
      await withCollection(server.address, async (collection) => {
        await collection.createIndex({ order_id: 1 });
        for (let commit = 0; commit < commits; commit++) {
          const documents = Array.from({ length: 8 }, () => ({ _id: randomUUID(), order_id: randomUUID() }));
          await collection.insertMany(documents, { writeConcern: { w: "majority" } });
        }
      });
      // Each commit writes some dozens of pages; all of them together would be 60 MB.
      const file = join(dataDir, "documents.h2");
      await until("the file to be small", () => statSync(file).size < 20e6, 50_000).catch((error: Error) => {
        throw new Error(
          `${error.message}: ${statSync(file).size} bytes\n${readFileSync(server.logFile, "utf8")}`,
        );
      });
      await server.restart();
      await withCollection(server.address, async (collection) => {
        assert.equal(await collection.countDocuments(), 8 * commits);
        assert.deepEqual((await collection.indexes()).map(({ name }) => name).sort(), ["_id_", "order_id_1"]);
      });
    });

    it("leaves nothing running when a start is given up", async () => {
      const dataDir = join(folder, "mongodb");
      const abort = new AbortController();
      const starting = startMongodb({ dataDir, backend: "memory", signal: abort.signal });
      const record = join(dataDir, "server.json");
      while (!existsSync(record)) await sleep(5);
      const { pid } = JSON.parse(readFileSync(record, "utf8")) as { pid: number };
      abort.abort();
      await assert.rejects(starting, { name: "AbortError" });
      assert.equal(runs(pid, dataDir), false);
    });

    it("tells why it did not come up, with the end of its log", async () => {
      const dataDir = join(folder, "mongodb");
      mkdirSync(join(dataDir, "documents.h2"), { recursive: true });
      await assert.rejects(startMongodb({ dataDir, backend: "file" }), (error) => {
        assert.ok(error instanceof ServiceFailed);
        assert.match(
          error.message,
          /^MongoDB ended while starting \(exit code 1\); its log .*server\.log ends:\n.*Could not open file/s,
        );
        return true;
      });
    });

    it("is not mistaken for what has its port", async () => {
      const dataDir = join(folder, "mongodb");
      const first = await started(startMongodb({ dataDir: join(folder, "other"), backend: "memory" }));
      await assert.rejects(startMongodb({ dataDir, backend: "memory", port: first.port }), {
        name: "ServiceFailed",
        message: `MongoDB: port ${first.port} is taken`,
      });
      await probeMongodb(first.address, 2_000);
    });
  });

  describe("ensureServices", () => {
    it("starts both from Maven, and ends what it started", async () => {
      const [kafkaPort, mongodbPort] = [await freePort(), await freePort()];
      const options = { kafka: true, mongodb: true, env, kafkaPort, mongodbPort, engines: [], log };
      const running = await ensureServices(options);
      assert.equal(running.kafkaBootstrap, `127.0.0.1:${kafkaPort}`);
      assert.equal(running.mongodbUri, `mongodb://127.0.0.1:${mongodbPort}`);
      assert.equal(running.kafka?.source, "maven");
      assert.ok(
        lines.includes(
          `Kafka: started 4.4.0 from Maven on 127.0.0.1:${kafkaPort} (pid ${running.kafka?.pid})`,
        ),
      );
      await running.stop();
      assert.equal(await isListening(kafkaPort), false);
      assert.equal(await isListening(mongodbPort), false);
    });

    it("finds what an earlier run left, leaves it running, and `down` ends it", async () => {
      const mongodbPort = await freePort();
      const options = { kafka: false, mongodb: true, env, mongodbPort, engines: [], log };
      const first = await ensureServices(options);
      const second = await ensureServices(options);
      assert.deepEqual(second.mongodb, {
        source: "listening",
        address: first.mongodbUri,
        pid: first.mongodb?.pid,
      });
      await second.stop();
      await probeMongodb(first.mongodbUri, 2_000);
      const [, status] = await servicesStatus({ env, log });
      assert.deepEqual(status, { name: "MongoDB", address: first.mongodbUri, answers: true, ours: true });

      await servicesDown({ env, log });
      assert.equal(await isListening(mongodbPort), false);
      assert.ok(lines.includes(`MongoDB: ended (pid ${first.mongodb?.pid})`));
    });

    it("finds again what a run that was killed had started, also on another port", async () => {
      const taken = await foreignServer();
      const program = `
        import { ensureServices } from "./services/index.js";
        const options = { kafka: false, mongodb: true, mongodbPort: ${portOf(taken)}, engines: [] };
        const running = await ensureServices(options);
        console.log(running.mongodbUri);
        setInterval(() => {}, 1000);`;
      const args = [...FROM_SOURCE, "--input-type=module", "-e", program];
      const killed = spawn(process.execPath, args, {
        env: { ...process.env, ...env },
        stdio: ["ignore", "pipe", 2],
      });
      const uri = (await firstOutput(killed)).trim();
      killed.kill("SIGKILL");

      const running = await ensureServices({
        kafka: false,
        mongodb: true,
        env,
        mongodbPort: portOf(taken),
        log,
      });
      assert.equal(running.mongodbUri, uri);
      assert.equal(running.mongodb?.source, "listening");
      taken.close();
    });

    it("starts one server when several runs ask at the same time", async () => {
      const options = { kafka: false, mongodb: true, env, mongodbPort: await freePort(), engines: [] };
      const all = await Promise.all([1, 2, 3].map(() => ensureServices(options)));
      assert.deepEqual(all.map((running) => running.mongodb?.source).sort(), [
        "listening",
        "listening",
        "maven",
      ]);
      assert.equal(new Set(all.map((running) => running.mongodb?.pid)).size, 1);
    });

    it("ends one of its own that does not answer any more, and starts another", async () => {
      const options = { kafka: false, mongodb: true, env, mongodbPort: await freePort(), engines: [], log };
      const first = await ensureServices(options);
      const pid = first.mongodb!.pid!;
      process.kill(pid, "SIGSTOP");
      const second = await ensureServices(options);
      assert.equal(second.mongodb?.source, "maven");
      assert.equal(runs(pid, dataDirOf("mongodb")), false);
    });

    it("uses a server that is not ours, and never ends it", async () => {
      const foreign = await started(startMongodb({ dataDir: join(folder, "foreign"), backend: "memory" }));
      const running = await ensureServices({
        kafka: false,
        mongodb: true,
        env,
        mongodbPort: foreign.port,
        log,
      });
      assert.deepEqual(running.mongodb, { source: "listening", address: foreign.address });
      await running.stop();
      await servicesDown({ env });
      await probeMongodb(foreign.address, 2_000);
    });

    it("takes another port when something else has the usual one, for either service", async () => {
      const taken = await foreignServer();
      const port = portOf(taken);
      const options = { env, kafkaPort: port, mongodbPort: port, engines: [], log };
      const running = await ensureServices({ ...options, kafka: true, mongodb: true });
      assert.notEqual(running.kafkaBootstrap, `127.0.0.1:${port}`);
      assert.notEqual(running.mongodbUri, `mongodb://127.0.0.1:${port}`);
      assert.ok(
        lines.some((line) => line.startsWith(`Kafka: port ${port} is taken by something else; using `)),
      );
      await running.stop();
      assert.equal(await isListening(port), true);
      taken.close();
    });

    it("takes what the environment names as it is", async () => {
      const named = await started(startMongodb({ dataDir: join(folder, "named"), backend: "memory" }));
      const uri = `${named.address}/?appName=test`;
      const running = await ensureServices({
        kafka: false,
        mongodb: true,
        env: { ...env, MONGODB_URI: uri },
        log,
      });
      assert.deepEqual(running.mongodb, { source: "environment", address: uri });
      assert.equal(running.mongodbUri, uri);
      await running.stop();
      await probeMongodb(named.address, 2_000);
    });

    it("says which variable names an address that does not answer, without its password", async () => {
      const port = await freePort();
      const wrong = {
        ...env,
        MONGODB_URI: `mongodb://user:secret@127.0.0.1:${port}`,
        KAFKA_BOOTSTRAP: `127.0.0.1:${port}`,
      };
      await assert.rejects(ensureServices({ kafka: false, mongodb: true, env: wrong }), (error) => {
        assert.ok(error instanceof ServiceUnreachable);
        assert.match(error.message, /MONGODB_URI=mongodb:\/\/\*\*\*@127/);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
      await assert.rejects(
        ensureServices({ kafka: true, mongodb: false, env: wrong }),
        /KAFKA_BOOTSTRAP=127/,
      );
    });

    it("ends the service that came up when the other one did not", async () => {
      const mongodbPort = await freePort();
      const wrong = { ...env, KAFKA_BOOTSTRAP: `127.0.0.1:${await freePort()}` };
      const options = { kafka: true, mongodb: true, env: wrong, mongodbPort, engines: [] };
      await assert.rejects(ensureServices(options), ServiceUnreachable);
      assert.equal(await isListening(mongodbPort), false);
    });

    it("never ends a process that only happens to have the recorded pid", async () => {
      const bystander = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
      writeRecord(dataDirOf("mongodb"), { kind: "process", pid: bystander.pid!, port: await freePort() });
      await servicesDown({ env, log });
      assert.deepEqual(
        lines.filter((line) => line.startsWith("MongoDB")),
        ["MongoDB: it had ended already"],
      );
      assert.equal(bystander.exitCode ?? bystander.signalCode, null);
      bystander.kill();
    });
  });

  describe("with a container engine", () => {
    /** Stands in for docker: `run` starts a TCP relay to `target` on the published port, `stop` ends it. */
    function engineRelayingTo(target: number, runExitCode = 0): string {
      const engine = join(folder, "docker");
      const relay = `
        const net = require("node:net");
        net.createServer((from) => {
          const to = net.connect(${target}, "127.0.0.1");
          from.pipe(to).pipe(from);
          from.on("error", () => to.destroy());
          to.on("error", () => from.destroy());
        }).listen(Number(process.argv[2]), "127.0.0.1");`;
      writeFileSync(join(folder, "relay.cjs"), relay);
      const script = `#!/bin/sh
echo "$@" >> ${folder}/calls
case $1 in
  run)
    [ ${runExitCode} = 0 ] || exit ${runExitCode}
    port=$(echo "$@" | sed 's/.*-p 127.0.0.1:\\([0-9]*\\):.*/\\1/')
    ${process.execPath} ${folder}/relay.cjs $port > /dev/null 2>&1 &
    echo $! > ${folder}/container.pid ;;
  stop)
    [ -f ${folder}/container.pid ] || { echo "Error: No such container: $2" >&2; exit 1; }
    kill -9 $(cat ${folder}/container.pid); rm ${folder}/container.pid; sleep 0.3 ;;
esac
`;
      writeFileSync(engine, script);
      chmodSync(engine, 0o755);
      return engine;
    }

    const calls = () => readFileSync(join(folder, "calls"), "utf8").trim().split("\n");

    it("runs the service on 127.0.0.1 under a name of its own, and stops it by that name", async () => {
      const behind = await started(startMongodb({ dataDir: join(folder, "behind"), backend: "memory" }));
      const mongodbPort = await freePort();
      const engines = [join(folder, "absent"), engineRelayingTo(behind.port)];
      const options = { kafka: false, mongodb: true, env, mongodbPort, engines, log };
      const running = await ensureServices(options);
      assert.equal(running.mongodb?.source, "container");
      assert.equal(running.mongodbUri, `mongodb://127.0.0.1:${mongodbPort}`);
      const [info, run] = calls();
      assert.equal(info, "info");
      const pattern = new RegExp(
        `^run -d --rm --name (order-payment-stream-mongodb-[0-9a-f]{12}) -p 127\\.0\\.0\\.1:${mongodbPort}:27017 mongo:7$`,
      );
      const name = pattern.exec(run ?? "")?.[1];
      assert.ok(name !== undefined, run);

      const again = await ensureServices(options);
      assert.equal(again.mongodb?.source, "listening");
      await again.stop();
      assert.equal(await isListening(mongodbPort), true);

      await running.stop();
      assert.equal(calls().at(-1), `stop ${name}`);
      assert.equal(await isListening(mongodbPort), false);
    });

    it("is ended by `down` too", async () => {
      const behind = await started(startMongodb({ dataDir: join(folder, "behind"), backend: "memory" }));
      const mongodbPort = await freePort();
      const engines = [engineRelayingTo(behind.port)];
      await ensureServices({ kafka: false, mongodb: true, env, mongodbPort, engines });
      await servicesDown({ env, log });
      assert.equal(await isListening(mongodbPort), false);
      await servicesDown({ env, log });
      assert.ok(lines.includes("MongoDB: no service that was started from here is running"));
    });

    it("falls back to Maven when the container cannot be run", async () => {
      const mongodbPort = await freePort();
      const engines = [engineRelayingTo(0, 125)];
      const running = await ensureServices({ kafka: false, mongodb: true, env, mongodbPort, engines, log });
      assert.equal(running.mongodb?.source, "maven");
      assert.ok(lines.some((line) => line.includes("could not run mongo:7")));
    });
  });

  it("kills a server only when its command line holds the mark", async () => {
    const server = await started(startMongodb({ dataDir: join(folder, "mongodb"), backend: "memory" }));
    await killMarked(server.pid!, markOf(join(folder, "elsewhere")));
    await probeMongodb(server.address, 2_000);
  });
});

async function produceOne(bootstrap: string, topic: string, value: string): Promise<void> {
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
  await admin.disconnect();
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true });
  await producer.connect();
  await producer.send({ topic, acks: -1, messages: [{ key: "k", value }] });
  await producer.disconnect();
}

async function consumeAll(bootstrap: string, topic: string, count: number): Promise<string[]> {
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: `g${Date.now()}` });
  const values: string[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ message }: { message: { value: Buffer | null } }) => {
      values.push(message.value?.toString() ?? "");
      if (values.length === count) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  return values;
}

interface Row {
  _id: string;
  amount?: number;
  at?: Date;
}

async function withCollection(
  uri: string,
  body: (collection: Collection<Row>) => Promise<unknown>,
): Promise<void> {
  const client = new MongoClient(uri);
  try {
    await body(client.db("test").collection<Row>("rows"));
  } finally {
    await client.close();
  }
}

/** Accepts connections and speaks neither protocol. */
async function foreignServer(): Promise<Server> {
  const server = createServer((socket) => socket.on("error", () => {}).end("220 something else\r\n"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function portOf(server: Server): number {
  return (server.address() as { port: number }).port;
}

function firstOutput(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout!.once("data", (data) => resolve(String(data)));
    child.once("exit", (code) => reject(new Error(`ended with ${code}`)));
  });
}
