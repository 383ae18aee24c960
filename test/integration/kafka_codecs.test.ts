/**
 * Batches as others make and read them: Java's own codecs, by a topic with a `compression.type`, whose broker unpacks what
 * comes and packs it anew; Java's client; and librdkafka.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import kafkajs from "kafkajs";
import { connectKafka } from "../../connectors/kafka/client/connect_kafka.js";
import type { KafkaClient } from "../../connectors/kafka/client/kafka_client.js";
import { COMPRESSIONS, compressionType, whyNoCompression } from "../../producers/compression.js";
import { findConfluentPython, kafkaClassPath } from "../../services/index.js";
import { javaCommand } from "../../services/maven.js";
import { Collector } from "../connector/kafka_client_suite.js";
import { KafkaPeer } from "../fixtures/kafka_peer.js";
import { findNode } from "../fixtures/other_node.js";
import { programArgs } from "../fixtures/program.js";
import { kafkaFixture, startOrSkip } from "../fixtures/services.js";
import { skipBecause } from "../fixtures/skip.js";

const logger = { debug() {}, info() {}, warn() {}, error() {} };
const clock = {
  now: () => Date.now(),
  wait: (ms: number) => new Promise<void>((end) => setTimeout(end, ms)),
};
const VALUES = Array.from({ length: 500 }, (_, i) => `order ${i} of customer ${i % 7}`.repeat(1 + (i % 40)));

describe("compressed topics", function () {
  this.timeout(90_000);
  const fixture = kafkaFixture();
  let peer: KafkaPeer;
  let client: KafkaClient;

  before(async () => {
    peer = await KafkaPeer.open(fixture.bootstrap());
    const brokers = fixture.bootstrap().split(",");
    client = await connectKafka({ brokers, clientId: "codecs", logger });
  });

  after(async () => {
    await client?.close();
    await peer?.close();
  });

  async function topicWith(codec: string): Promise<string> {
    const topic = await peer.createTopic(`codec_${codec}`, 1);
    await peer.admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name: topic,
          configEntries: [{ name: "compression.type", value: codec }],
        },
      ],
    });
    return topic;
  }

  async function assertReads(topic: string): Promise<void> {
    const reading = new Collector(clock, client, topic, 0);
    await reading.count(VALUES.length);
    assert.deepEqual(reading.values, VALUES);
    reading.assertInOrder();
    reading.subscription.close();
  }

  for (const codec of COMPRESSIONS) {
    it(`reads what Java packs: ${codec}`, async () => {
      const topic = await topicWith(codec === "none" ? "uncompressed" : codec);
      await peer.send(
        topic,
        VALUES.map((value) => ({ value, partition: 0 })),
      );
      await assertReads(topic);
    });

    for (const kept of ["producer", codec === "gzip" ? "lz4" : "gzip"]) {
      it(`writes what Java reads: ${codec}, kept as ${kept}`, async function () {
        if (whyNoCompression(codec) !== undefined) this.skip();
        const topic = await topicWith(kept);
        await peer.producer.send({
          topic,
          compression: compressionType(codec),
          messages: VALUES.map((value) => ({ value, partition: 0 })),
        });
        await assertReads(topic);
      });
    }
  }

  const CLIENTS = [
    {
      name: "Java's client",
      async command() {
        const classPath = await kafkaClassPath();
        // Java runs a source file where it has a compiler.
        const file = fileURLToPath(new URL("../fixtures/JavaClient.java", import.meta.url));
        const quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=off";
        return [javaCommand(), quiet, "-Xmx128m", "-cp", classPath, file];
      },
    },
    {
      name: "librdkafka",
      async command() {
        const python = await findConfluentPython({ log: console.error });
        return [python, fileURLToPath(new URL("../fixtures/librdkafka_client.py", import.meta.url))];
      },
    },
  ];

  for (const { name, command } of CLIENTS) {
    it(`reads what ${name} writes, and writes what it reads, in each codec`, async function () {
      const [program, ...args] = await startOrSkip(this, command);
      this.timeout(90_000);
      const theirs = new Map<string, string>();
      const ours = new Map<string, string>();
      for (const codec of COMPRESSIONS) {
        theirs.set(codec, await peer.createTopic(`theirs_${codec}`, 1));
        if (whyNoCompression(codec) !== undefined) continue;
        const topic = await peer.createTopic(`ours_${codec}`, 1);
        ours.set(codec, topic);
        const messages = VALUES.map((value) => ({ value, partition: 0 }));
        await peer.producer.send({ topic, compression: compressionType(codec), messages });
      }
      const tasks = [
        ...[...theirs].map(([codec, topic]) => `produce:${topic}:${codec}:${VALUES.length}`),
        ...[...ours.values()].map((topic) => `consume:${topic}:${VALUES.length}`),
      ];
      const { stdout } = await runProgram(program!, [...args, fixture.bootstrap(), ...tasks]).catch(
        (error) => {
          if (/jdk.compiler|no compiler/i.test(String(error.stderr)))
            skipBecause(this, "Java has no compiler");
          throw error;
        },
      );
      const digest = createHash("sha256");
      for (const value of VALUES) digest.update(`${value}\n`);
      const expected = digest.digest("hex");
      assert.deepEqual(
        stdout.trim().split("\n"),
        [...ours.values()].map((topic) => `${topic} ${expected}`),
      );
      for (const topic of theirs.values()) await assertReads(topic);
    });
  }

  it("writes zstd that Java's client reads, by produce on a Node that has it", async function () {
    const [java, ...args] = await startOrSkip(this, CLIENTS[0]!.command);
    const node = whyNoCompression("zstd") === undefined ? process.execPath : await findNode("24");
    const topic = await peer.createTopic("produced_zstd", 1);
    const load = ["--count=300", "--format=json", "--malformed_share=0", "--null_value_share=0", "--seed=1"];
    await runProgram(node, [...programArgs("main"), "produce", "orders", "--compression=zstd", ...load], {
      cwd: tmpdir(),
      env: { ...process.env, KAFKA_BOOTSTRAP: fixture.bootstrap(), KAFKA_ORDER_TOPIC: topic },
    });
    const { end } = (await peer.ends(topic))[0]!;
    const reading = new Collector(clock, client, topic, 0);
    await reading.count(end);
    reading.subscription.close();
    const digest = createHash("sha256");
    for (const value of reading.values) digest.update(`${value}\n`);
    const consume = `consume:${topic}:${end}`;
    const { stdout } = await runProgram(java!, [...args, fixture.bootstrap(), consume]).catch((error) => {
      if (/jdk.compiler|no compiler/i.test(String(error.stderr))) skipBecause(this, "Java has no compiler");
      throw error;
    });
    assert.ok(end >= 300, `${end} records`);
    assert.equal(stdout.trim(), `${topic} ${digest.digest("hex")}`);
  });
});

const runProgram = promisify(execFile);
