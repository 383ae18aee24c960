/** Counts dead letters by reason on their way to a sink that does not do so itself. */
import { counter, DoFn, type ElementContext, registerDoFn } from "@order-payment-stream/beam";

import type { DeadLetter } from "./dead_letter.js";
import { deadLetterCoder } from "./dead_letter_coder.js";

const outputs = { deadLetters: deadLetterCoder };

export class CountDeadLetters extends DoFn<DeadLetter, typeof outputs> {
  static readonly urn = "order-payment-stream:dofn:count_dead_letters:v1";
  readonly outputs = outputs;
  override readonly metrics = {
    UNDECODABLE: counter(),
    INVALID: counter(),
    NULL_VALUE: counter(),
    FUTURE_TIMESTAMP: counter(),
    LATE: counter(),
    CONFLICT: counter(),
    SINK_REJECTED: counter(),
  };

  process(deadLetter: DeadLetter, ctx: ElementContext<typeof outputs>): void {
    this.metrics[deadLetter.reason].inc();
    ctx.emit.deadLetters(deadLetter);
  }
}
registerDoFn(CountDeadLetters);
