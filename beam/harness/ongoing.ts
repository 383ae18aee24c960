/**
 * Tells of bundles that take long, as runners' users know it from Beam's other SDKs: which step it is in, and for how long.
 * It sees what waits; what keeps the event loop to itself is told of when it lets go.
 */
import type { Clock } from "../platform/clock.js";
import type { WorkerLog } from "./worker_log.js";

const FIRST_MS = 5 * 60_000;
const LOOK_MS = 30_000;

interface Ongoing {
  readonly sinceMs: number;
  readonly step: () => string;
  /** Runs a function as a part of the bundle, so that a log entry names it. */
  readonly within: (tell: () => void) => void;
  /** When it is told of next. */
  toldMs: number;
}

export class OngoingBundles {
  readonly #bundles = new Map<string, Ongoing>();
  #cancel: (() => void) | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly log: WorkerLog,
    private readonly firstMs = FIRST_MS,
  ) {}

  /** @param step name of the step at work */
  begin(id: string, step: () => string, within: (tell: () => void) => void): void {
    const sinceMs = this.clock.elapsed();
    this.#bundles.set(id, { sinceMs, step, within, toldMs: sinceMs + this.firstMs });
    this.#watch();
  }

  end(id: string): void {
    this.#bundles.delete(id);
    if (this.#bundles.size > 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #watch(): void {
    this.#cancel ??= this.clock.schedule(Math.min(LOOK_MS, this.firstMs), () => {
      this.#cancel = undefined;
      this.#look();
      if (this.#bundles.size > 0) this.#watch();
    });
  }

  #look(): void {
    const now = this.clock.elapsed();
    for (const [id, bundle] of this.#bundles) {
      if (now < bundle.toldMs) continue;
      const seconds = Math.round((now - bundle.sinceMs) / 1_000);
      // Twice as long before it is told of again.
      bundle.toldMs = now + (now - bundle.sinceMs);
      bundle.within(() =>
        this.log.warn(
          `Operation ongoing in bundle ${id} for at least ${seconds} s, in the step ${bundle.step() || "between steps"}`,
        ),
      );
    }
  }
}
