/**
 * What is wrong right now, for whoever looks at a running pipeline: for each component at most one problem, in one
 * sentence. A component reports when something begins to fail and clears it when it works again; what it does about it
 * is its own business. Saying the same again is cheap, so a retry loop may report on each round.
 */
import type { TimestampMs } from "../model/timestamps.js";

/** Something that is wrong, and since when. */
export interface HealthProblem {
  /** Who has it: "Kafka", "MongoDB", "checkpoints", … */
  readonly component: string;
  /** One sentence, without an address's password. */
  readonly problem: string;
  /** When the problem began; a change of the sentence does not change it. */
  readonly sinceMs: TimestampMs;
}

/** What a component is given. */
export interface HealthReporter {
  report(component: string, problem: string): void;
  /** Does nothing if the component has no problem. */
  clear(component: string): void;
}

/** Told when a problem begins, changes, and (with `undefined`) ends. */
export type HealthListener = (component: string, now: HealthProblem | undefined) => void;

/** Current problems of this process, and since when. */
export class Health implements HealthReporter {
  readonly #problems = new Map<string, HealthProblem>();

  constructor(
    private readonly clock: { now(): TimestampMs },
    private readonly onChange: HealthListener = () => {},
  ) {}

  report(component: string, problem: string): void {
    const before = this.#problems.get(component);
    if (before?.problem === problem) return;
    const now = { component, problem, sinceMs: before?.sinceMs ?? this.clock.now() };
    this.#problems.set(component, now);
    this.onChange(component, now);
  }

  clear(component: string): void {
    if (this.#problems.delete(component)) this.onChange(component, undefined);
  }

  /** Longest first; empty when all is well. */
  problems(): readonly HealthProblem[] {
    return [...this.#problems.values()].sort((a, b) => a.sinceMs - b.sinceMs);
  }
}

/** For components without a health report. */
export const silentHealth: HealthReporter = { report() {}, clear() {} };
