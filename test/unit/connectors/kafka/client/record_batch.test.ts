import assert from "node:assert/strict";
import fc from "fast-check";
import { BufferedRecords } from "../../../../../connectors/kafka/client/buffered_records.js";
import {
  RecordFormatError,
  UnreadableRecordsError,
} from "../../../../../connectors/kafka/client/kafka_errors.js";
import {
  type AbortedTransaction,
  readRecordSet,
} from "../../../../../connectors/kafka/client/record_batch.js";
import { UnpackedBatches } from "../../../../../connectors/kafka/client/unpacked_batches.js";
import { batchBytes, markerBytes, recordsOf, sealed } from "./batch_builder.js";

const unpacked = new UnpackedBatches(64 << 20, 128 << 20);

interface Seen {
  offset: number;
  timestampMs: number;
  key: string | null;
  value: string | null;
}

async function readAll(bytes: Buffer, fetchOffset = 0, aborted: AbortedTransaction[] = []) {
  const set = readRecordSet(bytes, 0, bytes.length, fetchOffset, aborted, true);
  const records = new BufferedRecords(fetchOffset, "t[0]", unpacked);
  records.push(set.batches);
  return { seen: drain(records), nextOffset: set.nextOffset, records };
}

function drain(records: BufferedRecords): Seen[] {
  const seen: Seen[] = [];
  records.allow(Number.POSITIVE_INFINITY);
  while (records.next()) {
    const { offset, timestampMs, buffer, keyStart, keyEnd, valueStart, valueEnd } = records;
    seen.push({
      offset,
      timestampMs,
      key: keyStart < 0 ? null : buffer.toString("utf8", keyStart, keyEnd),
      value: valueStart < 0 ? null : buffer.toString("utf8", valueStart, valueEnd),
    });
  }
  return seen;
}

const values = (seen: Seen[]) => seen.map(({ value }) => value);

