/**
 * A stage: steps that run together, one bundle at a time. This file is what the engine remembers of one: pending
 * elements, unfinished restrictions, timers and watermarks, and the few ways in which they change.
 *
 * Invariants
 * - Input and output watermark never go back, and output ≤ input.
 * - Output ≤ every hold: timers that are due but did not fire, output timestamps of timers set ahead of them, pending
 *   elements, the watermark of every unfinished restriction, and the output watermark at the start of every bundle
 *   that has not ended.
 *   What is left for a later run holds it too, where the run keeps what waits.
 * - An element is in exactly one place: pending, in a bundle, or behind.
 */
import { formatTimestamp, MAX_TIMESTAMP, MIN_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import type { ElementBatch } from "./element_batch.js";
import { type Consumed, type PendingBatch, PendingElements } from "./pending_elements.js";
import { StageLoad } from "./stage_load.js";
import type { Residual, ScriptedEvent, StageProcessor, StageSpec, StageView } from "./stage_spec.js";
import type { StageTimers } from "./stage_timers.js";

/** A restriction that waits for its turn. */
export interface Restriction {
  readonly stage: StageView;
  readonly id: number;
  readonly residual: Residual;
  /** It is a record of the store. */
  isStored: boolean;
  /** By the time that passes (`Clock.elapsed`), which nobody can set. */
  resumeAtMs: number;
  isReady: boolean;
  /** Part of one that a drain has truncated already. */
  isTruncated: boolean;
  /** An earlier run has left it. */
  isResumed: boolean;
  /** Ends the watch that its `onReady` began. */
  endWatch: (() => void) | undefined;
}

export interface StageWatermarks {
  readonly input: TimestampMs;
  readonly output: TimestampMs;
}

/** What a turn remembers of what it took from stages, and left with them. */
export interface TakenByTurn {
  /** Elements that were taken: all of the batch before `next`. */
  readonly consumed: Consumed[];
  readonly taken: Restriction[];
  readonly left: Restriction[];
}

/** A bundle that has begun and not ended: the output watermark stays where it was. */
export interface OpenBundle {
  readonly hold: TimestampMs;
}

/** Looks on while an engine runs, for tests and pages; the engine goes on when it returns. */
export interface StageObserver {
  /** Watermarks, holds and pending elements may have changed. */
  onStage(stage: Stage): void;
  /** `producer` is undefined for what comes from outside: an impulse, or what a restart left. */
  onDelivery(producer: Stage | undefined, consumer: Stage, input: number, batch: ElementBatch): void;
}

export class Stage implements StageView {
  /** Stages that make what this one reads. */
  readonly upstream: Stage[] = [];
  /** Whether what a later run is to do holds the watermark in this one. */
  parkedHold = false;
  /** Where its time goes. */
  readonly load = new StageLoad();
  /** It has something to read that is further ahead in event time than the slowest source may be left behind. */
  isAhead = false;
  readonly #pending: PendingElements;
  readonly #restrictions = new Set<Restriction>();
  /** What a later run is to do. */
  readonly #parked = new Set<Restriction>();
  readonly #openBundles = new Set<OpenBundle>();
  #scriptPosition = 0;
  #scriptWatermark: TimestampMs = MIN_TIMESTAMP;
  #inputWatermark: TimestampMs = MIN_TIMESTAMP;
  #outputWatermark: TimestampMs = MIN_TIMESTAMP;
  #resumeLimit: TimestampMs = MAX_TIMESTAMP;
  #elementsIn = 0;
  #bundles = 0;
  #lastId = 0;

  constructor(
    readonly spec: StageSpec,
    readonly timers: StageTimers,
    private readonly observer?: StageObserver,
  ) {
    this.#pending = new PendingElements(spec);
  }

  /** In the order of arrival. */
  get pending(): readonly PendingBatch[] {
    return this.#pending.batches;
  }
  get restrictions(): ReadonlySet<Restriction> {
    return this.#restrictions;
  }
  get inputWatermark(): TimestampMs {
    return this.#inputWatermark;
  }
  get outputWatermark(): TimestampMs {
    return this.#outputWatermark;
  }
  get watermarks(): StageWatermarks {
    return { input: this.#inputWatermark, output: this.#outputWatermark };
  }
  /** How far the restrictions that the last restart went on with let the output watermark be. */
  get resumeLimit(): TimestampMs {
    return this.#resumeLimit;
  }
  /** Elements taken so far. */
  get elementsIn(): number {
    return this.#elementsIn;
  }
  /** Bundles begun so far. */
  get bundles(): number {
    return this.#bundles;
  }
  /** Bundles that have begun and not ended. */
  get openBundles(): number {
    return this.#openBundles.size;
  }
  /** A restriction is watched by whoever has its data, and may become ready at any time. */
  get isWatching(): boolean {
    for (const { endWatch } of this.#restrictions) if (endWatch !== undefined) return true;
    return false;
  }

  inputWatermarkOf(collection: string): TimestampMs {
    const producer = this.upstream.find(({ spec }) => spec.outputs.includes(collection));
    let watermark = producer === undefined ? MAX_TIMESTAMP : producer.#outputWatermark;
    for (const { input, batch } of this.#pending.batches) {
      if (this.spec.inputs[input] === collection) watermark = Math.min(watermark, batch.minTimestamp);
    }
    return watermark;
  }

  get pendingCount(): number {
    return this.#pending.count;
  }
  /** As `pendingCount`, less those that must not be touched yet. */
  get readyCount(): number {
    return this.#pending.readyCount;
  }
  /** Of those that sources wait for: the pieces of a large batch are passed, but there may not be very many. */
  get backlog(): number {
    return this.#pending.backlog;
  }
  /** Elements can be taken. A piece of a large batch is, while no other bundle is open, or when it was passed often. */
  get hasReady(): boolean {
    return this.#pending.hasReady(this.#openBundles.size);
  }
  /** As `hasReady`, but for pieces that others may pass. */
  get hasUrgent(): boolean {
    return this.#pending.hasUrgent;
  }

  /** @param id of a batch that a commit knows; a new one by default. Ids grow in the order of arrival. */
  enqueue(input: number, batch: ElementBatch, id = this.#lastId + 1): PendingBatch {
    this.#lastId = Math.max(this.#lastId, id);
    if (this.observer !== undefined && batch.length > 0) {
      const collection = this.spec.inputs[input]!;
      const producer = this.upstream.find(({ spec }) => spec.outputs.includes(collection));
      this.observer.onDelivery(producer, this, input, batch);
    }
    return this.#pending.add(this, id, input, batch);
  }

  /** Hands ready elements to a bundle, `countMax` at most, or one piece of a large batch. Returns how many. */
  takeElements(countMax: number, processor: StageProcessor, turn: TakenByTurn): number {
    const count = this.#pending.take(countMax, processor, turn.consumed);
    this.#elementsIn += count;
    return count;
  }

  /** Pending elements of a splittable stage are restrictions that have not begun. */
  beginRestrictions(turn: TakenByTurn): void {
    for (const pending of this.#pending.takeAll()) {
      const { batch, next } = pending;
      for (let i = next; i < batch.length; i++) {
        this.#elementsIn++;
        const residual: Residual = {
          value: batch.values[i],
          timestamp: batch.timestamps[i]!,
          windows: batch.windowsAt(i),
          pane: batch.paneAt(i),
          watermark: batch.timestamps[i]!,
          delayMs: 0,
          onReady: undefined,
          watermarkNow: undefined,
        };
        turn.left.push(this.addRestriction(residual, Number.NEGATIVE_INFINITY));
      }
      turn.consumed.push({ pending, next: batch.length });
    }
  }

  /** @param id of one that a commit knows; a new one by default */
  addRestriction(residual: Residual, resumeAtMs: number, id = this.#lastId + 1): Restriction {
    this.#lastId = Math.max(this.#lastId, id);
    const restriction = this.#newRestriction(residual, resumeAtMs, id);
    this.#restrictions.add(restriction);
    return restriction;
  }

  /** Hands a restriction to a bundle, which leaves what it does not do as others. */
  takeRestriction(restriction: Restriction, turn: TakenByTurn): void {
    restriction.endWatch?.();
    this.#restrictions.delete(restriction);
    turn.taken.push(restriction);
  }

  /**
   * Asks the restrictions whose delay is over how far event time has come, where they can tell that by themselves. A
   * bundle for each would be most of what an idle run with many partitions does.
   * @param elapsedMs now, by `Clock.elapsed`
   */
  askWatermarks(elapsedMs: number, turn: TakenByTurn): void {
    for (const restriction of this.#restrictions) {
      const { residual, isReady, resumeAtMs } = restriction;
      if (residual.watermarkNow === undefined || isReady || resumeAtMs > elapsedMs) continue;
      restriction.resumeAtMs = endOfDelay(residual.delayMs, elapsedMs);
      const watermark = residual.watermarkNow();
      if (watermark <= residual.watermark) continue;
      residual.watermark = watermark;
      turn.left.push(restriction);
    }
  }

  /** What a later run is to do: nobody touches it any more. */
  park(residual: Residual): Restriction {
    const restriction = this.#newRestriction(residual, Number.POSITIVE_INFINITY, ++this.#lastId);
    this.#parked.add(restriction);
    return restriction;
  }

  #newRestriction(residual: Residual, resumeAtMs: number, id: number): Restriction {
    const isReady = residual.delayMs <= 0;
    return {
      stage: this,
      id,
      residual,
      resumeAtMs,
      isReady,
      isTruncated: false,
      isResumed: false,
      endWatch: undefined,
      isStored: false,
    };
  }

  /** Nobody is to be told any more that a restriction has become ready. */
  endWatches(): void {
    for (const { endWatch } of this.#restrictions) endWatch?.();
  }

  openBundle(): OpenBundle {
    const open = { hold: this.#outputWatermark };
    this.#openBundles.add(open);
    this.#bundles++;
    return open;
  }

  closeBundle(open: OpenBundle): void {
    this.#openBundles.delete(open);
  }

  /**
   * The next step of a scripted stage, which moves its watermark when that is what the step says.
   * Undefined: the script is over, or there is none.
   */
  nextScripted(): ScriptedEvent | undefined {
    const { script } = this.spec;
    const event = script?.[this.#scriptPosition];
    if (event === undefined) return undefined;
    this.#scriptPosition++;
    if (event.kind === "watermark") this.#scriptWatermark = event.watermark;
    if (this.#scriptPosition === script!.length) this.#scriptWatermark = MAX_TIMESTAMP;
    return event;
  }

  /** Before the run begins: where a commit has left it. */
  resumeAt({ input, output }: StageWatermarks): void {
    this.#inputWatermark = input;
    this.#outputWatermark = output;
  }

  /**
   * After a restart: no further than the restrictions say that are to be gone on with. A run that expired what waits, or
   * was about to, had sent the watermark ahead of them.
   */
  limitWatermarks(): void {
    let limit = MAX_TIMESTAMP;
    for (const { resumeLimit } of this.upstream) limit = Math.min(limit, resumeLimit);
    this.#inputWatermark = Math.min(this.#inputWatermark, limit);
    for (const { residual } of this.#restrictions) limit = Math.min(limit, residual.watermark);
    this.#outputWatermark = Math.min(this.#outputWatermark, limit);
    this.#resumeLimit = limit;
  }

  /** Recomputes both watermarks from what is upstream, pending and held. */
  refreshWatermarks(): void {
    let input = MAX_TIMESTAMP;
    for (const stage of this.upstream) input = Math.min(input, stage.#outputWatermark);
    if (this.spec.kind === "scripted") input = Math.min(input, this.#scriptWatermark);
    for (const { batch } of this.#pending.batches) input = Math.min(input, batch.minTimestamp);
    if (input > this.#inputWatermark) this.#inputWatermark = input;

    let output = this.timers.earliestUpTo("event", this.#inputWatermark);
    if (this.timers.holds.size > 0) output = Math.min(output, this.timers.holds.min());
    for (const { residual } of this.#restrictions) output = Math.min(output, residual.watermark);
    if (this.parkedHold) {
      for (const { residual } of this.#parked) output = Math.min(output, residual.watermark);
    }
    for (const { hold } of this.#openBundles) output = Math.min(output, hold);
    if (output > this.#outputWatermark) this.#outputWatermark = output;
    this.observer?.onStage(this);
  }

  /** Nothing is left to do, now or later. */
  get isDone(): boolean {
    return (
      this.#outputWatermark >= MAX_TIMESTAMP &&
      this.#pending.batches.length === 0 &&
      this.#restrictions.size === 0 &&
      this.#openBundles.size === 0 &&
      this.timers.count("processing") === 0
    );
  }

  describe(): string {
    const held = this.timers.holds.min();
    const parts = [
      `input ${formatTimestamp(this.#inputWatermark)}`,
      `output ${formatTimestamp(this.#outputWatermark)}`,
      `pending ${this.pendingCount}`,
      `restrictions ${this.#restrictions.size}`,
      ...(this.#parked.size > 0 ? [`left for the next run ${this.#parked.size}`] : []),
      `open bundles ${this.#openBundles.size}`,
      `event timers ${this.timers.count("event")}`,
      `processing timers ${this.timers.count("processing")}`,
      held === MAX_TIMESTAMP ? "no holds" : `held at ${formatTimestamp(held)}`,
    ];
    return `${this.spec.name}: ${parts.join(", ")}`;
  }
}

/**
 * When a delay that begins now is over, by `elapsed`. A delay is a latest time, so it ends at a multiple of its half, and
 * takes more than half of what it says: restrictions that wait equally long come back in one turn, or two. Each in a turn
 * of its own, a hundred quiet partitions would keep an idle engine busy.
 */
export function endOfDelay(delayMs: number, elapsedMs: number): number {
  const latestMs = elapsedMs + delayMs;
  if (delayMs <= 0 || delayMs === Number.POSITIVE_INFINITY) return latestMs;
  const stepMs = delayMs / 2;
  return Math.floor(latestMs / stepMs) * stepMs;
}
