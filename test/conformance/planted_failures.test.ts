/** The suite itself: it must tell when a pipeline gives too little, too much or something else, and when it hangs. */
import assert from "node:assert/strict";
import { create } from "../../beam/sdk/create.js";
import { impulse, parDo } from "../../beam/sdk/graph.js";
import { doFn, ints } from "../unit/beam/runners/small_graphs.js";
import type { ConformancePipeline, GraphUnderTest } from "./conformance_pipeline.js";
import { endlessTicks } from "./pipelines/splittable_sources.js";
import { runConformance } from "./run_conformance.js";
import { DirectUnderTest } from "./runners/direct.js";

const numbers = (graph: GraphUnderTest) => create("Numbers", graph.root, [1, 2, 2], ints, [10, 20, 20]);
const fail = doFn("conformance:dofn:fail:v1", () => {
  throw new Error("a planted error");
});

const DEADLINE_MS = 500;

const CASES: readonly (readonly [string, RegExp, Omit<ConformancePipeline, "feature">])[] = [
  [
    "an element is missing",
    /strictly deep-equal/,
    { build: (graph) => graph.expectValues(numbers(graph), [1, 2, 2, 3]) },
  ],
  [
    "an element is too much",
    /strictly deep-equal/,
    { build: (graph) => graph.expectValues(numbers(graph), [1, 2]) },
  ],
  [
    "a timestamp is another",
    /strictly deep-equal/,
    {
      build(graph) {
        const elements = [10, 20, 30].map((timestamp, i) => ({ value: [1, 2, 2][i], timestamp }));
        graph.expectElements(numbers(graph), elements);
      },
    },
  ],
  [
    "nothing came out where something must",
    /nothing here/,
    {
      build: (graph) =>
        graph.expectThat(impulse("Impulse", graph.root), () => {
          throw new Error("nothing here");
        }),
    },
  ],
  ["nothing is expected of it", /nothing is expected of it/, { build: (graph) => void numbers(graph) }],
  [
    "it fails",
    /a planted error/,
    {
      build: (graph) => graph.expectValues(parDo("Fail", numbers(graph), fail).main, []),
    },
  ],
  [
    "it does not fail as it must",
    /it did not fail/,
    { ends: "failing", failsWith: /anything/, build: (graph) => void numbers(graph) },
  ],
  [
    "it fails with another error",
    /but not with/,
    {
      ends: "failing",
      failsWith: /another error/,
      build: (graph) => void parDo("Fail", numbers(graph), fail),
    },
  ],
  [
    "it never ends",
    /not done after 500 ms: all came out, but it goes on/,
    { build: (graph) => graph.expectThat(endlessTicks(graph), () => undefined) },
  ],
  [
    "what it is cancelled for never comes",
    /not done after 500 ms: still waiting/,
    {
      ends: "cancelled",
      build: (graph) =>
        graph.expectThat(endlessTicks(graph), () => {
          throw new Error("still waiting");
        }),
    },
  ],
  [
    "its metrics are others",
    /no such count/,
    {
      build: (graph) => graph.expectValues(numbers(graph), [1, 2, 2]),
      checkMetrics: (metrics) => assert.equal(metrics.counter("seen"), 3, "no such count"),
    },
  ],
];

describe("a conformance pipeline fails when", () => {
  const runner = new DirectUnderTest();
  after(() => runner.close());

  for (const [what, message, pipeline] of CASES) {
    it(what, async () => {
      await assert.rejects(runConformance({ feature: what, ...pipeline }, runner, DEADLINE_MS), message);
    });
  }
});
