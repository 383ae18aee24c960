/**
 * What waits under one order_id, as an expiry sees it. Most events are paired when their time is over, and nothing is
 * told of them then: so a small value is read, and rewritten without them, as bytes, and no event is made of it.
 */
import { type ByteReader, ByteWriter, type ChangelogState } from "@order-payment-stream/beam";

import { skipOrder, skipPayment } from "./event_coders.js";
import { FIRST, PAIRED, PAYMENT, readFlags, type Waiting, type WaitingChange } from "./waiting.js";

/** When something was created that is not there. Neither before nor after any time. */
const NEVER = Number.NaN;

export class WaitingOverview {
  size = 0;
  /** When the order was created that came first, if it still waits; the payment likewise. Otherwise NaN. */
  firstOrderAt = NEVER;
  firstPaymentAt = NEVER;
  /** Some of them were created before the bound: their time is over. */
  hasExpired = false;
  /** It is known that none of these is unpaired. */
  isNothingToTell = false;
  #bound = NEVER;
  /** Those that go on waiting, as they are stored. */
  #othersCount = 0;
  readonly #others = new ByteWriter(256);

  /** @param bound those created before it have expired */
  lookAt(state: ChangelogState<Waiting, WaitingChange>, bound: number): void {
    this.#bound = bound;
    if (!state.peek(this.#readBytes)) this.#readValue(state.read());
  }

  /** Once it is known that there is nothing to tell: takes out what has expired. */
  keepOthers(state: ChangelogState<Waiting, WaitingChange>): void {
    if (this.#othersCount === 0) state.clear();
    else state.replace(this.#writeOthers);
  }

  readonly #readBytes = (input: ByteReader): void => {
    this.firstOrderAt = NEVER;
    this.firstPaymentAt = NEVER;
    this.hasExpired = false;
    this.isNothingToTell = true;
    this.#othersCount = 0;
    this.#others.reset();
    this.size = input.readVarint();
    for (let left = this.size; left > 0; left--) {
      const start = input.position;
      const flags = readFlags(input);
      const isPayment = (flags & PAYMENT) !== 0;
      const created_at = isPayment ? skipPayment(input) : skipOrder(input);
      if ((flags & FIRST) !== 0) {
        if (isPayment) this.firstPaymentAt = created_at;
        else this.firstOrderAt = created_at;
      }
      if (created_at >= this.#bound) {
        this.#othersCount++;
        this.#others.writeBytes(input.buffer, start, input.position);
        continue;
      }
      this.hasExpired = true;
      if ((flags & PAIRED) === 0) this.isNothingToTell = false;
    }
  };

  readonly #writeOthers = (out: ByteWriter): void => {
    out.writeVarint(this.#othersCount);
    out.writeBytes(this.#others.buffer, 0, this.#others.length);
  };

  #readValue(waiting: Waiting): void {
    this.size = waiting.size;
    this.firstOrderAt = waiting.orders.first?.event.created_at ?? NEVER;
    this.firstPaymentAt = waiting.payments.first?.event.created_at ?? NEVER;
    this.hasExpired = waiting.hasCreatedBefore(this.#bound);
    this.isNothingToTell = false;
  }
}
