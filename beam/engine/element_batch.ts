/**
 * Elements on their way from one stage to the next, as parallel arrays. Windows and panes, which are nearly always the
 * same for all, take an array only once two differ.
 */
import { NO_FIRING, type PaneInfo } from "../model/pane.js";
import { MAX_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import { type BoundedWindow, IN_GLOBAL_WINDOW } from "../model/windows.js";

type Windows = readonly BoundedWindow[];

export class ElementBatch {
  readonly values: unknown[] = [];
  readonly timestamps: TimestampMs[] = [];
  /** The earliest timestamp; MAX_TIMESTAMP when empty. */
  minTimestamp: TimestampMs = MAX_TIMESTAMP;
  #windows: Windows = IN_GLOBAL_WINDOW;
  #pane: PaneInfo = NO_FIRING;
  #allWindows: Windows[] | undefined;
  #allPanes: PaneInfo[] | undefined;

  get length(): number {
    return this.values.length;
  }

  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    const count = this.values.length;
    this.values.push(value);
    this.timestamps.push(timestamp);
    if (timestamp < this.minTimestamp) this.minTimestamp = timestamp;
    if (count === 0) {
      this.#windows = windows;
      this.#pane = pane;
    }
    if (this.#allWindows !== undefined) this.#allWindows.push(windows);
    else if (windows !== this.#windows) {
      this.#allWindows = new Array<Windows>(count).fill(this.#windows);
      this.#allWindows.push(windows);
    }
    if (this.#allPanes !== undefined) this.#allPanes.push(pane);
    else if (pane !== this.#pane) {
      this.#allPanes = new Array<PaneInfo>(count).fill(this.#pane);
      this.#allPanes.push(pane);
    }
  }

  /** The same elements in batches of so many. */
  split(count: number): ElementBatch[] {
    const pieces: ElementBatch[] = [];
    for (let start = 0; start < this.length; start += count) {
      const piece = new ElementBatch();
      for (let i = start; i < Math.min(start + count, this.length); i++) {
        piece.accept(this.values[i], this.timestamps[i]!, this.windowsAt(i), this.paneAt(i));
      }
      pieces.push(piece);
    }
    return pieces;
  }

  windowsAt(index: number): Windows {
    return this.#allWindows === undefined ? this.#windows : this.#allWindows[index]!;
  }

  paneAt(index: number): PaneInfo {
    return this.#allPanes === undefined ? this.#pane : this.#allPanes[index]!;
  }
}
