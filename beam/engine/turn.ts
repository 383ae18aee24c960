/**
 * A turn: bundles that commit together. It remembers what they took from the stages and what they gave them, so that
 * its commit can say where the run stands behind it while later turns are under way already.
 */
import type { Changes } from "../store/changes.js";
import type { Consumed, PendingBatch } from "./pending_elements.js";
import type { Restriction, Stage, StageWatermarks, TakenByTurn } from "./stage.js";

export class Turn implements TakenByTurn {
  bundles = 0;
  openBundles = 0;
  readonly finalizers: (() => void | Promise<void>)[] = [];
  /** What the bundles counted; the engine never looks inside. */
  readonly reports: unknown[] = [];
  readonly consumed: Consumed[] = [];
  readonly produced: PendingBatch[] = [];
  readonly taken: Restriction[] = [];
  readonly left: Restriction[] = [];
  #isClosed = false;
  #watermarks: readonly StageWatermarks[] = [];

  /** @param changes what its bundles do to state and timers */
  constructor(readonly changes: Changes) {}

  /** Nothing more begins in it. @param stages all stages, in the order of the engine's */
  close(stages: readonly Stage[]): void {
    this.#isClosed = true;
    this.#watermarks = stages.map((stage) => stage.watermarks);
  }

  /** Of all stages, when the turn was closed. */
  get watermarks(): readonly StageWatermarks[] {
    return this.#watermarks;
  }

  /** Nothing happened in it. */
  get isEmpty(): boolean {
    const { consumed, produced, taken, left } = this;
    return this.bundles + consumed.length + produced.length + taken.length + left.length === 0;
  }

  /** Sources looked for something to read, and there was nothing. */
  get isIdle(): boolean {
    return this.changes.bytes + this.consumed.length + this.produced.length === 0;
  }

  get isFinished(): boolean {
    return this.#isClosed && this.openBundles === 0;
  }
}
