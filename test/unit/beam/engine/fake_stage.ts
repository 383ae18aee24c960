/** Stages for tests of the engine: what their bundles do is said by plain functions. */
import { ElementBatch } from "../../../../beam/engine/element_batch.js";
import { DEFAULT_ENGINE_OPTIONS, Engine, type EngineOptions } from "../../../../beam/engine/engine.js";
import type {
  BundleResult,
  Residual,
  RestrictionOrigin,
  StageProcessor,
  StageSpec,
  StageView,
} from "../../../../beam/engine/stage_spec.js";
import type { DueTimer } from "../../../../beam/engine/stage_timers.js";
import { NO_FIRING } from "../../../../beam/model/pane.js";
import { MIN_TIMESTAMP, type TimestampMs } from "../../../../beam/model/timestamps.js";
import { IN_GLOBAL_WINDOW } from "../../../../beam/model/windows.js";
import { VirtualClock } from "../../../../beam/platform/clock.js";
import { MemoryStore } from "../../../../beam/store/memory_store.js";

/** What a bundle can do. */
export interface BundleHandle {
  readonly stage: StageView;
  emit(value: unknown, timestamp: TimestampMs, output?: number): void;
  /** Leaves work behind; without a delay it comes at once. */
  defer(value: unknown, watermark: TimestampMs, delayMs?: number, onReady?: Residual["onReady"]): void;
  onFinalize(callback: () => void | Promise<void>): void;
}

export interface Behaviour {
  setup?(): void | Promise<void>;
  startBundle?(bundle: BundleHandle): void | Promise<void>;
  element?(value: any, timestamp: TimestampMs, bundle: BundleHandle): void;
  restriction?(residual: Residual, claims: number, bundle: BundleHandle): void;
  timer?(timer: DueTimer, bundle: BundleHandle): void;
  finishBundle?(bundle: BundleHandle): void | Promise<void>;
  teardown?(): void | Promise<void>;
}

class FakeProcessor implements StageProcessor, BundleHandle {
  #outputs: ElementBatch[];
  #residuals: Residual[] = [];
  #finalizers: (() => void | Promise<void>)[] = [];

  constructor(
    readonly stage: StageView,
    private readonly behaviour: Behaviour,
  ) {
    this.#outputs = this.#newOutputs();
  }

  #newOutputs(): ElementBatch[] {
    return this.stage.spec.outputs.map(() => new ElementBatch());
  }

  async setup(): Promise<void> {
    await this.behaviour.setup?.();
  }
  startBundle(): void | Promise<void> {
    return this.behaviour.startBundle?.(this);
  }
  process(_input: number, batch: ElementBatch, index: number): void {
    this.behaviour.element?.(batch.values[index], batch.timestamps[index]!, this);
  }
  /** Nothing is left to do once it is drained. */
  processRestriction(
    residual: Residual,
    claims: number,
    _deadlineMs: number,
    origin: RestrictionOrigin,
  ): number {
    if (origin !== "drained") this.behaviour.restriction?.(residual, claims, this);
    return 0;
  }
  onTimer(_transformId: string, _family: string, timer: DueTimer): void {
    this.behaviour.timer?.(timer, this);
  }
  finishBundle(): void | Promise<void> {
    return this.behaviour.finishBundle?.(this);
  }
  takeResult(): BundleResult {
    const result = { outputs: this.#outputs, residuals: this.#residuals, finalizers: this.#finalizers };
    this.#outputs = this.#newOutputs();
    this.#residuals = [];
    this.#finalizers = [];
    return result;
  }
  async teardown(): Promise<void> {
    await this.behaviour.teardown?.();
  }

  emit(value: unknown, timestamp: TimestampMs, output = 0): void {
    this.#outputs[output]!.accept(value, timestamp, IN_GLOBAL_WINDOW, NO_FIRING);
  }
  defer(value: unknown, watermark: TimestampMs, delayMs = 0, onReady?: Residual["onReady"]): void {
    const timestamp = MIN_TIMESTAMP;
    this.#residuals.push({
      value,
      timestamp,
      windows: IN_GLOBAL_WINDOW,
      pane: NO_FIRING,
      watermark,
      delayMs,
      onReady,
      watermarkNow: undefined,
    });
  }
  onFinalize(callback: () => void | Promise<void>): void {
    this.#finalizers.push(callback);
  }
}

/** A stage that reads `inputs` and writes `outputs`, which are names of collections separated by spaces. */
export function fakeStage(
  name: string,
  kind: StageSpec["kind"],
  inputs: string,
  outputs: string,
  behaviour: Behaviour,
): StageSpec {
  const names = (list: string): string[] => list.split(" ").filter((part) => part !== "");
  return {
    name,
    kind,
    inputs: names(inputs),
    outputs: names(outputs),
    newProcessor: (stage) => new FakeProcessor(stage, behaviour),
  };
}

/** What takes some time: the event loop goes round so often. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

const TURNS_MAX = 100_000;

/** Until it is so. */
export async function turnsUntil(isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    if (turn > TURNS_MAX) throw new Error(`it is not so after ${TURNS_MAX} turns of the event loop`);
    await turns(1);
  }
}

/** On a clock that stands still, unless the test has another. */
export function newEngine(specs: readonly StageSpec[], options: Partial<EngineOptions> = {}): Engine {
  return new Engine(specs, {
    ...DEFAULT_ENGINE_OPTIONS,
    clock: new VirtualClock(),
    store: new MemoryStore(),
    ...options,
  });
}

/** Elements at the start of time, as an impulse gives them. */
export function seed(engine: Engine, collection: string, ...values: unknown[]): void {
  const batch = new ElementBatch();
  for (const value of values) batch.accept(value, MIN_TIMESTAMP, IN_GLOBAL_WINDOW, NO_FIRING);
  engine.seed(collection, batch);
}
