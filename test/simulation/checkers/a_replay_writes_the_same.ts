/**
 * Sinks see only what was committed, so a process that goes on after a crash writes the very documents that the one
 * before had written, or may have. Without a durable store a new process decides everything anew.
 */
import type { Checker, CheckerFactory } from "./checker.js";

export const aReplayWritesTheSame: CheckerFactory = (world, report): Checker => ({
  onEnd() {
    if (!world.isDurable) return;
    const readAgain = world.readPath.readAgain();
    for (const { rewrites } of world.mongodb.collections()) {
      for (const rewrite of rewrites) {
        // Of a record that is read again the reason may be another: it is late by then.
        if (readAgain.some((place) => rewrite.includes(`"${place}:`))) continue;
        report(`written again with other content: ${rewrite}`);
      }
    }
  },
});
