/** The simulation's MongoDB passes the suite that a real server passes. */
import type { Collection, Db } from "mongodb";
import { MongoWriter } from "../../connectors/mongodb/writer.js";
import type { MongoWriterOptions } from "../../connectors/mongodb/writer_options.js";
import { type MongoHarness, testMongoWriter } from "../connector/mongo_writer_suite.js";
import { START_MS } from "./scenario.js";
import { WORLD } from "./world/event_loop.js";
import { RunningLoop } from "./world/running_loop.js";
import { randomFor } from "./world/seeded.js";
import { SimulatedMongo, SimulatedMongoClient } from "./world/simulated_mongodb.js";

class SimulatedHarness implements MongoHarness {
  readonly #running = new RunningLoop(START_MS, 1);
  readonly #server = new SimulatedMongo(this.#running.loop, randomFor(1, "mongodb"));
  readonly #client = new SimulatedMongoClient(this.#server, WORLD);
  readonly server = this.#server.host;
  #databases = 0;
  wasAnswerLost = false;

  newDatabase(): Db {
    return this.#client.db(`database-${++this.#databases}`) as unknown as Db;
  }

  async createUniqueIndex({ collectionName, dbName }: Collection, field: string): Promise<void> {
    this.#server.collection(dbName, collectionName).createUniqueIndex(field);
  }

  writer(collection: Collection, options: Partial<MongoWriterOptions> = {}): MongoWriter {
    const { loop } = this.#running;
    return new MongoWriter({
      collection,
      sleep: (ms) => loop.wait(ms, WORLD, "backoff"),
      now: () => loop.nowMs,
      random: () => this.#server.random.uniform(),
      ...options,
    });
  }

  loseNextAnswer(): void {
    this.wasAnswerLost = false;
    this.#server.onInsert = () => {
      this.#server.conditions.lostAnswers = this.wasAnswerLost ? 0 : 1;
      this.wasAnswerLost = true;
    };
  }

  async setDown(isDown: boolean): Promise<void> {
    this.#server.conditions.isDown = isDown;
  }

  async closedCollection(): Promise<Collection> {
    const other = new SimulatedMongoClient(this.#server, WORLD);
    await other.close();
    return other.db("x").collection("y") as unknown as Collection;
  }

  wait(ms: number): Promise<void> {
    return this.#running.wait(ms);
  }

  close(): void {
    this.#running.end();
  }
}

describe("simulated MongoDB", () => {
  let harness: SimulatedHarness;

  before(() => {
    harness = new SimulatedHarness();
  });

  after(() => harness.close());

  testMongoWriter(() => harness);
});
