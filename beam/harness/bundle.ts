/**
 * Runs one bundle: takes its input as it comes, has the operators settle what they put off between batches, and sends
 * all results before it answers. It gives way to the event loop now and then, so that splits and progress are answered
 * while it runs. Source: beam_fn_api.proto, ProcessBundleRequest.
 */
import type { RestrictionProgress } from "../exec/operator.js";
import type { ElementSplit } from "../exec/services.js";
import type { fnApi } from "../model/apache_beam.js";
import { ByteReader } from "../model/bytes.js";
import type { WindowedValue } from "../model/windowed_value.js";
import { bundleApplication, delayedApplication } from "./bundle_applications.js";
import { cutsOf } from "./channel_split.js";
import type { BundleScope, HarnessProcessor, SourceInput } from "./harness_processor.js";
import type { Inbox, Segment } from "./inbox.js";
import type { ReadIndex } from "./monitoring.js";
import type { TimerInput } from "./timer_input.js";

/** Elements between two looks at the clock. */
const SLICE_ELEMENTS = 1_024;
/**
 * Slices of a bundle with state between two looks at what was put off. Runners hand out elements key by key, so one
 * slice holds few keys, and each look is a round trip for those that it finds.
 */
const SETTLE_SLICES = 8;
/** How long a bundle may keep the event loop to itself. */
const TURN_MS = 10;

/** Timers that wait for those of other families, at most. */
const TIMER_BYTES_MAX = 16 << 20;

/** What the runner is like, as far as answers depend on it. */
export interface RunnerTraits {
  /** It knows short ids, and needs no whole monitoring infos. */
  readonly knowsShortIds: boolean;
  /** It looks at more than the whole seconds of a delay. */
  readonly honoursMs: boolean;
}

class Source {
  /** Of the element that was begun last. */
  index = -1;
  /** Elements from here on were given away. */
  stop = Number.POSITIVE_INFINITY;

  constructor(readonly input: SourceInput) {}
}

export class Bundle {
  readonly #sources = new Map<string, Source>();
  readonly #reader = new ByteReader();
  readonly #timers: { readonly input: TimerInput; readonly bytes: Buffer }[] = [];
  #timerBytes = 0;
  #terminators: number;
  #timerTerminators: number;
  #turnBeganMs = 0;
  #unsettledSlices = 0;
  #isOver = false;

  constructor(
    private readonly harness: HarnessProcessor,
    private readonly scope: BundleScope,
    private readonly inbox: Inbox,
    private readonly traits: RunnerTraits,
  ) {
    for (const [id, input] of harness.sources) this.#sources.set(id, new Source(input));
    this.#timerTerminators = harness.timerFamilies;
    this.#terminators = harness.sources.size + harness.timerFamilies;
  }

  /** Resolves when all results are with the runner. A processor whose bundle failed must not be used again. */
  async run(): Promise<fnApi.ProcessBundleResponse> {
    const { harness, scope } = this;
    const { processor } = harness;
    harness.begin(scope);
    this.#turnBeganMs = harness.clock.elapsed();
    const starting = processor.startBundle();
    if (starting !== undefined) await starting;
    while (this.#terminators > 0) {
      const segment = this.inbox.take();
      if (segment === undefined) {
        await this.#pause();
        await this.inbox.arrival();
        this.#turnBeganMs = harness.clock.elapsed();
      } else {
        await this.#process(segment);
      }
    }
    const finishing = processor.finishBundle();
    if (finishing !== undefined) await finishing;
    await harness.commit();
    this.#isOver = true;
    harness.outputs.finish();
    return this.#response();
  }

  progress(): fnApi.ProcessBundleProgressResponse {
    const inProgress = new Map<string, RestrictionProgress>();
    for (const { input } of this.#sources.values()) {
      if (input.processStep === undefined) continue;
      const progress = this.harness.processor.progress(input.processStep);
      if (progress !== undefined) inProgress.set(input.processStep, progress);
    }
    return this.#report(inProgress);
  }

