/**
 * Runs a pipeline in this process: fuses it to stages, and lets the engine run them. Bounded pipelines end by
 * themselves; unbounded ones run until `stop`.
 */
import { ElementBatch } from "../../engine/element_batch.js";
import { DEFAULT_ENGINE_OPTIONS, Engine } from "../../engine/engine.js";
import type { StageObserver } from "../../engine/stage.js";
import type { CommitTimes, LoadTimes } from "../../engine/stage_load.js";
import type { ScriptedEvent, StageSpec } from "../../engine/stage_spec.js";
import { runnerApi } from "../../model/apache_beam.js";
import { ByteReader } from "../../model/bytes.js";
import { coderFromProto } from "../../model/coders/registry.js";
import { type ElementCoder, WindowedValueCoder } from "../../model/coders/windowed_value_coder.js";
import { NO_FIRING } from "../../model/pane.js";
import {
  MAX_TIMESTAMP,
  MAX_TIMESTAMP_WIRE,
  MIN_TIMESTAMP,
  type TimestampMs,
} from "../../model/timestamps.js";
import { IN_GLOBAL_WINDOW } from "../../model/windows.js";
import { type Clock, systemClock, VirtualClock } from "../../platform/clock.js";
import type { Health, HealthProblem } from "../../platform/health.js";
import type { TrustedClock } from "../../platform/trusted_clock.js";
import { type Pipeline, protoOf } from "../../sdk/collection.js";

import type { PipelineRun } from "../../sdk/pipeline_run.js";
import { MemoryStore } from "../../store/memory_store.js";
import type { Store } from "../../store/store.js";
import { type FusedPipeline, type FusedStage, fuse, UnsupportedPipelineError } from "./fusion.js";
import { resumeGraph } from "./graph_identity.js";
import { KeptTime } from "./kept_time.js";
import { type BundleReport, RunMetrics } from "./metrics.js";
import { descriptorOf } from "./stage_descriptor.js";
import { DirectStageProcessor } from "./stage_processor.js";
import { COUNTERS_TABLE, EARLIER_COUNTERS_TABLE } from "./table_names.js";

export interface DirectRunnerOptions {
  readonly clock?: Clock;
  readonly store?: Store;
  readonly bundleSizeMax?: number;
  readonly bundleTimeMaxMs?: number;
  readonly turnsOpenMax?: number;
  readonly sourceSkewMaxMs?: number;
  /** What becomes of what waits when all input has been read: see EngineOptions. */
  readonly atEnd?: "keep" | "expire";
  /** Called inside the first commit: for what else a later run is to know. */
  readonly onFirstCommit?: () => void;
  /** What the connectors of this process report to; `health()` shows it. */
  readonly health?: Health;
  /** That of this process's connectors: its time is kept in a durable store, and goes on from what that holds. */
  readonly trustedClock?: TrustedClock;
  /** Looks on at each step of the stages; it slows them down. */
  readonly observer?: StageObserver;
}

/** Where a stage stands. */
export interface StageStatus {
  readonly name: string;
  readonly inputWatermark: TimestampMs;
  readonly outputWatermark: TimestampMs;
  readonly pending: number;
  readonly eventTimers: number;
  readonly processingTimers: number;
  readonly elementsIn: number;
  readonly bundles: number;
}

/** A stage as a part of the graph, and what it spends its time on. A look costs what a loop over the stages costs. */
export interface StageActivity extends StageStatus, LoadTimes {
  /** Its steps, by their full names, in the order in which they run. */
  readonly steps: readonly string[];
  /** Names of the stages before it. */
  readonly upstream: readonly string[];
  readonly isSource: boolean;
  /** It could read, but waits for a source that is behind in event time. */
  readonly isAhead: boolean;
}

/** Timers of one stage that fire in event time: how many, in each span of about a second. */
export interface TimerCount {
  readonly time: TimestampMs;
  readonly count: number;
}

