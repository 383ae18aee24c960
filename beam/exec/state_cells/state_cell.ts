/** A state cell of a stateful DoFn, as its operator drives it. */
import type { StateOfKey } from "../keyed_state.js";

export interface StateCell {
  /** Turns to a key that was entered, until the next `flush`. */
  bind(state: StateOfKey): void;
  /** Writes what changed. */
  flush(): void;
  clear(): void;
}
