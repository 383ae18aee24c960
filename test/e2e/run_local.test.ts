/** `run-local` as somebody sees it who tries it: killed by SIGKILL and started again, it goes on. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandLine, environmentOf } from "../fixtures/command_line.js";
import { EventTopics } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

const T_MS = 30_000;
const D_MS = 5_000;

describe("run-local", function () {
  this.timeout(90_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let topics: EventTopics;
  let database: TestDatabase;
  let path: string;

  beforeEach(async () => {
    topics = await EventTopics.create(kafka.bootstrap());
    database = await TestDatabase.open(mongodb.uri());
    path = mkdtempSync(join(tmpdir(), "run-local-"));
  });

  afterEach(async () => {
    rmSync(path, { recursive: true, force: true });
    await database?.close();
    await topics?.close();
  });

  it("goes on after a kill -9, and nothing is lost or doubled", async () => {
    const start = (...args: string[]): CommandLine =>
      new CommandLine(["run-local", "--rate=300", `--state_dir=${path}`, ...args], {
        ...environmentOf(kafka.bootstrap(), topics, database),
        KAFKA_START: "latest",
        STATE_TIMEOUT_MINUTES: String(T_MS / 60_000),
        MAX_OUT_OF_ORDERNESS: `${D_MS}ms`,
      });
    const first = start();
    await until("some pairs", async () => (await database.counts())[0] >= 100, 60_000);
    first.kill("SIGKILL");
    await first.ended;

    const second = start("--duration=3s", "--drain=expire");
    assert.equal((await second.ended).code, 0, second.stderr);
    await topics.readBack();
    assert.ok(topics.log.length > 500, `${topics.log.length} events`);
    await database.assertAsOracle(topics, T_MS, D_MS);
  });
});
