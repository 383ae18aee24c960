/** Counts dead letters by reason on their way to a sink that does not do so itself. */
import { type Counter, counter, DoFn, type ElementContext, registerDoFn } from "@order-payment-stream/beam";

import { DEAD_LETTER_REASONS, type DeadLetter, type DeadLetterReason } from "./dead_letter.js";
import { deadLetterCoder } from "./dead_letter_coder.js";

const outputs = { deadLetters: deadLetterCoder };

/** A counter for each reason. */
export function reasonCounters(): Readonly<Record<DeadLetterReason, Counter>> {
  const counters = DEAD_LETTER_REASONS.map((reason) => [reason, counter()] as const);
  return Object.fromEntries(counters) as Record<DeadLetterReason, Counter>;
}

export class CountDeadLetters extends DoFn<DeadLetter, typeof outputs> {
  static readonly urn = "order-payment-stream:dofn:count_dead_letters:v1";
  readonly outputs = outputs;
  override readonly metrics = reasonCounters();

  process(deadLetter: DeadLetter, ctx: ElementContext<typeof outputs>): void {
    this.metrics[deadLetter.reason].inc();
    ctx.emit.deadLetters(deadLetter);
  }
}
registerDoFn(CountDeadLetters);
