/** What is known of one order_id, from wherever it can be known: plain data, for the page, `--json` and the text. */
import type { EventKind } from "../../schemas/events.js";

/** An event that waits in state. */
export interface WaitingView {
  readonly kind: EventKind;
  readonly id: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly isPaired: boolean;
  readonly amount: number;
}

/** A record in Kafka. */
export interface ArrivalView {
  readonly kind: EventKind;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number | null;
  readonly createdAtMs: number | null;
  readonly id: string | null;
  /** Why it is no event. */
  readonly problem: string | null;
  /** Undefined where nobody knows how far the run has read. */
  readonly isRead?: boolean;
}

export interface JoinedView {
  readonly paymentId: string;
  readonly createdAtMs: number;
  readonly paymentDateMs: number;
  /** The document, as extended JSON has it. */
  readonly document: Readonly<Record<string, unknown>>;
}

export interface UnmatchedView {
  readonly kind: EventKind;
  readonly reason: string;
  readonly id: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

export interface LetterView {
  readonly id: string;
  readonly reason: string;
  readonly message: string;
  readonly topic: string | null;
  readonly partition: number | null;
  readonly offset: string | null;
  readonly kind: EventKind | null;
}

export interface WatermarkView {
  /** Of the join; null: not known. */
  readonly atMs: number | null;
  /** Whose it is. */
  readonly heldBy: string | null;
}

export interface Explanation {
  readonly orderId: string;
  readonly atMs: number;
  /** One sentence: why it is or is not paired. */
  readonly verdict: string;
  readonly timeoutMs: number;
  /** Where state was looked at: "the running process", a directory; null: nowhere. */
  readonly stateFrom: string | null;
  readonly waiting: readonly WaitingView[];
  readonly watermark: WatermarkView;
  readonly joined: readonly JoinedView[];
  readonly unmatched: readonly UnmatchedView[];
  readonly deadLetters: readonly LetterView[];
  /** Null: Kafka was not asked. */
  readonly arrivals: readonly ArrivalView[] | null;
  /** What could not be looked at, and why. */
  readonly notes: readonly string[];
}

/** All of an explanation but its sentence. */
export type Evidence = Omit<Explanation, "verdict">;
