/** Assigns windows by timestamp. Source: beam_runner_api.proto, WindowIntoPayload and standard_window_fns.proto. */

import { runnerApi } from "../model/apache_beam.js";
import type { PaneInfo } from "../model/pane.js";
import type { TimestampMs } from "../model/timestamps.js";
import { type WindowFn, windowFnFromProto } from "../model/window_fns.js";
import { Operator, type OperatorContext } from "./operator.js";
import type { Receiver, Windows } from "./receiver.js";

export class WindowIntoOperator extends Operator implements Receiver {
  override readonly input: Receiver = this;
  readonly #output: Receiver;
  readonly #windowFn: WindowFn;

  constructor(context: OperatorContext) {
    super();
    const [name] = Object.keys(context.transform.outputs);
    this.#output = context.output(name!);
    const payload = runnerApi.WindowIntoPayload.fromBinary(context.transform.spec!.payload);
    this.#windowFn = windowFnFromProto(payload.windowFn!);
  }

  accept(value: unknown, timestamp: TimestampMs, _windows: Windows, pane: PaneInfo): void {
    this.#output.accept(value, timestamp, this.#windowFn.assign(timestamp), pane);
  }
}
