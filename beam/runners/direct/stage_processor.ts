/** Between engine and exec: runs a fused stage's bundles through a BundleProcessor, and serves it from the store. */
import { ElementBatch } from "../../engine/element_batch.js";
import type {
  BundleResult,
  Residual,
  RestrictionOrigin,
  StageProcessor,
  StageView,
} from "../../engine/stage_spec.js";
import type { DueTimer } from "../../engine/stage_timers.js";
import { type BundleDescriptor, BundleProcessor } from "../../exec/bundle_processor.js";
import type { KeyedState } from "../../exec/keyed_state.js";
import type { Receiver } from "../../exec/receiver.js";
import type {
  ClaimBudget,
  ElementPart,
  ExecServices,
  Resumption,
  SideInputTable,
} from "../../exec/services.js";
import type { SizedElement } from "../../exec/splittable_par_do.js";
import { ByteWriter } from "../../model/bytes.js";
import type { TimestampMs } from "../../model/timestamps.js";
import { urns } from "../../model/urns.js";
import type { Clock } from "../../platform/clock.js";
import type { ByteTable } from "../../store/byte_table.js";
import type { Store } from "../../store/store.js";
import { statePlaces } from "../../stored_state/state_places.js";
import { StoredState } from "../../stored_state/stored_state.js";
import "./direct_operators.js";
import { sideInputCell, sideInputKey } from "./await_side_inputs.js";
import { takeReport } from "./metrics.js";

/** Ids of the transforms that stand for a stage's inputs and outputs in its descriptor. */
export const sourceId = (collection: string): string => `source:${collection}`;
export const sinkId = (collection: string): string => `sink:${collection}`;

export class DirectStageProcessor implements StageProcessor, ExecServices {
  readonly dropsExpiredState = false;
  readonly heedsReady = true;
  readonly #descriptor: BundleDescriptor;
  readonly #processor: BundleProcessor;
  readonly #inputs: readonly Receiver[];
  readonly #outputs: ElementBatch[];
  #residuals: Residual[] = [];
  #parked: Residual[] = [];
  #finalizers: (() => void | Promise<void>)[] = [];
  #budget: ClaimBudget = { claims: 0, deadlineMs: 0 };
  /** The step that takes restrictions, where the stage has one. */
  readonly #splittable: string | undefined;

  constructor(
    private readonly stage: StageView,
    descriptor: BundleDescriptor,
    readonly clock: Clock,
    private readonly store: Store,
  ) {
    this.#descriptor = descriptor;
    this.#splittable = Object.entries(descriptor.transforms).find(
      ([, { spec }]) => spec?.urn === urns.sdfProcess,
    )?.[0];
    this.#outputs = stage.spec.outputs.map(() => new ElementBatch());
    this.#processor = new BundleProcessor(descriptor, this);
    this.#inputs = stage.spec.inputs.map((collection) => this.#processor.source(sourceId(collection)));
  }

  setup(): Promise<void> {
    return this.#processor.setup();
  }

  startBundle(): void | Promise<void> {
    return this.#processor.startBundle();
  }

  process(input: number, batch: ElementBatch, index: number): void {
    this.#inputs[input]!.accept(
      batch.values[index],
      batch.timestamps[index]!,
      batch.windowsAt(index),
      batch.paneAt(index),
    );
  }

  processRestriction(
    residual: Residual,
    claims: number,
    deadlineMs: TimestampMs,
    origin: RestrictionOrigin,
  ): number {
    const { value, timestamp, windows, pane } = residual;
    const budget = { claims, deadlineMs };
    this.#budget = budget;
    if (origin === undefined) this.#inputs[0]!.accept(value, timestamp, windows, pane);
    else this.#processor.acceptPart(this.#splittable!, origin, value, timestamp, windows, pane);
    return claims - budget.claims;
  }

  onTimer(transformId: string, family: string, timer: DueTimer): void {
    this.#processor.onTimer(transformId, family, timer);
  }

  finishBundle(): void | Promise<void> {
    return this.#processor.finishBundle();
  }

  takeResult(): BundleResult {
    const result: BundleResult = {
      outputs: [...this.#outputs],
      residuals: this.#residuals,
      parked: this.#parked,
      finalizers: this.#finalizers,
      report: takeReport(this.#processor.metrics),
    };
    for (let i = 0; i < this.#outputs.length; i++) {
      if (this.#outputs[i]!.length > 0) this.#outputs[i] = new ElementBatch();
    }
    this.#residuals = [];
    this.#parked = [];
    this.#finalizers = [];
    return result;
  }

  teardown(): Promise<void> {
    return this.#processor.teardown();
  }

  inputWatermark(): TimestampMs {
    return this.stage.inputWatermark;
  }

  keyedState(transformId: string): KeyedState {
    const { store, stage } = this;
    const table = (name: string): ByteTable => store.table(name);
    return new StoredState(statePlaces(this.#nameOf(transformId), transformId, table, stage.timers));
  }

  /** Of all that names a transform only this is the same in the next process. */
  #nameOf(transformId: string): string {
    return this.#descriptor.transforms[transformId]!.uniqueName;
  }

  sideInput(transformId: string, name: string): SideInputTable {
    const states = this.keyedState(transformId);
    const cell = states.cell(sideInputCell(name));
    const key = new ByteWriter(32);
    return {
      get(window, out) {
        if (!states.mustEnter(sideInputKey(window, key)).get(cell, out)) out.reset(window.buffer, 0, 0);
        return true;
      },
      // Elements are kept back until their side inputs are in the store.
      arrive: () => undefined,
    };
  }

  collectionWatermark(pcollectionId: string): TimestampMs {
    return this.stage.inputWatermarkOf(pcollectionId);
  }

  openSink(transformId: string): Receiver {
    const index = this.stage.spec.outputs.findIndex((collection) => sinkId(collection) === transformId);
    return {
      accept: (value, timestamp, windows, pane) =>
        this.#outputs[index]!.accept(value, timestamp, windows, pane),
    };
  }

  onFinalize(callback: () => void | Promise<void>): void {
    this.#finalizers.push(callback);
  }

  deferResidual(rest: ElementPart, { delayMs, onReady, watermarkNow }: Resumption): void {
    this.#residuals.push(residualOf(rest, delayMs, onReady, watermarkNow));
  }

  leaveForNextRun(part: ElementPart): void {
    this.#parked.push(residualOf(part, Number.POSITIVE_INFINITY));
  }

  claimBudget(): ClaimBudget {
    return this.#budget;
  }
}

function residualOf(
  { element, restriction, timestamp, windows, pane, watermark }: ElementPart,
  delayMs: number,
  onReady?: Residual["onReady"],
  watermarkNow?: Resumption["watermarkNow"],
): Residual {
  const state = { key: restriction, value: watermark };
  const value: SizedElement = { key: { key: element, value: state }, value: 1 };
  const advance = (): TimestampMs => {
    state.value = Math.max(state.value, watermarkNow!());
    return state.value;
  };
  return {
    value,
    timestamp,
    windows,
    pane,
    watermark,
    delayMs,
    onReady,
    // Where nobody says when there is work again, it is `process` that has to find out.
    watermarkNow: watermarkNow === undefined || onReady === undefined ? undefined : advance,
  };
}
