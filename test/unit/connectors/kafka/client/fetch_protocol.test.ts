import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { decodeFetchAnswer, fetchCall } from "../../../../../connectors/kafka/client/fetch_protocol.js";
import { Encoder } from "../../../../../connectors/kafka/client/kafkajs_internals.js";
import { batchBytes, recordsOf } from "./batch_builder.js";

const kafkaJsFetch = createRequire(import.meta.url)("kafkajs/src/protocol/requests/fetch");

const ORDERS_ID = Buffer.from("00112233445566778899aabbccddeeff", "hex").toString("base64url");
const PAYMENTS_ID = Buffer.from("f0112233445566778899aabbccddeeff", "hex").toString("base64url");

async function answerBytes(): Promise<Buffer> {
  const records = await batchBytes({ baseOffset: 40, records: recordsOf("a", "b") });
  const partition = (id: number, error: number, aborted: [number, number][] | null, bytes: Buffer | null) => {
    const encoder = new Encoder()
      .writeInt32(id)
      .writeInt16(error)
      .writeInt64(50)
      .writeInt64(45)
      .writeInt64(3);
    if (aborted === null) encoder.writeInt32(-1);
    else {
      encoder.writeArray(
        aborted.map(([producer, first]) => new Encoder().writeInt64(producer).writeInt64(first)),
      );
    }
    encoder.writeInt32(-1).writeInt32(bytes === null ? -1 : bytes.length);
    return Buffer.concat([encoder.buffer, bytes ?? Buffer.alloc(0)]);
  };
  return Buffer.concat([
    new Encoder().writeInt32(12).writeInt16(0).writeInt32(0).writeInt32(2).buffer,
    new Encoder().writeString("orders").writeInt32(2).buffer,
    partition(0, 0, [[7, 41]], records),
    partition(1, 6, null, null),
    new Encoder().writeString("payments").writeInt32(1).buffer,
    partition(2, 0, [], Buffer.alloc(0)),
  ]);
}

