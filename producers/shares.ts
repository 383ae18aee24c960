/**
 * How much of each case a scenario holds. The outcomes are relative weights, one outcome for each order; all
 * other shares are probabilities, in [0, 1].
 */

export interface Shares {
  /** Outcome: one payment, soon after the order. */
  paid: number;
  /** Outcome: two or three payments. */
  multiplePayments: number;
  /** Outcome: the payment is created, and arrives, before the order. */
  early: number;
  /** Outcome: the payment comes late in the timeout, now and then exactly at its end. */
  delayed: number;
  /** Outcome: no payment. */
  missing: number;
  /** An extra payment, for each order, whose own order does not exist. */
  orphan: number;
  /** An exact copy soon after an event. */
  duplicate: number;
  /** An exact copy of an event, later but before its expiry. */
  farDuplicate: number;
  /** An event with the same id and another amount. */
  conflict: number;
  /** An event arrives after newer ones, within the bound. */
  disorder: number;
  /** An extra event, for each order, that arrives after its expiry: far beyond the bound. */
  late: number;
  /** An extra message, for each order, that cannot be decoded or is invalid. */
  malformed: number;
  /** An extra message, for each order, without a value. */
  nullValue: number;
  /** An event is written as JSON instead of Avro. */
  json: number;
}

export const DEFAULT_SHARES: Readonly<Shares> = {
  paid: 0.8,
  multiplePayments: 0.04,
  early: 0.05,
  delayed: 0.05,
  missing: 0.06,
  orphan: 0.02,
  duplicate: 0.02,
  farDuplicate: 0.005,
  conflict: 0.005,
  disorder: 0.2,
  late: 0.002,
  malformed: 0.002,
  nullValue: 0.001,
  json: 0.1,
};

/** Fills in the defaults. Throws a RangeError that names the share that is not in [0, 1]. */
export function completeShares(given: Partial<Shares> = {}): Shares {
  const shares: Shares = { ...DEFAULT_SHARES, ...given };
  for (const [name, value] of Object.entries(shares)) {
    if (!(value >= 0 && value <= 1)) throw new RangeError(`share ${name} is ${value}, not between 0 and 1`);
  }
  if (outcomeWeights(shares) === 0) throw new RangeError("the shares leave no outcome for an order");
  return shares;
}

export function outcomeWeights(shares: Shares): number {
  return shares.paid + shares.multiplePayments + shares.early + shares.delayed + shares.missing;
}

/** Expected number of messages for each order, on both topics or one. */
export function messagesPerOrder(shares: Shares, which: "orders" | "payments" | "all"): number {
  const weights = outcomeWeights(shares);
  const paidOnce = (shares.paid + shares.early + shares.delayed) / weights;
  const payments = paidOnce + 2.5 * (shares.multiplePayments / weights) + shares.orphan;
  const copies = 1 + shares.duplicate + shares.farDuplicate + shares.conflict;
  // Late events, malformed and null values go to either topic.
  const extras = shares.late + shares.malformed + shares.nullValue;
  if (which === "all") return (1 + payments) * copies + extras;
  return (which === "orders" ? 1 : payments) * copies + extras / 2;
}
