/** The examples that need servers run, and do what their readers are told. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { MongoClient } from "mongodb";
import { FROM_SOURCE } from "../fixtures/from_source.js";
import { KafkaPeer } from "../fixtures/kafka_peer.js";
import { kafkaFixture, mongodbFixture, uniqueName } from "../fixtures/services.js";

const ROOT = resolve(fileURLToPath(import.meta.url), "../../..");
const TIMEOUT_MS = 120_000;
const MINUTE_MS = 60_000;

describe("examples", function () {
  this.timeout(TIMEOUT_MS);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();

  it("join two topics into documents, each once", async () => {
    const peer = await KafkaPeer.open(kafka.bootstrap());
    const [views, clicks] = [await peer.createTopic("views", 2), await peer.createTopic("clicks", 2)];
    const start = Date.now() - 120 * MINUTE_MS;
    const event = (view_id: string, minute: number) => {
      const at = new Date(start + minute * MINUTE_MS).toISOString();
      return { key: view_id, value: JSON.stringify({ view_id, at }) };
    };
    await peer.producer.send({ topic: views, messages: [event("a", 0), event("b", 1), event("c", 2)] });
    await peer.producer.send({ topic: clicks, messages: [event("a", 5), event("b", 12), event("a", 6)] });
    await peer.close();
    const database = uniqueName("examples");
    await promisify(execFile)(process.execPath, [...FROM_SOURCE, "examples/join_topics.ts"], {
      cwd: ROOT,
      timeout: TIMEOUT_MS,
      env: {
        ...process.env,
        KAFKA: kafka.bootstrap(),
        MONGODB: mongodb.uri(),
        VIEWS: views,
        CLICKS: clicks,
        DATABASE: database,
        BOUNDED: "yes",
      },
    });
    const mongo = await MongoClient.connect(mongodb.uri());
    try {
      const found = await mongo.db(database).collection("clicked").find().toArray();
      assert.deepEqual(found, [{ _id: "a" as never, clicked_at: new Date(start + 5 * MINUTE_MS) }]);
    } finally {
      await mongo.close();
    }
  });
});
