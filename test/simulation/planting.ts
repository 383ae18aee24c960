/** How a bug is planted: from outside, by replacing a method. */
import type { CheckerName } from "./checkers/all_checkers.js";
import type { GenerateOptions } from "./generate_scenario.js";

export interface PlantedBug {
  /** One of these must be the first to tell. */
  readonly caughtBy: readonly CheckerName[];
  /** Which scenarios bring it to light. */
  readonly scenarios: GenerateOptions;
  /** Seeds after which it must have been caught. */
  readonly seedsMax: number;
  /** Returns a function that takes it out again. */
  plant(): () => void;
}

/** Replaces a method. Returns a function that puts the original back. */
export function replace<T extends object, M extends keyof T>(
  target: T,
  method: M,
  make: (original: T[M]) => T[M],
): () => void {
  const original = target[method];
  target[method] = make(original);
  return () => {
    target[method] = original;
  };
}

/** A class from inside: TypeScript's `private` does not reach beyond compiling. */
export function inner(prototype: object): Record<string, (...args: any[]) => any> {
  return prototype as Record<string, (...args: any[]) => any>;
}
