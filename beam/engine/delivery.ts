/** Which stage reads what another one makes: what bundles give goes in front of its consumers. */
import type { PendingBatch } from "./pending_elements.js";
import type { Stage } from "./stage.js";
import type { BundleResult } from "./stage_spec.js";

export class Delivery {
  readonly #consumers = new Map<string, { readonly stage: Stage; readonly input: number }[]>();

  /** Also tells each stage which others are upstream of it. */
  constructor(
    stages: readonly Stage[],
    private readonly bundleSizeMax: number,
  ) {
    const producers = new Map<string, Stage>();
    for (const stage of stages) for (const output of stage.spec.outputs) producers.set(output, stage);
    for (const stage of stages) {
      stage.spec.inputs.forEach((collection, input) => {
        const consumers = this.#consumers.get(collection) ?? [];
        consumers.push({ stage, input });
        this.#consumers.set(collection, consumers);
        const producer = producers.get(collection);
        if (producer !== undefined && !stage.upstream.includes(producer)) stage.upstream.push(producer);
      });
    }
  }

  /** @param outputs one batch for each output of the stage, in their order */
  deliver(stage: Stage, outputs: BundleResult["outputs"]): PendingBatch[] {
    const delivered: PendingBatch[] = [];
    stage.spec.outputs.forEach((collection, index) => {
      const batch = outputs[index]!;
      if (batch.length === 0) return;
      // What a commit finds half consumed it writes again: of a large batch that would be far more than it holds.
      const pieces = batch.length <= 2 * this.bundleSizeMax ? [batch] : batch.split(this.bundleSizeMax);
      for (const consumer of this.#consumers.get(collection) ?? []) {
        for (const piece of pieces) {
          const pending = consumer.stage.enqueue(consumer.input, piece);
          pending.isPiece = pieces.length > 1;
          delivered.push(pending);
        }
      }
    });
    return delivered;
  }

  /**
   * A whole bundle waits in front of a consumer of this stage that could take it. What waits there for its commit alone
   * does not count: on a durable store some always does, and what waits in state would grow as long as there is input.
   */
  isAheadOfConsumers({ spec }: Stage): boolean {
    for (const output of spec.outputs) {
      for (const { stage } of this.#consumers.get(output) ?? []) {
        if (stage.backlog >= this.bundleSizeMax) return true;
      }
    }
    return false;
  }
}