describe("fetch protocol", () => {
  it("reads an answer, with errors as data and records in place", async () => {
    const bytes = await answerBytes();
    const answer = decodeFetchAnswer(bytes);
    assert.equal(answer.clientSideThrottleTime, 12);
    assert.equal(answer.errorCode, 0);
    assert.deepEqual(
      answer.partitions.map(({ topic, partition, errorCode, highWatermark, lastStableOffset }) => ({
        highWatermark,
        topic,
        partition,
        errorCode,
        lastStableOffset,
      })),
      [
        { highWatermark: 50, topic: "orders", partition: 0, errorCode: 0, lastStableOffset: 45 },
        { highWatermark: 50, topic: "orders", partition: 1, errorCode: 6, lastStableOffset: 45 },
        { highWatermark: 50, topic: "payments", partition: 2, errorCode: 0, lastStableOffset: 45 },
      ],
    );
    const [first, second] = answer.partitions;
    assert.deepEqual(first!.aborted, [{ producerId: 7, firstOffset: 41 }]);
    assert.equal(first!.buffer, bytes);
    assert.deepEqual(
      bytes.subarray(first!.recordsStart, first!.recordsEnd),
      await batchBytes({ baseOffset: 40, records: recordsOf("a", "b") }),
    );
    assert.equal(second!.recordsStart, second!.recordsEnd);
  });

  it("refuses an answer that ends early, wherever", async () => {
    const bytes = await answerBytes();
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodeFetchAnswer(bytes.subarray(0, length)), { name: "KafkaRequestError" });
    }
  });

  it("writes the request as kafkajs does", async () => {
    const partitions = [
      { topic: "orders", topicId: ORDERS_ID, partition: 1, fetchOffset: 5_000_000_000, leaderEpoch: 4 },
      { topic: "orders", topicId: ORDERS_ID, partition: 0, fetchOffset: 0, leaderEpoch: -1 },
      { topic: "payments", topicId: PAYMENTS_ID, partition: 0, fetchOffset: 3, leaderEpoch: 0 },
    ];
    const fetch = { maxWaitMs: 250, maxBytes: 1_000, partitionMaxBytes: 100, partitions };
    const { request } = fetchCall(fetch, false);
    const maxBytes = 100;
    const theirs = kafkaJsFetch.protocol({ version: 11 })({
      maxWaitTime: 250,
      minBytes: 1,
      maxBytes: 1_000,
      topics: [
        {
          topic: "orders",
          partitions: [
            { partition: 1, currentLeaderEpoch: 4, fetchOffset: "5000000000", maxBytes },
            { partition: 0, fetchOffset: "0", maxBytes },
          ],
        },
        {
          topic: "payments",
          partitions: [{ partition: 0, currentLeaderEpoch: 0, fetchOffset: "3", maxBytes }],
        },
      ],
    }).request;
    assert.deepEqual((await request.encode()).buffer, (await theirs.encode()).buffer);
    assert.deepEqual([request.apiKey, request.apiVersion], [theirs.apiKey, theirs.apiVersion]);
  });

  describe("by id", () => {
    const partitions = [
      { topic: "orders", topicId: ORDERS_ID, partition: 1, fetchOffset: 5_000_000_000, leaderEpoch: 4 },
      { topic: "payments", topicId: PAYMENTS_ID, partition: 0, fetchOffset: 3, leaderEpoch: -1 },
      { topic: "orders", topicId: ORDERS_ID, partition: 0, fetchOffset: 0, leaderEpoch: 0 },
    ];
    const fetch = { maxWaitMs: 250, maxBytes: 1_000, partitionMaxBytes: 100, partitions };

    it("names topics by their ids in the request", async () => {
      const { request } = fetchCall(fetch, true);
      assert.equal(request.apiVersion, 13);
      // Each line: a topic, how many partitions, and of each number, epoch, offset, epoch before, log start, bytes, tags.
      const expected = [
        "00",
        "ffffffff 000000fa 00000001 000003e8 01 00000000 ffffffff",
        "04",
        `${hex(ORDERS_ID)} 02 00000001 00000004 000000012a05f200 ffffffff ffffffffffffffff 00000064 00 00`,
        `${hex(PAYMENTS_ID)} 02 00000000 ffffffff 0000000000000003 ffffffff ffffffffffffffff 00000064 00 00`,
        `${hex(ORDERS_ID)} 02 00000000 00000000 0000000000000000 ffffffff ffffffffffffffff 00000064 00 00`,
        "01 01 00",
      ];
      const bytes = Buffer.from(expected.join("").replaceAll(" ", ""), "hex");
      assert.deepEqual((await request.encode()).buffer, bytes);
    });

    it("keeps partitions of one name and of different ids apart", async () => {
      const of = (partition: number, topicId: string) => ({ ...partitions[0]!, partition, topicId });
      const made = { ...fetch, partitions: [of(1, PAYMENTS_ID), of(0, ORDERS_ID)] };
      const text = (await fetchCall(made, true).request.encode()).buffer.toString("hex");
      assert.ok(text.includes(hex(PAYMENTS_ID)) && text.includes(hex(ORDERS_ID)));
    });

    it("is not used where the broker does not speak it, or an id is not known", () => {
      assert.equal(fetchCall(fetch, false).request.apiVersion, 11);
      const unknown = { ...fetch, partitions: [...partitions, { ...partitions[0]!, topicId: "" }] };
      assert.equal(fetchCall(unknown, true).request.apiVersion, 11);
    });

    it("reads an answer, tags left aside", async () => {
      const records = await batchBytes({ baseOffset: 40, records: recordsOf("a", "b") });
      const bytes = answerById(records);
      const answer = decodeFetchAnswer(bytes, fetch);
      const { partitions: found, ...rest } = answer;
      assert.deepEqual(rest, { clientSideThrottleTime: 12, errorCode: 0, isById: true });
      assert.deepEqual(
        found.map(({ buffer: _, ...partition }) => partition),
        [
          {
            topic: "payments",
            partition: 0,
            errorCode: 0,
            highWatermark: 50,
            lastStableOffset: 45,
            aborted: [{ producerId: 7, firstOffset: 41 }],
            recordsStart: bytes.indexOf(records),
            recordsEnd: bytes.indexOf(records) + records.length,
          },
          {
            topic: "orders",
            partition: 1,
            errorCode: 100,
            highWatermark: -1,
            lastStableOffset: -1,
            aborted: [],
            recordsStart: found[1]!.recordsEnd,
            recordsEnd: found[1]!.recordsEnd,
          },
        ],
      );
    });

    it("refuses an answer that ends early, wherever, or tells of a topic that nobody asked for", async () => {
      const bytes = answerById(await batchBytes({ records: recordsOf("a") }));
      // What follows the topics is not looked at.
      for (let length = 0; length < bytes.length - 1; length++) {
        assert.throws(() => decodeFetchAnswer(bytes.subarray(0, length), fetch), {
          name: "KafkaRequestError",
        });
      }
      const others = { ...fetch, partitions: [partitions[0]!] };
      assert.throws(() => decodeFetchAnswer(bytes, others), { name: "KafkaRequestError" });
    });
  });
});

function hex(id: string): string {
  return Buffer.from(id, "base64url").toString("hex");
}

function answerById(records: Buffer): Buffer {
  const unknownTag = "01 03 02 0909";
  return Buffer.concat([
    Buffer.from(
      `00 0000000c 0000 00000000 03 ${hex(PAYMENTS_ID)} 02 00000000 0000 0000000000000032 000000000000002d 0000000000000003
       02 0000000000000007 0000000000000029 00 ffffffff`.replace(/\s/g, ""),
      "hex",
    ),
    new Encoder().writeUVarInt(records.length + 1).buffer,
    records,
    Buffer.from(
      `${unknownTag} 00 ${hex(ORDERS_ID)} 02 00000001 0064 ffffffffffffffff ffffffffffffffff ffffffffffffffff
       00 ffffffff 00 00 ${unknownTag} 00`.replace(/\s/g, ""),
      "hex",
    ),
  ]);
}
