/**
 * What waits under one order_id, as an expiry sees it. Most events are paired when their time is over, and nothing is
 * told of them then: so this is read from the bytes of a small value, and no event is made of them.
 */
import type { ByteReader, ChangelogState } from "@order-payment-stream/beam";

import { skipOrder, skipPayment } from "./event_coders.js";
import { FIRST, PAIRED, PAYMENT, readFlags, type Waiting, type WaitingChange } from "./waiting.js";

/** Of more than these it is not known whether something is to be told of one: to look at all would have no end. */
const FEW = 8;

/** When something was created that is not there. */
const NEVER = Number.NEGATIVE_INFINITY;

export class WaitingOverview {
  size = 0;
  /** When the order was created that came first, if it still waits; the payment likewise. */
  firstOrderAt = NEVER;
  firstPaymentAt = NEVER;
  /** Some of them were created before the bound: their time is over. */
  hasExpired = false;
  /** None of these is unpaired. */
  isNothingToTell = true;
  /** Some go on waiting. */
  hasOthers = false;
  #bound = NEVER;

  /** @param bound those created before it have expired */
  lookAt(state: ChangelogState<Waiting, WaitingChange>, bound: number): void {
    this.#bound = bound;
    this.#reset();
    if (state.peek(this.#readBytes)) return;
    this.#reset();
    this.#readValue(state.read());
  }

  #reset(): void {
    this.size = 0;
    this.firstOrderAt = NEVER;
    this.firstPaymentAt = NEVER;
    this.hasExpired = false;
    this.isNothingToTell = true;
    this.hasOthers = false;
  }

  readonly #readBytes = (input: ByteReader): void => {
    const count = input.readVarint();
    for (let left = count; left > 0; left--) {
      const flags = readFlags(input);
      const isPayment = (flags & PAYMENT) !== 0;
      const created_at = isPayment ? skipPayment(input) : skipOrder(input);
      if ((flags & FIRST) !== 0) {
        if (isPayment) this.firstPaymentAt = created_at;
        else this.firstOrderAt = created_at;
      }
      this.#add(created_at, (flags & PAIRED) !== 0);
    }
    this.size = count;
  };

  #readValue(waiting: Waiting): void {
    const { orders, payments, size } = waiting;
    this.size = size;
    this.firstOrderAt = orders.first?.event.created_at ?? NEVER;
    this.firstPaymentAt = payments.first?.event.created_at ?? NEVER;
    if (size > FEW) {
      this.hasExpired = waiting.hasCreatedBefore(this.#bound);
      this.isNothingToTell = false;
      return;
    }
    for (const { event, isPaired } of orders) this.#add(event.created_at, isPaired);
    for (const { event, isPaired } of payments) this.#add(event.created_at, isPaired);
  }

  #add(created_at: number, isPaired: boolean): void {
    if (created_at >= this.#bound) {
      this.hasOthers = true;
      return;
    }
    this.hasExpired = true;
    if (!isPaired) this.isNothingToTell = false;
  }
}
