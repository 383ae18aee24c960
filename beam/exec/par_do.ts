/** Runs a DoFn without state. */
import type { PaneInfo } from "../model/pane.js";
import type { TimestampMs } from "../model/timestamps.js";
import type { DoFn } from "../sdk/do_fn.js";
import { DoFnOperator, refusePromise } from "./do_fn_operator.js";
import type { OperatorContext } from "./operator.js";
import type { Receiver, Windows } from "./receiver.js";
import type { UserCodeServices } from "./services.js";

export class ParDoOperator extends DoFnOperator<DoFn<any, any, any>> implements Receiver {
  override readonly input: Receiver = this;

  constructor(doFn: DoFn<any, any, any>, context: OperatorContext<UserCodeServices>) {
    super(doFn, context);
  }

  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    const { ctx } = this;
    if (windows.length === 1) {
      ctx.enter(timestamp, windows, pane);
      const result: unknown = this.doFn.process(value, ctx);
      if (result !== undefined) refusePromise(this.name, result);
    } else {
      // An element in several windows is as many elements: a DoFn sees one window at a time.
      for (const window of windows) this.accept(value, timestamp, [window], pane);
    }
  }
}
