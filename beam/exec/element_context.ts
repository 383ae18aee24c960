/**
 * The context object that a DoFn sees: one for each operator, rewritten for every element. Emitters are made once, so
 * that emitting costs one call.
 */

import { NO_FIRING, type PaneInfo } from "../model/pane.js";
import { formatTimestamp, MIN_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import { type BoundedWindow, GlobalWindow, IN_GLOBAL_WINDOW } from "../model/windows.js";
import type { Clock } from "../platform/clock.js";
import type { Emitters } from "../sdk/do_fn.js";
import type { OperatorContext } from "./operator.js";
import type { Receiver, Windows } from "./receiver.js";
import type { UserCodeServices } from "./services.js";

export class ElementContextCell {
  readonly clock: Clock;
  readonly emit: Emitters<any>;
  readonly onFinalize: (callback: () => void | Promise<void>) => void;
  timestamp: TimestampMs = MIN_TIMESTAMP;
  window: BoundedWindow = GlobalWindow.INSTANCE;
  windows: Windows = IN_GLOBAL_WINDOW;
  pane: PaneInfo = NO_FIRING;
  /** False in startBundle and finishBundle, where there is no timestamp to inherit. */
  hasElement = false;

  constructor(context: OperatorContext<UserCodeServices>) {
    this.clock = context.services.clock;
    this.onFinalize = (callback) => context.services.onFinalize(callback);
    const emit: Record<string, (value: unknown, timestamp?: TimestampMs, window?: BoundedWindow) => void> =
      {};
    for (const name of Object.keys(context.transform.outputs)) {
      emit[name] = this.#emitter(context.transform.uniqueName, name, context.output(name));
    }
    this.emit = emit as Emitters<any>;
  }

  /** Moves on to an element that lies in one window. */
  enter(timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    this.timestamp = timestamp;
    this.windows = windows;
    this.window = windows[0]!;
    this.pane = pane;
    this.hasElement = true;
  }

  leave(): void {
    this.hasElement = false;
  }

  #emitter(transform: string, name: string, receiver: Receiver) {
    return (value: unknown, timestamp?: TimestampMs, window?: BoundedWindow): void => {
      if (timestamp === undefined) {
        if (!this.hasElement) {
          throw new Error(`${transform}: emit.${name} outside of an element needs a timestamp`);
        }
        receiver.accept(value, this.timestamp, this.windows, this.pane);
        return;
      }
      if (this.hasElement && timestamp < this.timestamp) {
        throw new Error(
          `${transform}: emit.${name} with timestamp ${formatTimestamp(timestamp)} goes back before its element's ` +
            `${formatTimestamp(this.timestamp)}: what is downstream may have seen the watermark pass it`,
        );
      }
      const windows = window !== undefined ? [window] : this.hasElement ? this.windows : IN_GLOBAL_WINDOW;
      receiver.accept(value, timestamp, windows, this.hasElement ? this.pane : NO_FIRING);
    };
  }
}
