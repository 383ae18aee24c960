/** Passes every input on. Also what a runner's source is inside a bundle: a place where elements come in. */
import type { PaneInfo } from "../model/pane.js";
import type { TimestampMs } from "../model/timestamps.js";
import { Operator, type OperatorContext } from "./operator.js";
import type { Receiver, Windows } from "./receiver.js";
import type { SinkServices } from "./services.js";

export class FlattenOperator extends Operator implements Receiver {
  override readonly input: Receiver = this;
  readonly #outputs: readonly Receiver[];

  constructor(context: OperatorContext) {
    super();
    this.#outputs = Object.keys(context.transform.outputs).map((name) => context.output(name));
  }

  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    for (const output of this.#outputs) output.accept(value, timestamp, windows, pane);
  }
}

/** Hands elements to the runner. */
export class SinkOperator extends Operator {
  override readonly input: Receiver;

  constructor(context: OperatorContext<SinkServices>) {
    super();
    this.input = context.services.openSink(context.transformId);
  }
}
