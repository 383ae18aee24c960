import type { PaneInfo } from "./pane.js";
import type { TimestampMs } from "./timestamps.js";
import type { BoundedWindow } from "./windows.js";

/** An element with what Beam knows of it. Immutable: whoever changes one part makes a new one. */
export interface WindowedValue<T> {
  readonly value: T;
  /** Event time. */
  readonly timestamp: TimestampMs;
  /** The windows the element is in; one, nearly always. */
  readonly windows: readonly BoundedWindow[];
  /** The firing that it came out of. */
  readonly pane: PaneInfo;
}
