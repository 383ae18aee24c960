/**
 * What time it is, as far as that can be known when any clock may be set wrong.
 *
 * Three sources are compared: this machine's clock; the time that has passed since (it is measured, so nobody can set
 * it); and a witness, another machine's clock. An idle partition takes the passing of time for knowledge, so `now` must
 * not be ahead of the truth:
 *
 * - Within a process `now` goes on by the time that is measured. It follows neither a clock that is set forward nor one
 *   that is set back, but drifts towards the earlier of the two clocks by a thousandth of the time that passes.
 * - It leaps forward only to what two know: this machine's clock and the witness, or one of them and a record.
 * - After a restart it goes on from the last value of the process before (`resume`), so that a clock that was set
 *   forward meanwhile is noticed. A clock that shows less than that value was set back, and the witness is believed.
 * - When the witness is further away than `skewMaxMs` and nothing else tells who is right, it stands still, until a
 *   record comes that is no older, or the clocks agree again.
 *
 * All times in whole milliseconds, whatever the clocks say.
 */

import { formatDuration, type TimestampMs } from "../model/timestamps.js";
import type { Clock } from "./clock.js";

export const DEFAULT_CLOCK_SKEW_MAX_MS = 30_000;

/** Share of the passing time by which `now` is corrected. Clocks that nobody sets go wrong by less. */
const DRIFT_MAX = 1 / 1_000;
/** A clock that shows so much less than the last kept value was set back. */
const SET_BACK_MIN_MS = 1_000;
/** A change by which a problem is told anew, as a share. */
const CHANGE_MIN = 0.1;

export interface TrustedClockOptions {
  /** How far apart the clocks may be; null: this machine's clock is believed at the start, and no witness. */
  readonly skewMaxMs?: number | null;
  /** Whose clock the witness's is, for messages. */
  readonly witnessName?: string;
  /** What a person can do who knows that this machine's clock is right, for messages. */
  readonly advice?: string;
}

type Problem = "two clocks" | "witness" | "set forward" | "set back";

/** The time of a process whose clock may be set, or be wrong. */
export class TrustedClock {
  /** How far apart the clocks may be. */
  readonly skewMaxMs: number;
  readonly #witnessName: string;
  readonly #advice: string;
  readonly #isChecked: boolean;
  /** The time as measured: at `#elapsed` it was `#measured`. */
  #measured: TimestampMs;
  #elapsed: number;
  /** Undefined: it does not stand still. */
  #standsAt: TimestampMs | undefined;
  /** The witness's time at the elapsed time 0, between these; undefined: it has not been heard. */
  #witness: { readonly from: number; readonly to: number } | undefined;
  /** By how much the witness was ahead when a record showed that it is wrong. */
  #witnessAheadMs: number | undefined;
  /** Whether anything but this machine's clock has been heard of the time. */
  #isFirst = true;
  /** This machine's clock showed less than the process before it did. */
  #wasSetBack = false;
  #told: { readonly problem: Problem; readonly byMs: number; readonly text: string } | undefined;

  constructor(
    private readonly clock: Pick<Clock, "now" | "elapsed">,
    options: TrustedClockOptions = {},
  ) {
    const { skewMaxMs = DEFAULT_CLOCK_SKEW_MAX_MS, witnessName = "another machine", advice = "" } = options;
    this.#witnessName = witnessName;
    this.#advice = advice;
    this.#isChecked = skewMaxMs !== null;
    this.skewMaxMs = skewMaxMs ?? DEFAULT_CLOCK_SKEW_MAX_MS;
    this.#measured = clock.now();
    this.#elapsed = clock.elapsed();
  }

