/** The documents that must appear, by `_id`: when their payments were sent, and when they were found. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Collection } from "mongodb";
import { quantile } from "../../statistics.js";
import type { LatencyFigures } from "../../subject.js";

const POLL_EVERY_MS = 1;
/** A document that was not found so long after its payment is missing. */
const MISSING_AFTER_MS = 10_000;
/** Documents asked for in one poll: the oldest that are still expected. */
const POLL_MAX = 200;

export class ExpectedDocuments {
  readonly #sentMs = new Map<string, number>();
  readonly #latenciesMs: number[] = [];
  #missing = 0;
  #isComplete = false;

  add(ids: readonly string[], sentMs: number): void {
    for (const id of ids) this.#sentMs.set(id, sentMs);
  }

  /** Nothing more will be added. */
  complete(): void {
    this.#isComplete = true;
  }

  /** Polls until everything has been found or is missing. */
  async findAll(collection: Collection<{ _id: string }>): Promise<void> {
    while (!this.#isComplete || this.#sentMs.size > 0) {
      if (this.#sentMs.size > 0) {
        const documents = await collection
          .find({ _id: { $in: this.#oldest() } }, { projection: { _id: 1 } })
          .toArray();
        this.#take(documents);
      }
      await sleep(POLL_EVERY_MS);
    }
  }

  figures(): LatencyFigures {
    const latencies = this.#latenciesMs;
    if (latencies.length === 0) throw new Error(`not one of ${this.#missing} documents was found`);
    return {
      p50: quantile(latencies, 0.5),
      p99: quantile(latencies, 0.99),
      max: quantile(latencies, 1),
      samples: latencies.length,
      missing: this.#missing,
    };
  }

  #oldest(): string[] {
    const ids: string[] = [];
    for (const id of this.#sentMs.keys()) {
      if (ids.length === POLL_MAX) break;
      ids.push(id);
    }
    return ids;
  }

  #take(documents: readonly { readonly _id: string }[]): void {
    const now = performance.now();
    for (const { _id } of documents) {
      const sentMs = this.#sentMs.get(_id);
      if (sentMs === undefined) continue;
      this.#latenciesMs.push(now - sentMs);
      this.#sentMs.delete(_id);
    }
    for (const [id, sentMs] of this.#sentMs) {
      if (now - sentMs < MISSING_AFTER_MS) break;
      this.#missing++;
      this.#sentMs.delete(id);
    }
  }
}
