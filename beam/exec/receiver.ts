/** Where elements go: the way from one operator to the next. A call for each element, and no object around it. */
import type { PaneInfo } from "../model/pane.js";
import type { TimestampMs } from "../model/timestamps.js";
import type { BoundedWindow } from "../model/windows.js";

export type Windows = readonly BoundedWindow[];

export interface Receiver {
  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void;
}

/** The consumers of one PCollection within a bundle. */
export class PCollectionReceiver implements Receiver {
  /** Elements so far; whoever reports it sets it back. */
  elements = 0;
  #first: Receiver | undefined;
  #others: Receiver[] | undefined;

  addConsumer(consumer: Receiver): void {
    if (this.#first === undefined) {
      this.#first = consumer;
    } else {
      this.#others ??= [];
      this.#others.push(consumer);
    }
  }

  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    this.elements++;
    if (this.#first !== undefined) this.#first.accept(value, timestamp, windows, pane);
    if (this.#others !== undefined) {
      for (const other of this.#others) other.accept(value, timestamp, windows, pane);
    }
  }
}
