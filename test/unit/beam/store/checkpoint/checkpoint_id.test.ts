import assert from "node:assert/strict";
import { isCheckpointId, nextCheckpointId } from "../../../../../beam/store/checkpoint/checkpoint_id.js";

const AT = Date.parse("2026-12-31T23:59:59.999Z");

describe("checkpoint ids", () => {
  it("begin with the second", () => {
    const first = nextCheckpointId(AT, undefined);
    assert.match(first, /^20261231T235959Z-[0-9a-f]{8}$/);
    assert.match(nextCheckpointId(AT + 5_000, first), /^20270101T000004Z-/);
    assert.ok(isCheckpointId(first));
    for (const text of ["latest", "20261125T110000Z", "20261125T110000Z-1", `${first}/..`, ""]) {
      assert.ok(!isCheckpointId(text), text);
    }
  });

  it("of two writers differ, also in the same second", () => {
    assert.notEqual(nextCheckpointId(AT, undefined), nextCheckpointId(AT, undefined));
  });

  it("grow whatever the clock does", () => {
    let id = nextCheckpointId(AT, undefined);
    for (const offset of [0, 500, -3_600_000, -1, 60_000, 0, 0, 61_000]) {
      const next = nextCheckpointId(AT + offset, id);
      assert.ok(isCheckpointId(next), next);
      assert.ok(next > id, `${next} after ${id}`);
      id = next;
    }
  });
});
