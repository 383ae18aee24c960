/** Runs one after the other on the same state, for a scenario: bounded and streaming, kept and drained, T and D changed. */
import type { Random } from "../../producers/random.js";
import { type EarlierRun, MODES } from "./scenario.js";
import { pick } from "./world/seeded.js";

export interface RunStory {
  readonly runs: readonly EarlierRun[];
  /** What waited when a run ended may have been expired by it, or was decided by another T. */
  readonly isExact: boolean;
}

/** @param outOfOrdernessMs the smallest D */
export function drawRuns(
  random: Random,
  loadMs: number,
  timeoutMs: number,
  outOfOrdernessMs: number,
): RunStory {
  const isExact = random.chance(0.5);
  const count = random.between(1, 3);
  const runs: EarlierRun[] = [];
  for (let i = 0; i < count; i++) {
    const othersT = 1_000 + random.skewed(10_000, 2);
    const longerD = outOfOrdernessMs + random.skewed(5_000, 2);
    runs.push({
      mode: pick(random, MODES),
      ending: isExact || random.chance(0.5) ? "keep" : "expire",
      timeoutMs: isExact || random.chance(0.4) ? timeoutMs : othersT,
      outOfOrdernessMs: random.chance(0.5) ? outOfOrdernessMs : longerD,
      endsAtMs: Math.floor((loadMs * (i + 1)) / (count + 1)),
      pauseMs: random.between(10, 2_000),
    });
  }
  return { runs, isExact };
}
