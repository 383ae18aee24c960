import assert from "node:assert/strict";
import { createLog } from "../../../../pipeline/report/log.js";
import { Repetition } from "../../../../pipeline/report/repetition.js";
import { Terminal } from "../../../../pipeline/report/terminal.js";

describe("the log", () => {
  let written: string;
  const terminal = (isTTY = false) =>
    new Terminal({
      isTTY,
      write: (text: string) => {
        written += text;
      },
    });
  beforeEach(() => {
    written = "";
  });

  it("is JSON for machines and sentences for people, whatever reads it where that is asked for", () => {
    createLog("info", terminal()).info("reading", { from: "broker:9092" });
    assert.deepEqual(
      { ...JSON.parse(written), time: 0 },
      { level: 30, time: 0, from: "broker:9092", msg: "reading" },
    );
    written = "";
    createLog("info", terminal(), "text").info("reading", { from: "broker:9092" });
    assert.match(written, /INFO: reading \{"from":"broker:9092"\}\n$/);
    written = "";
    createLog("info", terminal(true), "json").info("reading");
    assert.equal(JSON.parse(written).msg, "reading");
  });

  it("changes its level while it is written, and says so", () => {
    const log = createLog("info", terminal());
    log.debug("unseen");
    log.toggleDebug();
    log.debug("seen");
    log.toggleDebug();
    log.debug("unseen");
    assert.deepEqual(
      written
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).msg),
      ["the level of the log has changed", "seen", "the level of the log has changed"],
    );
    assert.equal(log.level, "info");
  });

  it("goes to its sinks too, and keeps its last lines for people", () => {
    const lines: string[] = [];
    const log = createLog("info", terminal());
    log.addSink({ write: (line) => lines.push(line) });
    for (let i = 0; i < 300; i++) log.warn(`message ${i}`, { i });
    assert.equal(lines.length, 300);
    assert.equal(log.tail().length, 200);
    const last = log.tail().at(-1)!;
    assert.deepEqual([last.level, last.text], ["warn", "message 299 · i 299"]);
  });

  it("leaves out what comes again and again, and says how often", () => {
    const log = createLog("info", terminal());
    for (let i = 0; i < 1_000; i++) log.warn("Kafka partition cannot be read", { i });
    log.info("something else");
    log.flush();
    const messages = written
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).msg);
    assert.equal(messages.filter((message) => message === "Kafka partition cannot be read").length, 10);
    assert.ok(messages.includes("something else"));
    assert.equal(messages.at(-1), "Kafka partition cannot be read (990 more of the same were left out)");
  });
});

describe("repetition", () => {
  it("begins anew after a while, and remembers a bounded number of messages", () => {
    let now = 0;
    const told: string[] = [];
    const repetition = new Repetition(
      (level, message, leftOut) => told.push(`${level} ${message} ${leftOut}`),
      () => now,
    );
    const passed = (message: string): boolean => repetition.passes("warn", message);
    for (let i = 0; i < 15; i++) assert.equal(passed("again"), i < 10);
    now = 10_000;
    assert.equal(passed("again"), true);
    assert.deepEqual(told, ["warn again 5"]);
    for (let i = 0; i < 5_000; i++) assert.equal(passed(`message ${i}`), true);
  });
});
