/**
 * Looks into the engine while it runs: the stages tell here whenever their watermarks are computed anew and whenever
 * elements are put in front of them. The engine's own code runs unchanged beneath.
 */
import type { ElementBatch } from "../../beam/engine/element_batch.js";
import { Stage } from "../../beam/engine/stage.js";

export interface StageObserver {
  /** Watermarks, holds and pending elements may have changed. */
  onStage(stage: Stage): void;
  /** `producer` is undefined for what comes from outside: an impulse, or what a restart left. */
  onDelivery(producer: Stage | undefined, consumer: Stage, input: number, batch: ElementBatch): void;
}

/** Runs `work` with an observer of every engine in this process. */
export async function observeStages<T>(observer: StageObserver, work: () => Promise<T>): Promise<T> {
  const { refreshWatermarks, enqueue } = Stage.prototype;
  Stage.prototype.refreshWatermarks = function (): void {
    refreshWatermarks.call(this);
    observer.onStage(this);
  };
  Stage.prototype.enqueue = function (input: number, batch: ElementBatch, ...more) {
    if (batch.length > 0) {
      const collection = this.spec.inputs[input]!;
      const producer = this.upstream.find(({ spec }) => spec.outputs.includes(collection));
      observer.onDelivery(producer, this, input, batch);
    }
    return enqueue.call(this, input, batch, ...more);
  };
  try {
    return await work();
  } finally {
    Object.assign(Stage.prototype, { refreshWatermarks, enqueue });
  }
}
