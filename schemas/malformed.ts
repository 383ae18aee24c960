/**
 * The answer of a decoder to a value it cannot accept. It is returned, never thrown: bad data is an
 * expected outcome that ends as a dead letter, not an exception.
 */

export type MalformedReason = "UNDECODABLE" | "INVALID" | "NULL_VALUE";

export class Malformed {
  readonly reason: MalformedReason;
  /** For a person; never longer than a few hundred characters, whatever the value was. */
  readonly message: string;
  /** The field at fault; always present when the reason is INVALID. */
  readonly field?: string;

  constructor(reason: MalformedReason, message: string, field?: string) {
    this.reason = reason;
    this.message = message;
    if (field !== undefined) this.field = field;
  }
}

export function undecodable(message: string): Malformed {
  return new Malformed("UNDECODABLE", message);
}

/** `what` continues the sentence that the field's name begins. */
export function invalid(field: string, what: string): Malformed {
  return new Malformed("INVALID", `${field} ${what}`, field);
}

/** A Kafka record without a value (a tombstone). */
export const NULL_VALUE = new Malformed("NULL_VALUE", "the record has no value");
