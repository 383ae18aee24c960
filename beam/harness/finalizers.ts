/**
 * Callbacks of bundles that wait for their results to be safe. They are apart from the processors, which serve other
 * bundles meanwhile. A runner may never call, so the oldest are dropped after a time, or when there are too many.
 */
export type Finalizer = () => void | Promise<void>;

const BUNDLES_MAX = 10_000;
const AGE_MAX_MS = 60 * 60_000;

export class Finalizers {
  readonly #bundles = new Map<
    string,
    { readonly sinceMs: number; readonly callbacks: readonly Finalizer[] }
  >();

  keep(instructionId: string, callbacks: readonly Finalizer[], nowMs: number): void {
    this.#bundles.set(instructionId, { sinceMs: nowMs, callbacks });
    for (const [id, { sinceMs }] of this.#bundles) {
      if (this.#bundles.size <= BUNDLES_MAX && nowMs - sinceMs < AGE_MAX_MS) break;
      this.#bundles.delete(id);
    }
  }

  /** Calls those of a bundle, if there are any. Rejects with the first failure when all have been called. */
  async run(instructionId: string): Promise<void> {
    const bundle = this.#bundles.get(instructionId);
    this.#bundles.delete(instructionId);
    const results = await Promise.allSettled(bundle?.callbacks.map(async (callback) => callback()) ?? []);
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }
}
