/**
 * One life of the process under test: its clock, and whether it still runs. A crash is nothing but its death: whatever
 * it waited for never comes, so none of its code runs again.
 */
import type { Clock } from "../../../beam/platform/clock.js";
import type { Random } from "../../../producers/random.js";
import type { EventLoop, Owner } from "./event_loop.js";

/** The machine that the process runs on. Its clock is its own, and may be wrong or be set. */
export class Machine {
  /** How far its clock is ahead of the world's. */
  clockOffsetMs = 0;
  /** Its processes are frozen until then, by the world's time. */
  sleepsUntilMs = Number.NEGATIVE_INFINITY;
  /** Of the time that passed, what its measure of that did not count. */
  #uncountedMs = 0;
  #lookedAtMs = 0;
  #looks = 0;
  /** Longest time that the process may be kept from going on where it yields. */
  stallMaxMs = 0;

  constructor(
    readonly loop: EventLoop,
    readonly random: Random,
  ) {}

  /** Freezes its processes, also beyond a sleep that it is in. @param isCounted whether the time counts as passed */
  sleep(untilMs: number, isCounted: boolean): void {
    const fromMs = Math.max(this.loop.nowMs, this.sleepsUntilMs);
    if (untilMs <= fromMs) return;
    if (!isCounted) this.#uncountedMs += untilMs - fromMs;
    this.sleepsUntilMs = untilMs;
  }

  now(): number {
    return this.loop.nowMs + this.clockOffsetMs + this.#fraction();
  }

  elapsed(): number {
    return this.loop.nowMs - this.#uncountedMs + this.#fraction();
  }

  /** A part of a millisecond passes with each look. */
  #fraction(): number {
    const { nowMs } = this.loop;
    this.#looks = nowMs === this.#lookedAtMs ? this.#looks + 1 : 1;
    this.#lookedAtMs = nowMs;
    return this.#looks / (this.#looks + 1);
  }
}

export class SimulatedProcess implements Owner, Clock {
  isAlive = true;
  readonly name: string;
  /** What the machine's measure showed when it started. */
  readonly #startedAt: number;

  constructor(
    readonly machine: Machine,
    number: number,
  ) {
    this.name = `process ${number}`;
    this.#startedAt = machine.elapsed();
  }

  /** After this nothing of it happens any more. */
  die(): void {
    this.isAlive = false;
  }

  get sleepsUntilMs(): number {
    return this.machine.sleepsUntilMs;
  }

  /** With a fraction, as `elapsed`. */
  now(): number {
    return this.machine.now();
  }

  /** By a clock that nobody sets. It begins anew with each process, so that none can be compared with the one before. */
  elapsed(): number {
    return this.machine.elapsed() - this.#startedAt;
  }

  /** As the machine's timers: by a clock that nobody sets. */
  schedule(delayMs: number, task: () => void): () => void {
    return this.machine.loop.after(delayMs, this, "timer", task);
  }

  yield(): Promise<void> {
    const { loop, random, stallMaxMs } = this.machine;
    const isStalled = random.chance(1 / 8);
    return loop.wait(isStalled ? random.between(0, stallMaxMs) : 0, this, "yield");
  }
}
