/** Which bundles workers get: none of the sources while the job stands still or drains, and none before it has taken over. */
import { sleep, systemClock } from "@order-payment-stream/beam/io";
import { isSource } from "./bundle_ports.js";
import { type FleetBundle, NOTHING, type Substitute } from "./fleet_bundle.js";
import { FleetTakeover, type OwedByJob } from "./fleet_takeover.js";
import type { GraphNames } from "./graph_names.js";

/** A runner gives what is ready at once: after this time without a bundle there is nothing more. */
const QUIET_MS = 1_000;
const LOOK_MS = 50;

export interface GateOptions {
  /** Of the job's graph. */
  readonly names: GraphNames;
  /** Of the job whose place this one takes. */
  readonly owed?: OwedByJob | undefined;
  /** What was owed has been taken over, but for these stages. */
  readonly onTakenOver: (missed: readonly string[]) => void;
}

export class FleetGate {
  isDraining = false;
  /** Bundles of sources, which nobody gets any more; undefined while workers do. */
  held: FleetBundle[] | undefined;
  readonly #takeover: FleetTakeover | undefined;
  #lastMs = 0;

  /** @param assign gives a bundle to a worker */
  constructor({ owed, names, onTakenOver }: GateOptions, assign: (bundle: FleetBundle) => void) {
    if (owed === undefined) return;
    this.#takeover = new FleetTakeover(owed, names, (waiting, missed) => {
      for (const bundle of waiting) assign(bundle);
      onTakenOver(missed);
    });
  }

  /** A bundle has come, or ended. */
  note(): void {
    this.#lastMs = systemClock.elapsed();
  }

  /** What is to be answered for a bundle; or that a worker gets it; or nobody for now. */
  admit(bundle: FleetBundle): Substitute | "worker" | "nobody" {
    if (this.#takeover?.isOver === false) return this.#takeover.take(bundle) ?? "nobody";
    if (!isSource(bundle.descriptor)) return "worker";
    if (this.held !== undefined) {
      this.held.push(bundle);
      return "nobody";
    }
    // A drain: the source is told to be done without its worker being asked.
    return this.isDraining ? NOTHING : "worker";
  }

  /**
   * Resolves when no bundle is under way and none comes any more, but those that are held.
   * @param underWay bundles that have not ended, those that are held included
   */
  async standStill(underWay: () => number): Promise<readonly FleetBundle[]> {
    const held: FleetBundle[] = [];
    this.held = held;
    while (underWay() > held.length || systemClock.elapsed() - this.#lastMs < QUIET_MS) await sleep(LOOK_MS);
    return held;
  }

  close(): void {
    this.#takeover?.end();
  }
}
