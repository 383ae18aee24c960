import assert from "node:assert/strict";
import fc from "fast-check";
import { type Message, Partitioners, type PartitionMetadata } from "kafkajs";
import { createKeyPartitioner, murmur2 } from "../../../producers/partitioner.js";

describe("key partitioner", () => {
  it("gives the hashes of Kafka's own tests", () => {
    const vectors: [string, number][] = [
      ["21", -973932308],
      ["foobar", -790332482],
      ["a-little-bit-long-string", -985981536],
      ["a-little-bit-longer-string", -1486304829],
      ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
      ["abc", 479470107],
    ];
    for (const [key, hash] of vectors) assert.equal(murmur2(Buffer.from(key)), hash, key);
  });

  it("agrees with kafkajs's default partitioner on every key", () => {
    const ours = createKeyPartitioner();
    const theirs = Partitioners.DefaultPartitioner();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 12 }), (bytes, partitions) => {
        const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
          partitionId,
          leader: 1,
        })) as PartitionMetadata[];
        const message: Message = { key: Buffer.from(bytes), value: null };
        const record = { topic: "t", partitionMetadata, message };
        assert.equal(ours(record), theirs(record));
      }),
    );
  });
});
