import assert from "node:assert/strict";
import { BufferedRecords } from "../../../../../connectors/kafka/client/buffered_records.js";
import { readRecordSet } from "../../../../../connectors/kafka/client/record_batch.js";
import { UnpackedBatches } from "../../../../../connectors/kafka/client/unpacked_batches.js";
import { batchBytes, sealed, type TestRecord } from "./batch_builder.js";

const WANTED = Buffer.from("wanted");

async function open(records: readonly TestRecord[], damage: (bytes: Buffer) => void = () => undefined) {
  const bytes = await batchBytes({ records });
  damage(bytes);
  sealed(bytes);
  const set = readRecordSet(bytes, 0, bytes.length, 0, [], true);
  const cursor = new BufferedRecords(0, "t[0]", new UnpackedBatches(1 << 20, 1 << 20));
  cursor.push(set.batches);
  cursor.allow(Number.POSITIVE_INFINITY);
  return cursor;
}

function wanted(cursor: BufferedRecords): string | undefined {
  return cursor.findHeader(WANTED)
    ? cursor.buffer.toString("utf8", cursor.headerStart, cursor.headerEnd)
    : undefined;
}

const record = (offsetDelta: number, headers?: Record<string, string>): TestRecord => ({
  offsetDelta,
  key: Buffer.from("k"),
  value: offsetDelta % 2 === 0 ? Buffer.from("v") : null,
  ...(headers !== undefined && { headers }),
});

describe("the headers of a record", () => {
  it("are found by name, and only in their record", async () => {
    const cursor = await open([
      record(0, { other: "1", wanted: "mine", wante: "2", wantedd: "3" }),
      record(1),
      record(2, { other: "wanted" }),
      record(3, { wanted: "" }),
      record(4, { wanted: "x".repeat(300) }),
    ]);
    const seen: (string | undefined)[] = [];
    while (cursor.next()) seen.push(wanted(cursor));
    assert.deepEqual(seen, ["mine", undefined, undefined, "", "x".repeat(300)]);
  });

  it("count by the last one of a name", async () => {
    const cursor = await open([record(0, { wanted: ["first", "last"] as unknown as string })]);
    assert.ok(cursor.next());
    assert.equal(wanted(cursor), "last");
  });

  it("that are damaged are none, whichever byte it is, and the records behind are read", async () => {
    const records = [record(0, { wanted: "mine", more: "of it" }), record(1), record(2)];
    const whole = await batchBytes({ records });
    const first = whole.indexOf("wanted") - 2;
    const last = whole.indexOf("of it") + 5;
    for (let at = first; at < last; at++) {
      for (const byte of [0x00, 0x01, 0x7f, 0x80, 0xff]) {
        const cursor = await open(records, (bytes) => {
          bytes[at] = byte;
        });
        assert.ok(cursor.next());
        cursor.findHeader(WANTED);
        assert.ok(cursor.headerEnd <= cursor.buffer.length);
        assert.ok(cursor.next() && cursor.next() && !cursor.next());
      }
    }
  });
});
