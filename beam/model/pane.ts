/** When a pane fired, relative to the end of its window. Wire values of beam_fn_api / PaneInfo. */
export const Timing = { EARLY: 0, ON_TIME: 1, LATE: 2, UNKNOWN: 3 } as const;
export type Timing = (typeof Timing)[keyof typeof Timing];

/** The firing of a trigger that an element came from. Immutable and shared; not created for each element. */
export interface PaneInfo {
  readonly isFirst: boolean;
  readonly isLast: boolean;
  readonly timing: Timing;
  /** 0-based number of the firing for this key and window. */
  readonly index: number;
  /** 0-based number among the firings that are not EARLY; -1 for an EARLY one. */
  readonly nonSpeculativeIndex: number;
}

/** The pane of elements that no trigger produced. Encodes to 0x0f. */
export const NO_FIRING: PaneInfo = Object.freeze({
  isFirst: true,
  isLast: true,
  timing: Timing.UNKNOWN,
  index: 0,
  nonSpeculativeIndex: 0,
});
