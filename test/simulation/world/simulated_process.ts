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
  /** Longest time that the process may be kept from going on where it yields. */
  stallMaxMs = 0;

  constructor(
    readonly loop: EventLoop,
    readonly random: Random,
  ) {}
}

export class SimulatedProcess implements Owner, Clock {
  isAlive = true;
  readonly name: string;

  constructor(
    readonly machine: Machine,
    number: number,
  ) {
    this.name = `process ${number}`;
  }

  /** After this nothing of it happens any more. */
  die(): void {
    this.isAlive = false;
  }

  now(): number {
    const { loop, clockOffsetMs } = this.machine;
    return loop.nowMs + clockOffsetMs;
  }

  /** By a clock that nobody sets. */
  elapsed(): number {
    return this.machine.loop.nowMs;
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
