import assert from "node:assert/strict";
import * as beam from "../../../../beam/index.js";

const words = beam.flatMapFn("test:element_wise:words:v1", beam.coders.string, (line: string) =>
  line.split(" "),
);
const lower = beam.mapFn("test:element_wise:lower:v1", beam.coders.string, (word: string) =>
  word.toLowerCase(),
);
const isLong = beam.filterFn("test:element_wise:is_long:v1", (word: string) => word.length > 2);
const byLength = beam.keyFn("test:element_wise:by_length:v1", beam.coders.int, (word: string) => word.length);
const taken: string[] = [];
const take = beam.filterFn("test:element_wise:take:v1", (element: beam.KV<number, Iterable<string>>) => {
  taken.push(`${element.key} ${[...element.value].sort().join(",")}`);
  return false;
});

describe("map, flatMap, filter and withKeys", () => {
  it("apply their functions, and carry the coders along", async () => {
    const { pipeline, root } = beam.createPipeline();
    const lines = beam.create("Lines", root, ["To be or", "NOT to be THAT"], beam.coders.string);
    const long = beam.filter("Long", beam.map("Lower", beam.flatMap("Words", lines, words), lower), isLong);
    beam.filter("Take", beam.groupByKey("Group", beam.withKeys("Key", long, byLength)), take);
    await (await beam.runPipeline(pipeline)).finished;
    assert.deepEqual(taken.sort(), ["3 not", "4 that"]);
  });

  it("say what to do about a name that another step has", () => {
    const { root } = beam.createPipeline();
    const lines = beam.create("Lines", root, ["a"], beam.coders.string);
    beam.map("Same", lines, lower);
    assert.throws(
      () => beam.map("Same", lines, lower),
      /two steps of this graph are named "Same": give one of them/,
    );
  });
});
