/**
 * Sinks see only what was committed, so a process that goes on after a crash writes the very documents that the one
 * before had written, or may have. Without a durable store a new process decides everything anew.
 */
import type { Checker, CheckerFactory } from "./checker.js";

export const aReplayWritesTheSame: CheckerFactory = (world, report): Checker => ({
  onEnd() {
    if (!world.isDurable) return;
    for (const { rewrites } of world.mongodb.collections()) {
      for (const rewrite of rewrites) report(`written again with other content: ${rewrite}`);
    }
  },
});
