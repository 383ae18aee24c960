/**
 * What a runner cannot do, and why. Each entry is run all the same, and the test fails when it starts to work: then the
 * entry goes. `with` is what must be in the error, so that an entry does not hide a failure of another kind.
 */
export interface KnownFailure {
  /** The features, by their names in the table of docs/runners.md. */
  readonly features: readonly string[];
  /** For the reader of docs/runners.md. */
  readonly reason: string;
  readonly with: RegExp;
}

/** By the name of the runner. */
export const KNOWN_FAILURES: Readonly<Record<string, readonly KnownFailure[]>> = {
  direct: [
    {
      features: ["panes of the global window are numbered"],
      reason: "the number of a pane would have to be kept for every key for ever",
      with: /EARLY 0 first/,
    },
    {
      features: ["drain: a splittable DoFn says what is still to be done (truncate)"],
      reason: "a drain ends sources where they stand",
      with: /one of the last 3/,
    },
    {
      features: ["splittable DoFn over an element in several windows"],
      reason: "refused by name",
      with: /a splittable element in 2 windows is not supported/,
    },
  ],
};

export function knownFailure(runner: string, feature: string): KnownFailure | undefined {
  return KNOWN_FAILURES[runner]?.find(({ features }) => features.includes(feature));
}
