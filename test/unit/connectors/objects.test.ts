/** Reads and writes that are told the fields of their objects only: what they refuse when the graph is built. */
import assert from "node:assert/strict";
import * as beam from "../../../beam/index.js";
import { defineJsonDecoder } from "../../../connectors/kafka/define_decoder.js";
import { readJsonFromKafka } from "../../../connectors/kafka/read_json.js";
import { writeToMongo } from "../../../connectors/mongodb/write_to_mongo.js";

const click = beam.coders.object({
  user: "string",
  at: "timestamp",
  age: "int?",
  n: "int",
  tags: ["string"],
});
const from = { connection: "kafka", topic: "clicks", event: click } as const;
const into = { connection: "mongodb", database: "d", collection: "c" };

describe("readJsonFromKafka", () => {
  const read = (key: string | undefined, eventTime: string) => () =>
    readJsonFromKafka("Read", beam.createPipeline().root, { ...from, key, eventTime } as never);

  it("takes a field as the key, and a timestamp as the event time", () => {
    for (const key of ["user", "at", "n", undefined]) assert.doesNotThrow(read(key, "at"));
  });

  it("refuses fields that cannot be these, in a sentence", () => {
    assert.throws(read("usr", "at"), /^TypeError: Read: the events have no field "usr"$/);
    assert.throws(read("user", "time"), /^TypeError: Read: the events have no field "time"$/);
    assert.throws(
      read("user", "n"),
      /Read: the event time comes from a field of the type "timestamp", which "n" is not/,
    );
    assert.throws(read("age", "at"), /Read: "age" cannot be the key: .*never null/);
    assert.throws(read("tags", "at"), /Read: "tags" cannot be the key/);
  });
});

describe("defineJsonDecoder", () => {
  it("refuses a URN that is taken", () => {
    const define = () =>
      defineJsonDecoder({
        urn: "test:objects:decoder:v1",
        coder: beam.coders.string,
        value: String,
        eventTime: () => 0,
      });
    define();
    assert.throws(define, /the URN test:objects:decoder:v1 belongs to another record decoder/);
  });
});

describe("writeToMongo", () => {
  const write = (coder: beam.Coder<any>, id: string | string[]) => () =>
    writeToMongo("Write", beam.create("C", beam.createPipeline().root, [], coder), { ...into, id } as never);

  it("takes one field or several for the _id", () => {
    assert.doesNotThrow(write(click, "user"));
    assert.doesNotThrow(write(click, ["user", "at"]));
    assert.doesNotThrow(write(beam.coders.object({ _id: "string" }), "_id"));
  });

  it("refuses what it can make no documents of, in a sentence", () => {
    assert.throws(
      write(beam.coders.string, "user"),
      /Write: its elements are not objects\. .* coders\.object/,
    );
    assert.throws(write(click, "usr"), /Write: the elements have no field "usr" for their _id/);
    assert.throws(
      write(click, ["user", "tags"]),
      /"tags" is an array, which MongoDB does not accept as an _id/,
    );
    const own = beam.coders.object({ _id: "string", user: "string" });
    assert.throws(write(own, "user"), /Write: the elements have a field "_id": name it as the id/);
  });
});
