import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { decodeFetchAnswer, fetchCall } from "../../../../../connectors/kafka/client/fetch_protocol.js";
import { Encoder } from "../../../../../connectors/kafka/client/kafkajs_internals.js";
import { batchBytes, recordsOf } from "./batch_builder.js";

const kafkaJsFetch = createRequire(import.meta.url)("kafkajs/src/protocol/requests/fetch");

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
      { topic: "orders", partition: 1, fetchOffset: 5_000_000_000, leaderEpoch: 4 },
      { topic: "orders", partition: 0, fetchOffset: 0, leaderEpoch: -1 },
      { topic: "payments", partition: 0, fetchOffset: 3, leaderEpoch: 0 },
    ];
    const { request } = fetchCall({ maxWaitMs: 250, maxBytes: 1_000, partitionMaxBytes: 100, partitions });
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
});