describe("record batches", () => {
  it("gives offset, time, key and value of every record", async () => {
    const bytes = await batchBytes({
      baseOffset: 5_000_000_000,
      baseTimestampMs: 1_700_000_000_000,
      records: [
        { offsetDelta: 0, timestampDelta: 0, key: Buffer.from("a"), value: Buffer.from("x".repeat(300)) },
        { offsetDelta: 1, timestampDelta: -70_000, key: null, value: Buffer.alloc(0) },
        { offsetDelta: 70_000, timestampDelta: 40_000_000_000, key: Buffer.alloc(0), value: null },
        {
          offsetDelta: 70_001,
          timestampDelta: 200,
          key: Buffer.from("d"),
          value: Buffer.from("y"),
          headers: { h: "v" },
        },
      ],
    });
    const { seen, nextOffset } = await readAll(bytes, 5_000_000_000);
    assert.deepEqual(seen, [
      { offset: 5_000_000_000, timestampMs: 1_700_000_000_000, key: "a", value: "x".repeat(300) },
      { offset: 5_000_000_001, timestampMs: 1_699_999_930_000, key: null, value: "" },
      { offset: 5_000_070_000, timestampMs: 1_740_000_000_000, key: "", value: null },
      { offset: 5_000_070_001, timestampMs: 1_700_000_000_200, key: "d", value: "y" },
    ]);
    assert.equal(nextOffset, 5_000_070_002);
  });

  it("reads what kafkajs writes, whatever the numbers", async () => {
    const bytes = fc.option(fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)));
    const record = fc.record({
      gap: fc.integer({ min: 1, max: 100_000 }),
      timestampDelta: fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
      key: bytes,
      value: bytes,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), fc.boolean(), async (raw, gzip) => {
        let offsetDelta = 0;
        const records = raw.map(({ gap, ...rest }) => {
          offsetDelta += gap;
          return { ...rest, offsetDelta };
        });
        const base = 2 ** 46;
        const encoded = await batchBytes({ baseOffset: 77, baseTimestampMs: base, records, gzip });
        const { seen } = await readAll(encoded);
        assert.deepEqual(
          seen,
          records.map((expected) => ({
            offset: 77 + expected.offsetDelta,
            timestampMs: base + expected.timestampDelta,
            key: expected.key?.toString("utf8") ?? null,
            value: expected.value?.toString("utf8") ?? null,
          })),
        );
      }),
    );
  });

  it("goes on through several batches, plain and gzip", async () => {
    const bytes = Buffer.concat([
      await batchBytes({ baseOffset: 10, records: recordsOf("a", "b") }),
      await batchBytes({ baseOffset: 12, records: recordsOf("c", "d"), gzip: true }),
      await batchBytes({ baseOffset: 14, records: recordsOf("e") }),
    ]);
    const { seen, nextOffset } = await readAll(bytes, 10);
    assert.deepEqual(values(seen), ["a", "b", "c", "d", "e"]);
    assert.equal(nextOffset, 15);
  });

  it("skips records below the offset that was asked for", async () => {
    const bytes = Buffer.concat([
      await batchBytes({ baseOffset: 0, records: recordsOf("a", "b") }),
      await batchBytes({ baseOffset: 2, records: recordsOf("c", "d", "e") }),
    ]);
    const { seen } = await readAll(bytes, 3);
    assert.deepEqual(
      seen.map(({ offset }) => offset),
      [3, 4],
    );
  });

  it("ignores a batch that is cut off, wherever", async () => {
    const whole = await batchBytes({ baseOffset: 0, records: recordsOf("a") });
    const cut = await batchBytes({ baseOffset: 1, records: recordsOf("b") });
    for (let length = 0; length < cut.length; length++) {
      const { seen, nextOffset } = await readAll(Buffer.concat([whole, cut.subarray(0, length)]));
      assert.deepEqual(values(seen), ["a"], `${length} bytes of the second batch`);
      assert.equal(nextOffset, 1);
    }
  });

  it("steps over what compaction removed, and over batches it emptied", async () => {
    const bytes = Buffer.concat([
      await batchBytes({ baseOffset: 0, records: recordsOf("a"), lastOffsetDelta: 9 }),
      await batchBytes({ baseOffset: 10, records: [], lastOffsetDelta: 4 }),
    ]);
    const { seen, nextOffset } = await readAll(bytes);
    assert.deepEqual(values(seen), ["a"]);
    assert.equal(nextOffset, 15);
  });

  it("takes the broker's time where the topic says LogAppendTime", async () => {
    const bytes = await batchBytes({
      baseTimestampMs: 1_000,
      maxTimestampMs: 9_999,
      logAppendTime: true,
      records: recordsOf("a", "b"),
    });
    const { seen } = await readAll(bytes);
    assert.deepEqual(
      seen.map(({ timestampMs }) => timestampMs),
      [9_999, 9_999],
    );
  });

  it("hides control batches and exactly the aborted transactions", async () => {
    const of = (baseOffset: number, producerId: number, ...texts: string[]) =>
      batchBytes({ baseOffset, producerId, transactional: true, records: recordsOf(...texts) });
    const bytes = Buffer.concat([
      await of(0, 7, "aborted 1"),
      await of(1, 8, "committed 1"),
      await batchBytes({ baseOffset: 2, records: recordsOf("plain") }),
      await of(3, 7, "aborted 2"),
      await markerBytes(4, 7, false),
      await of(5, 7, "committed 2"),
      await markerBytes(6, 8, true),
      await markerBytes(7, 7, true),
      await of(8, 7, "aborted 3"),
      await markerBytes(9, 7, false),
    ]);
    const { seen, nextOffset } = await readAll(bytes, 0, [
      { producerId: 7, firstOffset: 8 },
      { producerId: 7, firstOffset: 0 },
    ]);
    assert.deepEqual(values(seen), ["committed 1", "plain", "committed 2"]);
    assert.equal(nextOffset, 10);
  });

  it("refuses message sets of old Kafkas, naming the format", async () => {
    for (const magic of [0, 1]) {
      const bytes = await batchBytes({ records: recordsOf("a") });
      bytes[16] = magic;
      await assert.rejects(readAll(bytes), {
        name: "RecordFormatError",
        message: new RegExp(`v${magic}, .*0\\.11`),
      });
    }
  });

  it("notices changed bytes by the checksum", async () => {
    const bytes = await batchBytes({ baseOffset: 42, records: recordsOf("hello") });
    bytes[bytes.length - 3]! ^= 1;
    await assert.rejects(readAll(bytes), { name: "RecordFormatError", message: /offset 0 .*checksum/ });
    assert.equal(readRecordSet(bytes, 0, bytes.length, 0, [], false).batches.length, 1);
  });

  it("names offsets, codec and reason where a batch cannot be unpacked, and goes on behind it", async () => {
    for (const [codec, name] of [
      [1, "gzip"],
      [2, "snappy"],
      [3, "lz4"],
      [4, "zstd"],
      [6, "an unknown codec"],
    ] as const) {
      const bad = await batchBytes({ baseOffset: 3, records: recordsOf("a", "b") });
      bad.writeInt16BE(codec, 21);
      const good = await batchBytes({ baseOffset: 5, records: recordsOf("c") });
      const bytes = Buffer.concat([sealed(bad), good]);
      const records = new BufferedRecords(0, "orders[1]", unpacked);
      records.push(readRecordSet(bytes, 0, bytes.length, 0, [], true).batches);
      records.allow(10);
      for (let i = 0; i < 2; i++) {
        assert.throws(
          () => records.next(),
          (error) => {
            assert.ok(error instanceof UnreadableRecordsError);
            assert.match(error.message, new RegExp(`orders\\[1\\].*offsets 3 to 4 .*with ${name}: `));
            assert.deepEqual(error.bytes, bad.subarray(61));
            return true;
          },
        );
        assert.equal(records.isExhausted, false);
      }
      records.skipUnreadable();
      assert.equal(records.position, 5);
      assert.deepEqual(values(drain(records)), ["c"]);
    }
  });

  it("tells of a malformed record, and of all behind it in its batch", async () => {
    const bytes = await batchBytes({ baseOffset: 3, records: recordsOf("a", "b") });
    bytes[bytes.length - 10] = 0x7f; // length of the second record
    const { batches } = readRecordSet(sealed(bytes), 0, bytes.length, 3, [], true);
    const records = new BufferedRecords(3, "orders[1]", unpacked);
    records.push(batches);
    records.allow(10);
    assert.equal(records.next(), true);
    for (let i = 0; i < 2; i++) {
      assert.throws(() => records.next(), {
        name: "UnreadableRecordsError",
        message: /orders\[1\].*offsets 4 to 4.*malformed/,
      });
    }
    records.skipUnreadable();
    assert.equal(records.next(), false);
    assert.equal(records.position, 5);
  });

  it("tells of offsets within a batch that do not grow, or leave it, and goes on behind it", async () => {
    for (const delta of [0, -1, 5]) {
      const twice = [...recordsOf("a"), { offsetDelta: delta, key: null, value: null }];
      const bytes = await batchBytes({ baseOffset: 3, lastOffsetDelta: 1, records: twice });
      const { batches } = readRecordSet(bytes, 0, bytes.length, 3, [], true);
      const records = new BufferedRecords(3, "t[0]", unpacked);
      records.push(batches);
      records.allow(10);
      assert.equal(records.next(), true);
      const unreadable = { name: "UnreadableRecordsError", firstOffset: 4, lastOffset: 4 };
      assert.throws(() => records.next(), unreadable, `delta ${delta}`);
      records.skipUnreadable();
      assert.equal(records.next(), false);
      assert.equal(records.position, 5);
    }
  });

  it("gives what comes before a damaged batch", async () => {
    const first = await batchBytes({ records: recordsOf("a") });
    const second = await batchBytes({ baseOffset: 1, records: recordsOf("b") });
    second[second.length - 3]! ^= 1;
    const bytes = Buffer.concat([first, second]);
    const { batches, nextOffset } = readRecordSet(bytes, 0, bytes.length, 0, [], true);
    assert.deepEqual([batches.length, nextOffset], [1, 1]);
    assert.throws(() => readRecordSet(second, 0, second.length, 1, [], true), { name: "RecordFormatError" });
  });

  it("holds so many unpacked bytes, whatever the number of partitions", async () => {
    const memory = new UnpackedBatches(1 << 20, 4_000);
    const readers = await Promise.all(
      [0, 1, 2, 3, 4].map(async (partition) => {
        const records = new BufferedRecords(0, `t[${partition}]`, memory);
        const bytes = await batchBytes({
          gzip: true,
          records: recordsOf(..."abc".split("").map((c) => c.repeat(500))),
        });
        records.push(readRecordSet(bytes, 0, bytes.length, 0, [], true).batches);
        return { records, seen: [] as string[] };
      }),
    );
    for (let round = 0; round < 3; round++) {
      for (const { records, seen } of readers) {
        records.allow(1);
        assert.equal(records.next(), true);
        seen.push(records.buffer.toString("utf8", records.valueStart, records.valueStart + 1));
        assert.ok(memory.heldBytes <= 4_000, String(memory.heldBytes));
      }
    }
    for (const { records, seen } of readers) {
      assert.deepEqual(seen, ["a", "b", "c"]);
      records.allow(1);
      assert.equal(records.isExhausted, true);
    }
    assert.equal(memory.heldBytes, 0);
  });

  it("ends on any bytes: records or a RecordFormatError", async () => {
    const valid = await batchBytes({ records: recordsOf("one", "two", "three") });
    const changed = fc
      .array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 8 })
      .map((edits) => {
        const bytes = Buffer.from(valid);
        for (const [at, byte] of edits) bytes[at] = byte;
        return bytes;
      });
    const noise = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
    const marked = noise.map((bytes) => {
      if (bytes.length > 16) bytes[16] = 2;
      if (bytes.length > 11) bytes.writeInt32BE(Math.max(0, bytes.length - 12), 8);
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(changed, noise, marked), (bytes) => {
        try {
          const { batches } = readRecordSet(bytes, 0, bytes.length, 0, [], false);
          const records = new BufferedRecords(0, "t[0]", unpacked);
          records.push(batches);
          assert.ok(drain(records).length <= bytes.length);
        } catch (error) {
          assert.ok(
            error instanceof RecordFormatError || error instanceof UnreadableRecordsError,
            String(error),
          );
        }
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("buffered records", () => {
  async function buffered(...counts: number[]) {
    const records = new BufferedRecords(0, "t[0]", unpacked);
    let baseOffset = 0;
    for (const count of counts) {
      const texts = Array.from({ length: count }, (_, i) => `v${baseOffset + i}`);
      const bytes = await batchBytes({ baseOffset, records: recordsOf(...texts) });
      records.push(readRecordSet(bytes, 0, bytes.length, 0, [], true).batches);
      baseOffset += count;
    }
    return records;
  }

  it("hands out as many as allowed and goes on where it was left", async () => {
    const records = await buffered(3, 3);
    records.allow(4);
    const seen: number[] = [];
    while (records.next()) seen.push(records.offset);
    assert.deepEqual(seen, [0, 1, 2, 3]);
    assert.equal(records.position, 4);
    assert.equal(records.isExhausted, false);
    records.allow(100);
    while (records.next()) seen.push(records.offset);
    assert.deepEqual(seen, [0, 1, 2, 3, 4, 5]);
    assert.equal(records.isExhausted, true);
  });

  it("counts the bytes of batches until they have been read", async () => {
    const records = await buffered(2, 2);
    const full = records.bufferedBytes;
    records.allow(2);
    while (records.next());
    records.allow(2);
    assert.equal(records.bufferedBytes, full / 2);
    while (records.next());
    records.allow(1);
    assert.equal(records.bufferedBytes, 0);
  });

  it("forgets everything on clear", async () => {
    const records = await buffered(2);
    records.allow(1);
    records.clear();
    assert.equal(records.next(), false);
    assert.equal(records.isExhausted, true);
    assert.equal(records.bufferedBytes, 0);
  });
});
