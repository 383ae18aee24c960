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
  /** It works when the runner happens to go the right way, so nothing follows from its working. */
  readonly worksByChance?: boolean;
}

/** By the name of the runner. */
export const KNOWN_FAILURES: Readonly<Record<string, readonly KnownFailure[]>> = {
  direct: [
    {
      features: ["panes of the global window are numbered"],
      reason: "the number of a pane would have to be kept for every key for ever",
      with: /EARLY 0 first/,
    },
  ],
  prism: [
    {
      features: ["late data is dropped by a stateful DoFn"],
      reason: "it drops late data in front of groups only",
      with: /strictly deep-equal/,
    },
    {
      features: ["processing-time timers with tags, set again and cleared"],
      reason:
        "it takes the clear of a processing-time timer for a timer that is due (engine/elementmanager.go, triageTimers)",
      with: /a cleared 2/,
    },
    {
      features: ["an element waits until its window of the side input is complete"],
      reason:
        "it waits only until the side input's watermark is as far as that of the elements, and not until it has passed the window (engine/elementmanager.go, bundleReady)",
      with: /a1 of 0/,
    },
    {
      features: [
        "drain: an endless source ends, and timers of the future fire",
        "drain: a splittable DoFn says what is still to be done (truncate)",
      ],
      reason: "it cannot drain a job",
      with: /cannot drain a job/,
    },
    {
      features: ["bundle finalization of a DoFn behind a splittable DoFn"],
      reason: "it finalizes a stage only for the step that the stage begins with",
      with: /nothing was finalized/,
    },
  ],
  flink: [
    {
      features: [
        "processing-time timer: fires by the clock after a bounded input has ended, at its element's timestamp",
      ],
      reason: "it fires processing-time timers at once where the input is bounded",
      with: /too early/,
    },
    {
      features: ["test stream: steps of processing time fire timers"],
      reason: "it plays test streams of bytes only",
      with: /without a test stream/,
    },
    {
      features: ["the only pane of a window is on time, the first and the last"],
      reason: "the panes of bounded groups say nothing",
      with: /'none'/,
    },
    {
      features: [
        "drain: an endless source ends, and timers of the future fire",
        "drain: a splittable DoFn says what is still to be done (truncate)",
      ],
      reason: "its job server cannot drain a job",
      with: /cannot drain a job/,
    },
    {
      features: [
        "multimap state: values put under keys, read, removed; cleared",
        "ordered-list state: added to, read whole and by range; a range cleared, and all",
      ],
      reason: "its state is bags only (ExecutableStageDoFnOperator, getStateRequestHandler)",
      with: /reading the state (digits|numbers): the runner refuses a state request: java\.lang\.IllegalStateException/,
    },
  ],
  python: [
    {
      features: ["event-time timers of one key fire in the order of their times, across families"],
      reason: "it fires the timers of each family by themselves, in the order in which families come",
      with: /60/,
      worksByChance: true,
    },
    {
      features: [
        "processing-time timer: fires by the clock after a bounded input has ended, at its element's timestamp",
      ],
      reason: "it fires processing-time timers at once",
      with: /too early/,
    },
    {
      features: ["GroupByKey, global window, default trigger: one pane when the input ends"],
      reason:
        "its last instant of the global window is a microsecond early, and so on the wire a millisecond (transforms/window.py, max_timestamp)",
      with: /9223371950454774/,
    },
    {
      features: ["the only pane of a window is on time, the first and the last"],
      reason: "its panes on time are never called the last",
      with: /ON_TIME 0 first'/,
    },
    {
      features: ["state and timers with keys and values of an own coder"],
      reason: "it does not put a length in front of the keys of timers whose coder it does not know",
      // The second is told when the worker is gone before the job has failed.
      with: /KeyError: 'conformance:coder:point:v1'|Error closing worker_handler/,
    },
  ],
};

export function knownFailure(runner: string, feature: string): KnownFailure | undefined {
  return KNOWN_FAILURES[runner]?.find(({ features }) => features.includes(feature));
}