  /**
   * Gives away part of the input. Empty when there is nothing to give, and for bundles with state or timers: their
   * elements of one key must not be in two bundles at once, and Prism loses the timers of a bundle that it cuts.
   */
  split({ desiredSplits }: fnApi.ProcessBundleSplitRequest): fnApi.ProcessBundleSplitResponse {
    const response: fnApi.ProcessBundleSplitResponse = {
      primaryRoots: [],
      residualRoots: [],
      channelSplits: [],
    };
    if (this.#isOver || this.harness.isKeyed) return response;
    for (const [transformId, desired] of Object.entries(desiredSplits)) {
      const source = this.#sources.get(transformId);
      if (source !== undefined) this.#splitSource(source, desired, response);
    }
    return response;
  }

  #splitSource(
    source: Source,
    desired: fnApi.ProcessBundleSplitRequest_DesiredSplit,
    response: fnApi.ProcessBundleSplitResponse,
  ): void {
    const { processStep, transformId } = source.input;
    const { processor } = this.harness;
    const work = processStep === undefined ? undefined : processor.progress(processStep);
    const cuts = cutsOf(
      { index: source.index, stop: source.stop, progress: work === undefined ? 1 : shareDone(work) },
      {
        fractionOfRemainder: desired.fractionOfRemainder,
        estimatedElements: Number(desired.estimatedInputElements),
        allowedPoints: desired.allowedSplitPoints.map(Number),
      },
    );
    for (const cut of cuts) {
      if (cut.kind === "channel") {
        source.stop = cut.stop;
        response.channelSplits.push(channelSplit(transformId, cut.stop - 1, cut.stop));
        return;
      }
      const split = processor.split(processStep!, cut.fraction);
      if (split === undefined) continue;
      source.stop = source.index + 1;
      this.#addRoots(split, response);
      response.channelSplits.push(channelSplit(transformId, source.index - 1, source.index + 1));
      return;
    }
  }