  /** Not later than it is, as far as can be known. Whole ms. Goes back only when it turns out to have been ahead. */
  now(): TimestampMs {
    const measured = this.#measure();
    return Math.floor(this.#standsAt ?? measured);
  }

  /** The latest time that it may be: for whoever would refuse what is from later than now. Whole ms. */
  latest(): TimestampMs {
    const measured = this.#measure();
    const { to } = this.#witnessed();
    const isAgreed = to !== undefined && this.#standsAt === undefined && this.#witnessAheadMs === undefined;
    const shown = isAgreed ? Number.NEGATIVE_INFINITY : this.clock.now();
    return Math.floor(Math.max(measured, shown, to ?? Number.NEGATIVE_INFINITY));
  }

  /** How far this machine's clock is ahead of the time as measured; below 0: behind it. */
  get shownAheadMs(): number {
    return this.clock.now() - this.#measure();
  }

  /** Whether a witness is wanted at all. */
  get isChecked(): boolean {
    return this.#isChecked;
  }

  /** @param lastMs what `now` was last in the process that this one goes on from */
  resume(lastMs: TimestampMs): void {
    if (!this.#isChecked) return;
    const shown = this.clock.now();
    const measured = this.#measure();
    this.#isFirst = false;
    this.#wasSetBack = shown < lastMs - SET_BACK_MIN_MS;
    const isBelieved = this.#witness === undefined && shown - lastMs <= this.skewMaxMs;
    this.#measured = isBelieved ? Math.max(measured, lastMs) : lastMs;
    this.#standsAt = undefined;
    this.#judge();
  }

  /** The witness's clock shows a time between these now. */
  hear(fromMs: TimestampMs, toMs: TimestampMs): void {
    if (!this.#isChecked) return;
    const elapsed = this.clock.elapsed();
    this.#witness = { from: fromMs - elapsed, to: toMs - elapsed };
    this.#judge();
  }

  /** A record has this time: the clock of a producer or a broker has shown it already. */
  confirm(timestamp: TimestampMs): void {
    const measured = this.#measure();
    if (this.#standsAt === undefined && timestamp <= measured) return;
    const { from, to } = this.#witnessed();
    const seen = Math.min(timestamp, Math.max(this.clock.now(), to ?? Number.NEGATIVE_INFINITY));
    if (this.#standsAt !== undefined) {
      if (seen < this.#standsAt - this.skewMaxMs) return;
      this.#measured = Math.max(this.#standsAt, seen);
    } else if (seen > measured) {
      this.#measured = seen;
    } else {
      return;
    }
    this.#isFirst = false;
    this.#standsAt = undefined;
    const isWitnessWrong = this.#distance(this.#measured) > this.skewMaxMs;
    this.#witnessAheadMs = isWitnessWrong ? (from! + to!) / 2 - this.#measured : undefined;
  }

  /** What is wrong with the clocks, for a person; undefined: nothing. */
  problem(): string | undefined {
    const measured = this.#measure();
    const aheadMs = this.clock.now() - measured;
    const { from } = this.#witnessed();
    if (this.#standsAt !== undefined) return this.#tell("two clocks", from! - this.clock.now());
    if (this.#witnessAheadMs !== undefined) return this.#tell("witness", from! - measured);
    if (aheadMs > this.skewMaxMs) return this.#tell("set forward", aheadMs);
    if (aheadMs < -this.skewMaxMs) return this.#tell("set back", aheadMs);
    this.#told = undefined;
    return undefined;
  }

  #measure(): TimestampMs {
    const elapsed = this.clock.elapsed();
    const passedMs = Math.max(0, elapsed - this.#elapsed);
    this.#elapsed = elapsed;
    const expected = this.#measured + passedMs;
    const driftMs = this.#earliestShown() - expected;
    const maxMs = Math.abs(driftMs) > this.skewMaxMs ? 0 : passedMs * DRIFT_MAX;
    this.#measured = expected + Math.min(maxMs, Math.max(-maxMs, driftMs));
    return this.#measured;
  }

  #witnessed(): { readonly from: number | undefined; readonly to: number | undefined } {
    if (this.#witness === undefined) return { from: undefined, to: undefined };
    const elapsed = this.clock.elapsed();
    return { from: this.#witness.from + elapsed, to: this.#witness.to + elapsed };
  }

  #earliestShown(): TimestampMs {
    return Math.min(this.clock.now(), this.#witnessed().from ?? Number.POSITIVE_INFINITY);
  }

  /** How far a time is from the witness's; 0 when it has not been heard. */
  #distance(timestamp: TimestampMs): number {
    const { from, to } = this.#witnessed();
    return from === undefined ? 0 : Math.max(0, from - timestamp, timestamp - to!);
  }

  /** Compares the three. */
  #judge(): void {
    const { from } = this.#witnessed();
    if (from === undefined) return;
    const shown = this.clock.now();
    let measured = this.#measure();
    const areClocksAgreed = this.#distance(shown) <= this.skewMaxMs;
    const earliest = Math.min(shown, from);
    if (areClocksAgreed && (this.#isFirst || measured - Math.max(shown, from) > this.skewMaxMs)) {
      // Nothing was known but what a clock showed, or it was ahead of both.
      measured = earliest;
    } else if (this.#isFirst || this.#standsAt !== undefined) {
      if (areClocksAgreed) measured = Math.max(measured, earliest);
    } else {
      measured = Math.max(measured, earliest);
      if (this.#wasSetBack) measured = Math.max(measured, from);
    }
    this.#measured = measured;
    const isAgreed = areClocksAgreed || (!this.#isFirst && this.#distance(measured) <= this.skewMaxMs);
    if (isAgreed) {
      this.#isFirst = false;
      this.#wasSetBack = false;
      this.#standsAt = undefined;
      this.#witnessAheadMs = undefined;
      return;
    }
    const witnessAheadMs = from - measured;
    if (Math.abs(witnessAheadMs - (this.#witnessAheadMs ?? Number.NaN)) <= this.skewMaxMs) return;
    this.#witnessAheadMs = undefined;
    this.#standsAt ??= this.#isFirst ? Math.min(measured, from) : measured;
  }

  /** The same sentence, as long as what it tells is about the same. */
  #tell(problem: Problem, byMs: number): string {
    const told = this.#told;
    if (told?.problem === problem && Math.abs(byMs - told.byMs) <= Math.abs(told.byMs) * CHANGE_MIN) {
      return told.text;
    }
    const text = this.#sentence(problem, formatDuration(Math.abs(byMs)), byMs > 0);
    this.#told = { problem, byMs, text };
    return text;
  }

  #sentence(problem: Problem, by: string, isAhead: boolean): string {
    const witness = `${this.#witnessName}'s clock`;
    const where = isAhead ? "ahead of" : "behind";
    switch (problem) {
      case "two clocks":
        return (
          `${witness} is ${by} ${where} the clock of this machine: partitions without new records stand still until a ` +
          `record shows which is right. Set the wrong one right${this.#advice}`
        );
      case "witness":
        return `${witness} is ${by} ${where} what records show: it is not believed, and one of the clocks is wrong`;
      case "set forward":
        return (
          `the clock of this machine was set forward by ${by}, which neither a record nor ${witness} has shown: ` +
          `partitions without new records go on as if it had not been${this.#advice}`
        );
      case "set back":
        return `the clock of this machine is ${by} behind the time that has passed: it was set back, and is not believed`;
    }
  }
}
