/**
 * A bundle processor with all that it needs of the runner: sources and timers decoded from the data stream, outputs
 * encoded to it, state asked for. It serves one bundle at a time, and is thrown away after one that failed.
 */
import { BundleProcessor } from "../exec/bundle_processor.js";
import { mainInput, parDoPayload } from "../exec/do_fn_operator.js";
import { ExecutionTimes } from "../exec/execution_times.js";
import type { KeyedState } from "../exec/keyed_state.js";
import type { FiredTimer } from "../exec/operator.js";
import type { PCollectionReceiver, Receiver } from "../exec/receiver.js";
import type {
  ClaimBudget,
  ElementPart,
  ElementResidual,
  ExecServices,
  Resumption,
  SideInputTable,
} from "../exec/services.js";
import { fnApi, type runnerApi } from "../model/apache_beam.js";
import type { Coder } from "../model/coders/coder.js";
import { KVCoder } from "../model/coders/kv_coder.js";
import { ProtoCoders } from "../model/coders/registry.js";
import { TimerCoder } from "../model/coders/timer_coder.js";
import { CoderUrn } from "../model/coders/urns.js";
import { type ElementCoder, WindowedValueCoder } from "../model/coders/windowed_value_coder.js";
import { MIN_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import { urns } from "../model/urns.js";
import type { Clock } from "../platform/clock.js";
import "../shards/operators.js";
import type { ProcessStep } from "./bundle_applications.js";
import { Continuations } from "./continuations.js";
import type { DataChannel } from "./data_channel.js";
import { ElementOutput } from "./element_output.js";
import type { Finalizer } from "./finalizers.js";
import { Monitoring, type ShortIds } from "./monitoring.js";
import { Outputs } from "./outputs.js";
import { RemoteSideInput } from "./remote_side_input.js";
import { type BundleState, RemoteState } from "./remote_state.js";
import { SampledSizes } from "./sampled_sizes.js";
import { TimerInput } from "./timer_input.js";
import { TimerOutput } from "./timer_output.js";

/** A bundle's source ends after this time, or so many claims, so that runners that never split get bundles too. */
const BUNDLE_TIME_MAX_MS = 500;
const CLAIMS_MAX = 20_000;
/** What each element gets in any case. */
const ELEMENT_TIME_MIN_MS = 20;

/** A `beam:runner:source:v1` of a descriptor. */
export interface SourceInput {
  readonly transformId: string;
  /** For messages. */
  readonly name: string;
  readonly coder: ElementCoder<unknown>;
  readonly receiver: PCollectionReceiver;
  readonly sizes: SampledSizes;
  /** Whether its elements may hold iterables that go on in the runner's state. */
  readonly mayContinue: boolean;
  /** The process step of a splittable DoFn that reads it, if that alone does. */
  readonly processStep: string | undefined;
}

/** What a bundle brings along. */
export interface BundleScope extends BundleState {
  dataChannel(url: string): DataChannel;
}

export class HarnessProcessor implements ExecServices {
  /** Runners of the Fn API do. */
  readonly dropsExpiredState = true;
  readonly heedsReady = false;
  readonly outputs = new Outputs();
  readonly sources = new Map<string, SourceInput>();
  /** By transform, then family. */
  readonly timerInputs = new Map<string, Map<string, TimerInput>>();
  readonly processSteps = new Map<string, ProcessStep>();
  readonly processor: BundleProcessor;
  readonly monitoring: Monitoring;
  readonly times: ExecutionTimes;
  /** Of the collections that come and go over the wire. */
  readonly #sizes: [string, SampledSizes][] = [];
  readonly continuations = new Continuations();
  residuals: ElementResidual[] = [];
  finalizers: Finalizer[] = [];
  readonly #coders: ProtoCoders;
  readonly #states = new Map<string, RemoteState>();
  readonly #sideInputs: RemoteSideInput[] = [];
  /** Endpoints that input comes from. */
  readonly #inputUrls = new Set<string>();
  #sourcesEndMs = 0;

  constructor(
    readonly descriptor: fnApi.ProcessBundleDescriptor,
    readonly clock: Clock,
    shortIds: ShortIds,
  ) {
    this.#coders = new ProtoCoders(descriptor.coders, { readContinuation: this.continuations.read });
    this.processor = new BundleProcessor(descriptor, this);
    for (const [id, transform] of Object.entries(descriptor.transforms)) {
      if (transform.spec?.urn === urns.source) this.#addSource(id, transform);
      if (transform.spec?.urn === urns.sdfProcess) this.#addProcessStep(id, transform);
      if (transform.spec?.urn === urns.parDo) this.#addTimers(id, transform);
    }
    this.times = new ExecutionTimes(clock);
    this.processor.atWork.times = this.times;
    this.monitoring = new Monitoring(this.processor, shortIds, this.#sizes, this.times);
  }

  /** Whether some transform has state or timers. */
  get isKeyed(): boolean {
    return this.#states.size > 0;
  }

  /** Of all transforms. */
  get timerFamilies(): number {
    let count = 0;
    for (const families of this.timerInputs.values()) count += families.size;
    return count;
  }

  begin(scope: BundleScope): void {
    this.residuals = [];
    this.finalizers = [];
    this.#sourcesEndMs = this.clock.elapsed() + BUNDLE_TIME_MAX_MS;
    for (const url of this.#inputUrls) scope.dataChannel(url);
    this.outputs.begin(scope.instructionId, (url) => scope.dataChannel(url));
    for (const state of this.#states.values()) state.begin(scope);
    for (const sideInput of this.#sideInputs) sideInput.begin(scope);
    this.continuations.begin(scope);
    this.monitoring.reset();
  }

  /** Whether state should be committed before the bundle goes on. */
  get holdsMuch(): boolean {
    for (const state of this.#states.values()) if (state.isLarge) return true;
    return false;
  }

  /** Sends all changes of state and timers; what was loaded is left to the bundles to come. */
  async commit(): Promise<void> {
    const waiting: Promise<void>[] = [];
    for (const state of this.#states.values()) {
      const sent = state.commit();
      if (sent !== undefined) waiting.push(sent);
    }
    if (waiting.length > 0) await Promise.all(waiting);
    for (const state of this.#states.values()) state.release();
  }

  inputWatermark(): TimestampMs {
    return MIN_TIMESTAMP;
  }

  collectionWatermark(): TimestampMs {
    return MIN_TIMESTAMP;
  }

  keyedState(transformId: string): KeyedState {
    let state = this.#states.get(transformId);
    if (state === undefined) {
      const transform = this.descriptor.transforms[transformId]!;
      const { pcollections, windowingStrategies } = this.descriptor;
      const input = pcollections[mainInput(transform)]!;
      const coder = unwindowed(this.#coders.get(input.coderId));
      if (!(coder instanceof KVCoder)) {
        throw new Error(`${transform.uniqueName}: its input is not a collection of KVs`);
      }
      const strategy = windowingStrategies[input.windowingStrategyId]!;
      const isGlobal = strategy.windowFn?.urn === urns.globalWindows;
      const windowCoder = isGlobal ? undefined : this.#coders.get(strategy.windowCoderId);
      state = new RemoteState(transformId, transform.uniqueName, coder.key, windowCoder, (family) =>
        this.#timerOutput(transformId, family),
      );
      this.#states.set(transformId, state);
    }
    return state;
  }

  sideInput(transformId: string, name: string): SideInputTable {
    const table = new RemoteSideInput(transformId, name);
    this.#sideInputs.push(table);
    return table;
  }

  openSink(transformId: string): Receiver {
    const { port, coder } = this.#port(this.descriptor.transforms[transformId]!);
    const output = new ElementOutput(transformId, port, coder, (piece) => this.outputs.sendElements(piece));
    this.outputs.addElements(output);
    this.#sizesOf(mainInput(this.descriptor.transforms[transformId]!), output.sizes);
    return output;
  }

  onFinalize(callback: Finalizer): void {
    this.finalizers.push(callback);
  }

  deferResidual(rest: ElementPart, continuation: Resumption): void {
    this.residuals.push({ ...rest, continuation });
  }

  claimBudget(): ClaimBudget {
    const deadlineMs = Math.max(this.#sourcesEndMs, this.clock.elapsed() + ELEMENT_TIME_MIN_MS);
    return { claims: CLAIMS_MAX, deadlineMs };
  }

  #sizesOf(collection: string, sizes: SampledSizes): SampledSizes {
    this.#sizes.push([collection, sizes]);
    return sizes;
  }

  #timerOutput(transformId: string, family: string): TimerOutput {
    const url = urlOf(this.descriptor.timerApiServiceDescriptor, `timers of ${transformId}`);
    const output = new TimerOutput(transformId, family, url, (piece) => this.outputs.sendTimers(piece));
    this.outputs.addTimers(output);
    return output;
  }

  #addSource(transformId: string, transform: runnerApi.PTransform): void {
    const { port, coder, coderId } = this.#port(transform);
    this.#inputUrls.add(port);
    const [collection] = Object.values(transform.outputs);
    const consumers = Object.entries(this.descriptor.transforms).filter(([, { inputs }]) =>
      Object.values(inputs).includes(collection!),
    );
    const [[consumerId, consumer] = []] = consumers;
    const isProcessStep = consumers.length === 1 && consumer!.spec?.urn === urns.sdfProcess;
    this.sources.set(transformId, {
      transformId,
      name: transform.uniqueName || transformId,
      coder,
      receiver: this.processor.source(transformId),
      sizes: this.#sizesOf(collection!, new SampledSizes()),
      mayContinue: this.#holdsContinued(coderId),
      processStep: isProcessStep ? consumerId : undefined,
    });
  }

  #addProcessStep(transformId: string, transform: runnerApi.PTransform): void {
    const [[inputId, collection] = []] = Object.entries(transform.inputs);
    const source = Object.values(this.descriptor.transforms).find(
      ({ spec, outputs }) => spec?.urn === urns.source && Object.values(outputs).includes(collection!),
    );
    this.processSteps.set(transformId, {
      inputId: inputId!,
      coder: source === undefined ? this.#windowedCoder(collection!) : this.#port(source).coder,
      outputIds: Object.keys(transform.outputs),
    });
  }

  #addTimers(transformId: string, transform: runnerApi.PTransform): void {
    const families = new Map<string, TimerInput>();
    for (const [family, spec] of Object.entries(parDoPayload(transform).timerFamilySpecs)) {
      const coder = this.#coders.get(spec.timerFamilyCoderId);
      if (!(coder instanceof TimerCoder)) {
        throw new Error(`${transform.uniqueName}: the coder of its timers ${family} is no timer coder`);
      }
      const name = `${transform.uniqueName}: timers ${family}`;
      const fire = (timer: FiredTimer): void => this.processor.onTimer(transformId, family, timer);
      families.set(family, new TimerInput(name, coder, fire));
    }
    if (families.size === 0) return;
    this.timerInputs.set(transformId, families);
    this.#inputUrls.add(urlOf(this.descriptor.timerApiServiceDescriptor, transform.uniqueName));
  }

  #holdsContinued(coderId: string): boolean {
    const { spec, componentCoderIds } = this.descriptor.coders[coderId]!;
    return (
      spec?.urn === CoderUrn.STATE_BACKED_ITERABLE || componentCoderIds.some((id) => this.#holdsContinued(id))
    );
  }

  #port(transform: runnerApi.PTransform): { port: string; coder: ElementCoder<unknown>; coderId: string } {
    const { apiServiceDescriptor, coderId } = fnApi.RemoteGrpcPort.fromBinary(transform.spec!.payload);
    const coder = this.#coders.get(coderId) as Coder<unknown>;
    if (!isElementCoder(coder)) {
      throw new Error(`${transform.uniqueName}: the coder ${coderId} of the data stream has no windows`);
    }
    return { port: urlOf(apiServiceDescriptor, transform.uniqueName), coder, coderId };
  }

  #windowedCoder(collection: string): ElementCoder<unknown> {
    const { coderId, windowingStrategyId } = this.descriptor.pcollections[collection]!;
    const coder = this.#coders.get(coderId);
    if (isElementCoder(coder)) return coder;
    const { windowCoderId } = this.descriptor.windowingStrategies[windowingStrategyId]!;
    return new WindowedValueCoder(coder, this.#coders.get(windowCoderId));
  }
}

function isElementCoder(coder: Coder<any>): coder is ElementCoder<unknown> {
  return "decodeInto" in coder;
}

function unwindowed(coder: Coder<any>): Coder<any> {
  return isElementCoder(coder) ? coder.value : coder;
}

function urlOf(endpoint: { readonly url: string } | undefined, what: string): string {
  if (endpoint === undefined || endpoint.url === "") throw new Error(`${what}: the runner gave no endpoint`);
  return endpoint.url;
}
