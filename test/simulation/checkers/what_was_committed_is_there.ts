/**
 * A process on a durable store goes on from the last commit that was acknowledged, or from one that was under way when
 * the process before died: what it has counted is no less, and no watermark is behind.
 */
import { committedWatermarks } from "../../../beam/engine/progress.js";
import type { StageWatermarks } from "../../../beam/engine/stage.js";
import type { Checker, CheckerFactory } from "./checker.js";

export const whatWasCommittedIsThere: CheckerFactory = (world, report): Checker => {
  let watermarks: ReadonlyMap<string, StageWatermarks> = new Map();
  let read = 0;
  const records = (): number => world.run?.metrics.counter("records") ?? 0;
  return {
    onCommit() {
      if (!world.isDurable || world.run === undefined) return;
      watermarks = committedWatermarks(world.run.store);
      read = records();
    },
    onStart() {
      if (!world.isDurable || world.run === undefined) return;
      if (records() < read)
        report(`${read} records were read by the last commit; it goes on at ${records()}`);
    },
    // What it goes on at is where it stood, too.
    onStage(stage) {
      const committed = watermarks.get(stage.spec.name);
      if (!world.isDurable || world.run === undefined || committed === undefined) return;
      // One that was sent ahead, because the run had ended or was drained, comes back to its partitions' own.
      const limits = stage.upstream.map(({ resumeLimit }) => resumeLimit);
      const input = Math.min(committed.input, ...limits);
      const output = Math.min(committed.output, stage.resumeLimit);
      if (stage.inputWatermark < input || stage.outputWatermark < output) {
        report(
          `${stage.spec.name} is at ${stage.inputWatermark}, ${stage.outputWatermark}, and was committed at ${committed.input}, ${committed.output}`,
        );
      }
    },
  };
};