/** A running pipeline. */
export class DirectRun implements PipelineRun {
  readonly metrics: RunMetrics;
  readonly store: Store;
  readonly #engine: Engine;
  readonly #health: Health | undefined;
  readonly #clock: Clock;
  /** Of each stage. */
  readonly #steps: readonly (readonly string[])[];
  /** Settles when the run ends; rejects with what a bundle threw. */
  readonly finished: Promise<void>;

  /**
   * Throws an UnsupportedPipelineError for a pipeline that this runner cannot run, and an IncompatibleGraphError
   * for one that cannot continue from the state in the store.
   */
  constructor(pipeline: Pipeline, options: DirectRunnerOptions = {}) {
    this.store = options.store ?? new MemoryStore();
    const { isDurable } = this.store;
    const fused = fuse(protoOf(pipeline), { cutsBeforeStableInput: isDurable });
    const isScripted = fused.stages.some(({ kind }) => kind === "scripted");
    if (isScripted && isDurable) {
      throw new UnsupportedPipelineError("a test stream cannot be resumed: run it without a durable store");
    }
    const identity = isDurable ? resumeGraph(fused, this.store) : undefined;
    const tables = isDurable ? [COUNTERS_TABLE, EARLIER_COUNTERS_TABLE] : [];
    this.metrics = new RunMetrics(...tables.map((name) => this.store.table(name)));
    const virtualClock = isScripted && options.clock === undefined ? new VirtualClock() : undefined;
    const clock = options.clock ?? virtualClock ?? systemClock;
    this.#health = options.health;
    this.#clock = clock;
    this.#steps = fused.stages.map(({ transforms }) =>
      transforms.map((id) => fused.components.transforms[id]!.uniqueName),
    );
    const { trustedClock } = options;
    const keptTime =
      isDurable && trustedClock !== undefined ? new KeptTime(trustedClock, this.store) : undefined;
    this.#engine = new Engine(
      fused.stages.map((stage) => this.#stageSpec(stage, fused, clock)),
      {
        ...DEFAULT_ENGINE_OPTIONS,
        ...options,
        clock,
        store: this.store,
        ledger: {
          take: (report) => this.metrics.take(report as BundleReport),
          end: () => this.metrics.end(),
          save: () => {
            this.metrics.save();
            keptTime?.save();
          },
        },
        onFirstCommit: () => {
          identity?.save();
          options.onFirstCommit?.();
        },
        advanceClock: (byMs) => {
          if (!(clock instanceof VirtualClock)) {
            throw new UnsupportedPipelineError(
              "a test stream that advances processing time needs a VirtualClock",
            );
          }
          clock.advanceTo(clock.now() + byMs);
        },
      },
    );
    for (const collection of fused.impulses) {
      const batch = new ElementBatch();
      batch.accept(new Uint8Array(), MIN_TIMESTAMP, IN_GLOBAL_WINDOW, NO_FIRING);
      this.#engine.seed(collection, batch);
    }
    this.finished = this.#engine.run();
    // A caller that only stops the run later must not be taken for one that ignores its failure.
    this.finished.catch(() => undefined);
  }

  /**
   * "keep" finishes and commits what is in flight, and leaves state as it is; "expire" ends the sources and lets every
   * timer fire first. Resolves when the run has ended.
   */
  async stop(mode: "keep" | "expire" = "keep"): Promise<void> {
    this.#engine.stop(mode);
    await this.finished;
  }

  status(): readonly StageStatus[] {
    return this.#engine.stages.map((stage) => ({
      name: stage.spec.name,
      inputWatermark: stage.inputWatermark,
      outputWatermark: stage.outputWatermark,
      pending: stage.pendingCount,
      eventTimers: stage.timers.count("event"),
      processingTimers: stage.timers.count("processing"),
      elementsIn: stage.elementsIn,
      bundles: stage.bundles,
    }));
  }

  /** Everything of `status`, and where the time goes. */
  activity(): readonly StageActivity[] {
    const status = this.status();
    const nowMs = this.#clock.elapsed();
    return this.#engine.stages.map((stage, index) => ({
      ...status[index]!,
      ...stage.load.times(nowMs),
      steps: this.#steps[index]!,
      upstream: stage.upstream.map(({ spec }) => spec.name),
      isSource: stage.spec.kind !== "ordinary",
      isAhead: stage.isAhead,
    }));
  }

  /** The commits so far: what they took, and how much they wrote. */
  commits(): CommitTimes {
    return this.#engine.commitTimes;
  }

  /** When the event-time timers of all stages will fire; those that were moved may be counted twice. */
  *timers(): Generator<TimerCount> {
    for (const stage of this.#engine.stages) yield* stage.timers.histogram("event");
  }

  /** What is wrong right now; empty when all is well, or nobody reports. */
  health(): readonly HealthProblem[] {
    return this.#health?.problems() ?? [];
  }

  /** For a person: every stage's watermarks, holds and pending work. */
  describe(): string {
    return this.#engine.describe();
  }

  #stageSpec(fused: FusedStage, pipeline: FusedPipeline, clock: Clock): StageSpec {
    const { name, kind, inputs, outputs } = fused;
    const { components } = pipeline;
    if (kind === "scripted") {
      const transform = components.transforms[fused.transforms[0]!]!;
      return {
        name,
        kind,
        inputs,
        outputs,
        script: scriptOf(transform, components),
        newProcessor: neverRuns,
      };
    }
    const descriptor = descriptorOf(fused, components);
    return {
      name,
      kind,
      inputs,
      outputs,
      needsStableInput: fused.needsStableInput,
      isUnordered: fused.needsStableInput && !fused.holds,
      inputCoders: inputs.map((collection) => elementCoderOf(collection, components)),
      newProcessor: (stage) => new DirectStageProcessor(stage, descriptor, clock, this.store),
    };
  }
}

