/** Bundle finalization: a callback that runs once what its bundle gave is safe. */
import assert from "node:assert/strict";
import { DoFn, type ElementContext } from "../../../beam/sdk/do_fn.js";
import { groupByKey, parDo, windowInto } from "../../../beam/sdk/graph.js";
import { registerDoFn } from "../../../beam/sdk/registry.js";
import { strings } from "../../unit/beam/runners/small_graphs.js";
import type { ConformancePipeline } from "../conformance_pipeline.js";
import { appendLines } from "../recorded_elements.js";
import { endlessTicks } from "./splittable_sources.js";

const outputs = { main: strings };

/** Its configuration is the file to tell of finalizations in. */
class TellFinalization extends DoFn<unknown, typeof outputs, string> {
  static readonly urn = "conformance:dofn:tell_finalization:v1";
  readonly outputs = outputs;
  override readonly requestsFinalization = true;

  process(_element: unknown, ctx: ElementContext<typeof outputs>): void {
    ctx.onFinalize(async () => appendLines(this.config, ["finalized"]));
    ctx.emit.main("seen");
  }
}
registerDoFn(TellFinalization);

const isTold = (lines: readonly string[]): void =>
  assert.ok(lines.includes("finalized"), "nothing was finalized");

export const finalizesASource: ConformancePipeline = {
  feature: "bundle finalization of a splittable DoFn",
  ends: "cancelled",
  needsCommits: true,
  build(graph) {
    endlessTicks(graph, { finalizedFile: graph.expectLines(isTold) });
  },
};

export const finalizesTheFirstOfAStage: ConformancePipeline = {
  feature: "bundle finalization of a DoFn behind a GroupByKey",
  ends: "cancelled",
  needsCommits: true,
  build(graph) {
    const windowed = windowInto("Window", endlessTicks(graph), {
      trigger: { kind: "repeated-count", count: 1 },
      outputTime: "EARLIEST_IN_PANE",
    });
    parDo("Tell", groupByKey("Group", windowed), new TellFinalization(graph.expectLines(isTold)));
  },
};

export const finalizesBehindASource: ConformancePipeline = {
  feature: "bundle finalization of a DoFn behind a splittable DoFn",
  ends: "cancelled",
  needsCommits: true,
  build(graph) {
    parDo("Tell", endlessTicks(graph), new TellFinalization(graph.expectLines(isTold)));
  },
};
