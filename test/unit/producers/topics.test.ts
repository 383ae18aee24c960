import assert from "node:assert/strict";
import type { Kafka } from "kafkajs";
import { createMissingTopics } from "../../../producers/topics.js";

describe("createMissingTopics", () => {
  it("waits for a broker that has not heard of a new topic, and for leaders", async () => {
    const created: string[] = [];
    const answers = [
      () => {
        throw new Error("This server does not host this topic-partition");
      },
      () => ({ topics: [{ name: "new", partitions: [{ leader: 1 }, { leader: -1 }] }] }),
      () => ({ topics: [{ name: "new", partitions: [{ leader: 1 }, { leader: 2 }] }] }),
    ];
    const admin = {
      connect: async () => undefined,
      disconnect: async () => undefined,
      listTopics: async () => ["old"],
      createTopics: async ({ topics }: { topics: { topic: string }[] }) => {
        created.push(...topics.map(({ topic }) => topic));
      },
      fetchTopicMetadata: async () => answers.shift()!(),
    };
    const kafka = { admin: () => admin } as unknown as Kafka;
    assert.deepEqual(await createMissingTopics(kafka, ["old", "new"]), ["new"]);
    assert.deepEqual(created, ["new"]);
    assert.deepEqual(answers, []);
  });
});