function elementCoderOf(collection: string, components: runnerApi.Components): ElementCoder<unknown> {
  const { coderId, windowingStrategyId } = components.pcollections[collection]!;
  const { windowCoderId } = components.windowingStrategies[windowingStrategyId]!;
  const window = coderFromProto(windowCoderId, components.coders);
  return new WindowedValueCoder(coderFromProto(coderId, components.coders), window);
}

/** Starts a pipeline. */
export function runDirect(pipeline: Pipeline, options?: DirectRunnerOptions): DirectRun {
  return new DirectRun(pipeline, options);
}

/** Source: TestStreamPayload in beam_runner_api.proto. */
function scriptOf(transform: runnerApi.PTransform, components: runnerApi.Components): ScriptedEvent[] {
  const payload = runnerApi.TestStreamPayload.fromBinary(transform.spec!.payload);
  const coder = coderFromProto(payload.coderId, components.coders);
  return payload.events.map(({ event }): ScriptedEvent => {
    switch (event.oneofKind) {
      case "elementEvent": {
        const elements = new ElementBatch();
        for (const { encodedElement, timestamp } of event.elementEvent.elements) {
          const value = coder.decode(new ByteReader(Buffer.from(encodedElement)), "nested");
          elements.accept(value, Number(timestamp), IN_GLOBAL_WINDOW, NO_FIRING);
        }
        return { kind: "elements", elements };
      }
      case "watermarkEvent": {
        const { newWatermark } = event.watermarkEvent;
        return {
          kind: "watermark",
          watermark: newWatermark >= MAX_TIMESTAMP_WIRE ? MAX_TIMESTAMP : Number(newWatermark),
        };
      }
      case "processingTimeEvent":
        return { kind: "processing-time", advanceByMs: Number(event.processingTimeEvent.advanceDuration) };
      default:
        throw new UnsupportedPipelineError(`${transform.uniqueName}: test stream event ${event.oneofKind}`);
    }
  });
}

function neverRuns(): never {
  throw new Error("a scripted stage runs no bundles");
}
