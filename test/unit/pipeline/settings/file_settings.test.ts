/** Settings of runs over files: what they mean, and which do not go together. */
import assert from "node:assert/strict";
import { needsKafka, needsMongo, withEnd } from "../../../../pipeline/settings/file_settings.js";
import { checkTogether, RUN_SETTINGS } from "../../../../pipeline/settings/options.js";
import { readSettings, SettingsError } from "../../../../pipeline/settings/read_settings.js";

const read = (flags: Record<string, string>) =>
  readSettings(RUN_SETTINGS, { flags, environment: {}, file: {} }, checkTogether).settings;

function problemOf(flags: Record<string, string>): string {
  try {
    read(flags);
  } catch (error) {
    if (error instanceof SettingsError) return error.problems.join("\n");
    throw error;
  }
  return "";
}

describe("settings of files", () => {
  const files = { orders: "o/*.avro", payments: "p/*.avro" };

  it("tell what a run has to do with, and whether it has an end", () => {
    const facts = (flags: Record<string, string>) => {
      const settings = read(flags);
      return [needsKafka(settings), needsMongo(settings), withEnd(settings).bounded];
    };
    assert.deepEqual(facts({}), [true, true, false]);
    assert.deepEqual(facts(files), [false, true, true]);
    assert.deepEqual(facts({ orders: "o" }), [true, true, false]);
    assert.deepEqual(facts({ ...files, then_kafka_from: "earliest" }), [true, true, false]);
    assert.deepEqual(facts({ ...files, sink: "stdout" }), [false, false, true]);
  });

  it("read a seam: a time, a name, or offsets by topic and partition", () => {
    const seam = (text: string) => read({ ...files, then_kafka_from: text }).then_kafka_from;
    assert.deepEqual(seam("2026-01-31T12:00:00Z"), { timestampMs: Date.UTC(2026, 0, 31, 12) });
    assert.equal(seam("earliest"), "earliest");
    assert.deepEqual(seam("orders:0:7, orders:1:0,pay.ments-2:0:99"), {
      offsetsByTopic: { orders: { 0: 7, 1: 0 }, "pay.ments-2": { 0: 99 } },
    });
  });

  const cases: readonly [Record<string, string>, RegExp][] = [
    [{ orders: "a[" }, /--orders is "a\[": expected .*a "\[" without its "\]"/],
    [{ then_kafka_from: "earliest" }, /--then_kafka_from is set without files/],
    [{ ...files, then_kafka_from: "monday" }, /--then_kafka_from is "monday": expected a time/],
    [{ ...files, then_kafka_from: "orders:0" }, /--then_kafka_from is "orders:0"/],
    [{ ...files, sink: "avro" }, /SINK_PATH \(--sink_path\) is not set/],
    [{ ...files, sink: "stdout", runner: "prism" }, /SINK \(--sink\) is "stdout", but on prism/],
    [{ ...files, sink: "jsonl", sink_path: "x", drain: "keep" }, /DRAIN .*is "keep" without STATE_DIR/],
    [{ ...files, sink: "file" }, /SINK .*expected mongodb, avro, jsonl or stdout/],
    [{ ...files, bad_files: "ignore" }, /BAD_FILES .*expected fail or skip/],
    [{ ...files, sink_codec: "bzip2" }, /SINK_CODEC .*expected null, deflate, snappy, zstandard/],
  ];
  for (const [flags, wanted] of cases) {
    it(`refuse ${JSON.stringify(flags)}`, () => assert.match(problemOf(flags), wanted));
  }
});
