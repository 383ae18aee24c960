import assert from "node:assert/strict";
import { ByteReader, ByteWriter } from "../../../../beam/model/bytes.js";
import { differencesOf } from "../../../../beam/runners/direct/graph_identity.js";
import { offsetRangeCoder } from "../../../../beam/sdk/offset_range_coder.js";
import {
  EndOfRange,
  LastBatch,
  type LogRange,
  LogRangeTracker,
  logRangeCoder,
  OtherLog,
} from "../../../../connectors/kafka/log_range.js";
import { partitionSourceCoder } from "../../../../connectors/kafka/partition_source.js";

const OPEN = Number.POSITIVE_INFINITY;
const anchor = { offset: 41, baseOffset: 40, leaderEpoch: 2, checksum: 0xffff_fffe };
const log = { clusterId: "a cluster", topicId: "a topic", anchor };
const batch = { baseOffset: 40, leaderEpoch: 7, checksum: 99 };

function encoded<T>(coder: { encode(value: T, out: ByteWriter, context: "nested"): void }, value: T): Buffer {
  const out = new ByteWriter();
  coder.encode(value, out, "nested");
  return Buffer.from(out.view());
}

describe("the range of a log", () => {
  it("comes back from its coder, whatever is known of the log", () => {
    const ranges: LogRange[] = [
      { start: 0, end: OPEN, log: undefined },
      { start: 3, end: 2 ** 50, log: undefined },
      { start: 42, end: OPEN, log },
      { start: 42, end: 43, log },
      { start: 42, end: 43, log: { clusterId: "", topicId: "", anchor: undefined } },
      { start: 2 ** 52, end: OPEN, log: { ...log, anchor: { ...anchor, leaderEpoch: -1 } } },
    ];
    for (const range of ranges) {
      assert.deepEqual(logRangeCoder.decode(new ByteReader(encoded(logRangeCoder, range)), "nested"), range);
    }
  });

  it("is read from state that was written before there was a log in it", () => {
    for (const end of [OPEN, 77]) {
      const bytes = encoded(offsetRangeCoder, { start: 5, end });
      assert.deepEqual(logRangeCoder.decode(new ByteReader(bytes), "nested"), {
        start: 5,
        end,
        log: undefined,
      });
    }
    const element = { topic: "t", partition: 2, range: { start: 5, end: OPEN, log: undefined } };
    assert.deepEqual(
      partitionSourceCoder.decode(new ByteReader(encoded(partitionSourceCoder, element)), "nested"),
      element,
    );
  });

  it("lets the graph go on from such state, and not an earlier release from this one", () => {
    const before = {
      "input 0 of Read": "kv(beam:coder:ts:kafka_partition:v1,beam:coder:ts:offset_range:v1)",
    };
    const now = {
      "input 0 of Read": "kv(beam:coder:ts:kafka_partition:v2,beam:coder:ts:kafka_log_range:v1)",
    };
    assert.deepEqual(differencesOf(before, now), []);
    assert.equal(differencesOf({ ...before, "input 0 of Read": "other" }, now).length, 1);
  });

  it("gives the rest away with the batch that was read last", () => {
    const tracker = new LogRangeTracker({ start: 42, end: OPEN, log });
    assert.deepEqual(tracker.trySplit(0)!.residual, { start: 42, end: OPEN, log });
    const other = new LogRangeTracker({ start: 42, end: OPEN, log });
    assert.ok(other.tryClaim({ offset: 44, batch }));
    assert.deepEqual(other.trySplit(0)!.residual, {
      start: 45,
      end: OPEN,
      log: { ...log, anchor: { offset: 44, ...batch } },
    });
  });

  it("marks no batch for a rest that begins further on", () => {
    const tracker = new LogRangeTracker({ start: 42, end: 142, log });
    const { primary, residual } = tracker.trySplit(0.5)!;
    assert.deepEqual(primary, { start: 42, end: 92, log });
    assert.deepEqual(residual, { start: 92, end: 142, log: { ...log, anchor: undefined } });
    assert.ok(tracker.tryClaim(new EndOfRange(91)));
    tracker.checkDone();
  });

  it("knows where it was read to the end, and which batch was the last", () => {
    const tracker = new LogRangeTracker({ start: 42, end: 50, log });
    assert.equal(tracker.restriction.readUpTo, 42);
    assert.deepEqual(tracker.restriction.log, log);
    assert.ok(tracker.tryClaim({ offset: 46, batch }));
    assert.equal(tracker.tryClaim(new EndOfRange(50)), false);
    tracker.checkDone();
    assert.equal(tracker.restriction.readUpTo, 47);
    assert.deepEqual(tracker.restriction.log, { ...log, anchor: { offset: 46, ...batch } });
    const whole = new LogRangeTracker({ start: 42, end: 50, log });
    assert.ok(whole.tryClaim(new LastBatch(49, batch)));
    assert.equal(whole.restriction.readUpTo, 50);
    assert.deepEqual(whole.restriction.log, { ...log, anchor: { offset: 49, ...batch } });
  });

  it("goes on in another log, also at a lower offset", () => {
    const tracker = new LogRangeTracker({ start: 42, end: OPEN, log });
    tracker.tryClaim({ offset: 42, batch });
    const found = { clusterId: "a cluster", topicId: "made again" };
    assert.ok(tracker.tryClaim(new OtherLog(found, 3, OPEN)));
    assert.deepEqual(tracker.trySplit(0)!.residual, {
      start: 3,
      end: OPEN,
      log: { ...found, anchor: undefined },
    });
  });
});
