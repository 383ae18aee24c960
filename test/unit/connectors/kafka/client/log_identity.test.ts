import assert from "node:assert/strict";
import {
  type BatchHeader,
  holdsAnchor,
  isSameLog,
  mergedLog,
} from "../../../../../connectors/kafka/client/log_identity.js";

const anchor = { offset: 17, baseOffset: 10, leaderEpoch: 3, checksum: 0xdeadbeef };
const whole: BatchHeader = {
  baseOffset: 10,
  lastOffset: 19,
  leaderEpoch: 3,
  checksum: 0xdeadbeef,
  recordCount: 10,
};

describe("the identity of a log", () => {
  it("is that of cluster and topic, as far as both sides know them", () => {
    const log = { clusterId: "c", topicId: "t" };
    assert.ok(isSameLog(log, log));
    assert.ok(isSameLog(log, { clusterId: "c", topicId: "" }));
    assert.ok(isSameLog({ clusterId: "", topicId: "" }, log));
    assert.ok(!isSameLog(log, { clusterId: "c", topicId: "u" }));
    assert.ok(!isSameLog(log, { clusterId: "d", topicId: "" }));
    assert.deepEqual(mergedLog({ clusterId: "c", topicId: "" }, log), log);
  });

  it("holds while the last batch is what it was", () => {
    assert.ok(holdsAnchor(whole, anchor));
    // Written again by its producer after an election that had lost it: the same bytes, of a later epoch.
    assert.ok(holdsAnchor({ ...whole, leaderEpoch: 4 }, anchor));
  });

  it("does not hold with other content, or other batches, at that place", () => {
    assert.ok(!holdsAnchor({ ...whole, checksum: 1 }, anchor));
    assert.ok(!holdsAnchor({ ...whole, baseOffset: 12, recordCount: 8 }, anchor));
    assert.ok(!holdsAnchor({ ...whole, baseOffset: 0, recordCount: 20 }, anchor));
  });

  it("holds when compaction has taken records out, or the whole batch", () => {
    assert.ok(holdsAnchor({ ...whole, checksum: 1, recordCount: 4 }, anchor));
    assert.ok(!holdsAnchor({ ...whole, checksum: 1, recordCount: 4, leaderEpoch: 2 }, anchor));
    const next = { baseOffset: 40, lastOffset: 40, leaderEpoch: 3, checksum: 5, recordCount: 1 };
    assert.ok(holdsAnchor(next, anchor));
    assert.ok(!holdsAnchor({ ...next, leaderEpoch: 2 }, anchor));
  });

  it("refuses an answer that lies in front of the question", () => {
    assert.throws(() => holdsAnchor({ ...whole, baseOffset: 0, lastOffset: 9 }, anchor), {
      name: "RecordFormatError",
    });
  });
});
