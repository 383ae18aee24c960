/** What looks on while a simulation runs. Each checker holds one invariant, and knows nothing of the others. */
import type { ElementBatch } from "../../../beam/engine/element_batch.js";
import type { Stage } from "../../../beam/engine/stage.js";
import type { DirectRun } from "../../../beam/runners/direct/direct_runner.js";
import type { InputRecord } from "../../oracle/oracle.js";
import type { ReadPath, Telling } from "../read_path.js";
import type { OffsetReset, RunSettings, Scenario } from "../scenario.js";
import type { SimulatedKafka } from "../world/simulated_kafka.js";
import type { SimulatedMongo } from "../world/simulated_mongodb.js";

/** What checkers may see. */
export interface World {
  readonly scenario: Scenario;
  /** Of the present run. */
  readonly settings: RunSettings;
  readonly offsetReset: OffsetReset;
  readonly readPath: ReadPath;
  readonly kafka: SimulatedKafka;
  readonly mongodb: SimulatedMongo;
  /** The run of the process that lives, if it got so far. */
  readonly run: DirectRun | undefined;
  /** Its stages, in the order in which they were first seen. */
  readonly stages: ReadonlySet<Stage>;
  /** Whether the process goes on from the last commit, rather than from the beginning. */
  readonly isDurable: boolean;
  /** What time it is, whatever clocks show. */
  readonly trueTimeMs: number;
  /** Every record that was to be read, by now. */
  records(): InputRecord[];
}

export interface Checker {
  /** A process has begun to run the pipeline. */
  onStart?(): void;
  /** A stage's watermarks have been computed. */
  onStage?(stage: Stage): void;
  /** Elements were put in front of a stage. */
  onDelivery?(producer: Stage | undefined, consumer: Stage, input: number, batch: ElementBatch): void;
  /** A commit has ended. No bundle is in the middle of its work. */
  onCommit?(): void;
  /** Nothing goes wrong any more: now and then, also when nothing is left to commit. */
  onLook?(): void;
  /** A position was lost, and the read goes on elsewhere. */
  onTelling?(telling: Telling): void;
  /** The process has failed by itself. */
  onFailure?(error: unknown): void;
  /** Faults are over and the last run has ended in order. */
  onEnd?(): void | Promise<void>;
}

/** A new checker for each run. `report` takes what is wrong, for a person. */
export type CheckerFactory = (world: World, report: (message: string) => void) => Checker;

/** Names under which the product's collections are found. */
export const DATABASE = "simulated";
export const COLLECTIONS = {
  joined: "joined",
  unmatched: "unmatched",
  deadLetters: "dead_letters",
} as const;

export function stageNamed(world: World, beginning: string): Stage | undefined {
  for (const stage of world.stages) if (stage.spec.name.startsWith(beginning)) return stage;
  return undefined;
}

/** Whether a table of the store holds state or timers of a DoFn, rather than what the run itself remembers. */
export function isOfADoFn(table: string): boolean {
  return /^(state|timed|timers)\//.test(table);
}