  #addRoots({ primary, residual }: ElementSplit, response: fnApi.ProcessBundleSplitResponse): void {
    const step = this.harness.processSteps.get(primary.transformId)!;
    response.primaryRoots.push(bundleApplication(primary, step));
    response.residualRoots.push({
      application: bundleApplication(residual, step),
      requestedTimeDelay: { seconds: 0n, nanos: 0 },
    });
  }

  async #process({ transformId, timerFamily, bytes, isLast }: Segment): Promise<void> {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (timerFamily !== undefined) {
      const input = this.harness.timerInputs.get(transformId)?.get(timerFamily);
      if (input === undefined)
        throw new Error(`timers came for ${transformId}/${timerFamily}, which has none`);
      if (isLast) this.#timerTerminators--;
      this.#takeTimers(input, buffer);
    } else {
      const source = this.#sources.get(transformId);
      if (source === undefined) throw new Error(`elements came for ${transformId}, which is no source`);
      if (buffer.length > 0) await this.#read(source, buffer);
    }
    if (isLast) this.#terminators--;
  }

  /** Families come one after the other; only when all are there can their timers fire in the order of their times. */
  #takeTimers(input: TimerInput, bytes: Buffer): void {
    if (bytes.length > 0) this.#timers.push({ input, bytes });
    this.#timerBytes += bytes.length;
    if (this.#timerTerminators > 0 && this.#timerBytes < TIMER_BYTES_MAX) return;
    this.#timerBytes = 0;
    for (const timers of this.#timers.splice(0)) timers.input.read(timers.bytes);
  }

  async #read(source: Source, bytes: Buffer): Promise<void> {
    const reader = this.#reader.reset(bytes);
    while (reader.remaining > 0 && source.index + 1 < source.stop) {
      if (source.input.mayContinue) {
        await this.#readContinued(source, reader);
      } else {
        this.harness.times.begin(source.input.transformId);
        this.#readSlice(source, reader);
        this.harness.times.end();
      }
      this.#unsettledSlices++;
      await this.#pause(!this.harness.isKeyed || this.#unsettledSlices >= SETTLE_SLICES);
    }
  }

  /** Elements of a splittable DoFn come one by one: the runner may ask about the one in progress. */
  #readSlice(source: Source, reader: ByteReader): void {
    const { coder, receiver, processStep, sizes } = source.input;
    const { outputs } = this.harness;
    const limit = processStep === undefined ? SLICE_ELEMENTS : 1;
    for (let i = 0; i < limit && reader.remaining > 0 && source.index + 1 < source.stop; i++) {
      const { position } = reader;
      const before = receiver.elements;
      source.index++;
      try {
        coder.decodeInto(reader, "nested", receiver);
      } catch (error) {
        // The element was not handed out, so it is its bytes that are wrong.
        if (receiver.elements === before) throw this.#corrupt(source, position, error as Error);
        throw error;
      }
      sizes.add(reader.position - position);
      // Java's runners put a byte behind an element that takes none.
      if (reader.position === position) reader.skip(1);
      if (outputs.isFull) return;
    }
  }

  /** As `#readSlice`, for elements of which a part may be in the runner's state: that is loaded first. */
  async #readContinued(source: Source, reader: ByteReader): Promise<void> {
    const { coder, receiver, processStep } = source.input;
    const { continuations, outputs } = this.harness;
    const limit = processStep === undefined ? SLICE_ELEMENTS : 1;
    for (let i = 0; i < limit && reader.remaining > 0 && source.index + 1 < source.stop; i++) {
      const { position } = reader;
      source.index++;
      let element: WindowedValue<unknown>;
      try {
        element = coder.decode(reader, "nested");
        const loading = continuations.arrive();
        if (loading !== undefined) await loading;
      } catch (error) {
        throw this.#corrupt(source, position, error as Error);
      }
      receiver.accept(element.value, element.timestamp, element.windows, element.pane);
      if (outputs.isFull) return;
    }
  }

  #corrupt({ input, index }: Source, position: number, error: Error): Error {
    const coder = input.coder.value.constructor.name;
    return new Error(
      `${input.name}: element ${index}, at byte ${position} of its segment, cannot be decoded by ${coder}: ${error.message}`,
      { cause: error },
    );
  }

  /** Between batches: does what was put off, waits for streams that are full, and lets others have their turn. */
  async #pause(settles = true): Promise<void> {
    const { harness } = this;
    if (settles || harness.holdsMuch) {
      this.#unsettledSlices = 0;
      const settling = harness.processor.settle();
      if (settling !== undefined) await settling;
      if (harness.holdsMuch) await harness.commit();
    }
    const now = harness.clock.elapsed();
    const draining = harness.outputs.pace(now);
    if (draining !== undefined) await draining;
    if (now - this.#turnBeganMs >= TURN_MS) {
      await harness.clock.yield();
      this.#turnBeganMs = harness.clock.elapsed();
    }
  }

  #report(inProgress: ReadonlyMap<string, RestrictionProgress>): fnApi.ProcessBundleProgressResponse {
    const reads: ReadIndex[] = [];
    for (const [transformId, { index }] of this.#sources) {
      reads.push({ transformId, index: this.#isOver ? index + 1 : index });
    }
    const isFull = !this.traits.knowsShortIds;
    const isFinal = this.#isOver;
    return this.harness.monitoring.report(reads, inProgress, this.harness.clock.now(), { isFull, isFinal });
  }

  #response(): fnApi.ProcessBundleResponse {
    const { residuals, finalizers, processSteps } = this.harness;
    return {
      residualRoots: residuals.map((residual) =>
        delayedApplication(residual, processSteps.get(residual.transformId)!, this.traits.honoursMs),
      ),
      requiresFinalization: finalizers.length > 0,
      ...this.#report(NOTHING_IN_PROGRESS),
    };
  }
}

const NOTHING_IN_PROGRESS: ReadonlyMap<string, RestrictionProgress> = new Map();

function shareDone({ completed, remaining }: RestrictionProgress): number {
  const all = completed + remaining;
  return all > 0 ? Math.min(completed / all, 0.999_999) : 0;
}

function channelSplit(
  transformId: string,
  lastPrimary: number,
  firstResidual: number,
): fnApi.ProcessBundleSplitResponse_ChannelSplit {
  return {
    transformId,
    lastPrimaryElement: BigInt(lastPrimary),
    firstResidualElement: BigInt(firstResidual),
  };
}
