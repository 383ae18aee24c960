/** A watermark is a promise: it never goes back, and no output watermark is ahead of its stage's input watermark. */
import type { Stage } from "../../../beam/engine/stage.js";
import type { Checker, CheckerFactory } from "./checker.js";

export const watermarksNeverRetreat: CheckerFactory = (_world, report): Checker => {
  const seen = new WeakMap<Stage, { input: number; output: number }>();
  return {
    onStage(stage) {
      const { inputWatermark: input, outputWatermark: output } = stage;
      const before = seen.get(stage);
      if (before !== undefined && (input < before.input || output < before.output)) {
        report(
          `${stage.spec.name}: from input ${before.input}, output ${before.output} to input ${input}, output ${output}`,
        );
      }
      if (output > input) report(`${stage.spec.name}: output ${output} is ahead of input ${input}`);
      if (before === undefined) seen.set(stage, { input, output });
      else Object.assign(before, { input, output });
    },
  };
};
