/** Where elements go: the way from one operator to the next. A call for each element, and no object around it. */
import type { PaneInfo } from "../model/pane.js";
import type { TimestampMs } from "../model/timestamps.js";
import type { BoundedWindow } from "../model/windows.js";
import type { ExecutionTimes } from "./execution_times.js";

export type Windows = readonly BoundedWindow[];

export interface Receiver {
  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void;
}

/**
 * The transform of a bundle that is at work, for messages. Within a transform that emits it is the consumer; where a
 * bundle has failed, the transform that threw.
 */
export class TransformAtWork {
  id = "";
  /** Where a runner is told how long transforms take. */
  times: ExecutionTimes | undefined;
}

interface Consumer {
  readonly transformId: string;
  readonly receiver: Receiver;
}

/** The consumers of one PCollection within a bundle. */
export class PCollectionReceiver implements Receiver {
  /** Elements so far; whoever reports it sets it back. */
  elements = 0;
  #first: Receiver | undefined;
  #firstId = "";
  #others: Consumer[] | undefined;

  constructor(private readonly atWork: TransformAtWork) {}

  addConsumer(transformId: string, receiver: Receiver): void {
    if (this.#first === undefined) {
      this.#first = receiver;
      this.#firstId = transformId;
    } else {
      this.#others ??= [];
      this.#others.push({ transformId, receiver });
    }
  }

  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    this.elements++;
    const { atWork } = this;
    const producerId = atWork.id;
    if (atWork.times?.isTiming) {
      this.#acceptTimed(atWork.times, value, timestamp, windows, pane);
      return;
    }
    if (this.#first !== undefined) {
      atWork.id = this.#firstId;
      this.#first.accept(value, timestamp, windows, pane);
    }
    if (this.#others !== undefined) {
      for (const { transformId, receiver } of this.#others) {
        atWork.id = transformId;
        receiver.accept(value, timestamp, windows, pane);
      }
    }
    atWork.id = producerId;
  }

  #acceptTimed(
    times: ExecutionTimes,
    value: unknown,
    timestamp: TimestampMs,
    windows: Windows,
    pane: PaneInfo,
  ): void {
    const { atWork } = this;
    const producerId = atWork.id;
    const first = { transformId: this.#firstId, receiver: this.#first };
    for (const { transformId, receiver } of [first, ...(this.#others ?? [])]) {
      if (receiver === undefined) continue;
      atWork.id = transformId;
      times.enter(transformId);
      receiver.accept(value, timestamp, windows, pane);
    }
    atWork.id = producerId;
    times.enter(producerId);
  }
}
