import assert from "node:assert/strict";
import { decodeMetadata, metadataCall } from "../../../../../connectors/kafka/client/metadata_protocol.js";

const int16 = (n: number) => Buffer.from([n >> 8, n & 255]);
const int32 = (n: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(n);
  return bytes;
};
const text = (value: string) => Buffer.concat([Buffer.from([value.length + 1]), Buffer.from(value)]);
const count = (n: number) => Buffer.from([n + 1]);
const NO_TAGS = Buffer.from([0]);
const topicId = Buffer.from("00112233445566778899aabbccddeeff", "hex");

const answer = Buffer.concat([
  NO_TAGS,
  int32(5),
  count(1),
  int32(7),
  text("host"),
  int32(9_092),
  Buffer.from([0]), // no rack
  Buffer.from([1, 3, 2, 9, 9]), // a tag that nobody here knows
  text("cluster"),
  int32(7),
  count(2),
  int16(0),
  text("orders"),
  topicId,
  Buffer.from([0]),
  count(1),
  int16(0),
  int32(3),
  int32(7),
  int32(12),
  count(1),
  int32(7),
  count(1),
  int32(7),
  count(0),
  NO_TAGS,
  int32(-1),
  NO_TAGS,
  int16(3),
  text("gone"),
  Buffer.alloc(16),
  Buffer.from([0]),
  count(0),
  int32(-1),
  NO_TAGS,
  int32(-1),
  NO_TAGS,
]);

describe("metadata v10", () => {
  it("tells cluster, topics' ids and leaders' epochs", () => {
    assert.deepEqual(decodeMetadata(answer), {
      clientSideThrottleTime: 5,
      brokers: [{ nodeId: 7, host: "host", port: 9_092 }],
      clusterId: "cluster",
      topicMetadata: [
        {
          topicErrorCode: 0,
          topic: "orders",
          topicId: topicId.toString("base64url"),
          partitionMetadata: [{ partitionErrorCode: 0, partitionId: 3, leader: 7, leaderEpoch: 12 }],
        },
        { topicErrorCode: 3, topic: "gone", topicId: "", partitionMetadata: [] },
      ],
    });
  });

  it("refuses an answer that ends early, wherever", () => {
    for (let length = 0; length < answer.length - 5; length++) {
      // What follows the topics is not looked at.
      assert.throws(() => decodeMetadata(answer.subarray(0, length)), { name: "KafkaRequestError" });
    }
  });

  it("is asked for exactly the topics, and none is made", async () => {
    const { request } = metadataCall(["ab"], true);
    const name = Buffer.from("ab");
    const expected = [NO_TAGS, count(1), Buffer.alloc(16), count(2), name, NO_TAGS, Buffer.alloc(3), NO_TAGS];
    assert.deepEqual((await request.encode()).buffer, Buffer.concat(expected));
    assert.equal(metadataCall(["ab"], false).request.apiVersion, 6);
  });
});
