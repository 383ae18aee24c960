/**
 * How a job goes on with what another one owed. A runner cannot be given timers and residuals from outside; it takes them
 * from a bundle alone. So at the start each stage's first bundle is not given to a worker: it is answered in its place,
 * with the timers and residuals that the other job's stage owed, and with an element for each stage behind it, so that
 * they get a bundle, too. What these elements make is dropped, and the sources wait until all stages have had theirs.
 */
import { every, systemClock } from "@order-payment-stream/beam/io";
import { type fnApi, runnerApi } from "@order-payment-stream/beam/protos";
import { isSource, portsOf, SDF_PROCESS } from "./bundle_ports.js";
import { type FleetBundle, NOTHING, type Substitute } from "./fleet_bundle.js";
import type { OwedByStage } from "./fleet_ledger.js";
import type { GraphNames } from "./graph_names.js";
import type { Cell } from "./user_state.js";

/** Of a job, by the names of its steps. */
export interface OwedByJob {
  readonly stages: ReadonlyMap<string, OwedByStage>;
  readonly cells: readonly Cell[];
}

/** After this time without a bundle the elements that woke stages have reached all that they can. */
const QUIET_MS = 500;
/** For all stages to have a bundle. */
const WAIT_MAX_MS = 20_000;
const LOOK_MS = 50;

export class FleetTakeover {
  isOver = false;
  readonly #left: Map<string, OwedByStage>;
  readonly #held: FleetBundle[] = [];
  readonly #startedMs = systemClock.elapsed();
  readonly #endLooks: () => void;
  #lastMs = systemClock.elapsed();

  constructor(
    owed: OwedByJob,
    private readonly names: GraphNames,
    /** With the bundles that workers get now, and stages that were not reached. */
    private readonly onOver: (held: readonly FleetBundle[], missed: readonly string[]) => void,
  ) {
    this.#left = new Map(owed.stages);
    this.#endLooks = every(LOOK_MS, () => this.#look());
  }

  /** What to answer for a bundle; undefined: it is kept until this is over. */
  take(bundle: FleetBundle): Substitute | undefined {
    this.#lastMs = systemClock.elapsed();
    const name = this.names.stageName(bundle.descriptor);
    const owed = this.#left.get(name);
    if (owed !== undefined) {
      this.#left.delete(name);
      return this.#substituteFor(bundle.descriptor, owed);
    }
    if (!isSource(bundle.descriptor)) return NOTHING;
    this.#held.push(bundle);
    return undefined;
  }

  end(): void {
    this.isOver = true;
    this.#endLooks();
  }

  #look(): void {
    const now = systemClock.elapsed();
    if (now - this.#lastMs < QUIET_MS) return;
    if (this.#left.size > 0 && now - this.#startedMs < WAIT_MAX_MS) return;
    this.end();
    this.onOver(this.#held, [...this.#left.keys()]);
  }

  #substituteFor(descriptor: fnApi.ProcessBundleDescriptor, owed: OwedByStage): Substitute {
    const { names } = this;
    const { transforms } = descriptor;
    const sinks = portsOf(descriptor).sinks.map((sink) => ({
      sink,
      bytes: owed.samples.get(names.sinkName(descriptor, sink)),
    }));
    const timers = owed.timers.map(({ step, family, bytes }) => ({
      transformId: Object.keys(transforms).find((id) => names.nameOf(id) === step)!,
      family,
      bytes,
    }));
    const process = Object.entries(transforms).find(([, { spec }]) => spec?.urn === SDF_PROCESS);
    const residualRoots = owed.residuals.map(
      (element) =>
        ({
          application: {
            transformId: process![0],
            inputId: Object.keys(process![1].inputs)[0]!,
            element,
            outputWatermarks: {},
            isBounded: runnerApi.IsBounded_Enum.UNBOUNDED,
          },
        }) as fnApi.DelayedBundleApplication,
    );
    return {
      data: sinks.filter(({ bytes }) => bytes !== undefined) as Substitute["data"],
      timers,
      residualRoots,
    };
  }
}
