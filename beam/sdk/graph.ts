/**
 * Building graphs: `parDo`, `flattenAll`, `groupByKey`, `windowInto` put a step behind collections and return what
 * comes out. The result is an ordinary portable pipeline proto in an apache-beam Pipeline, requirements filled in.
 */
import {
  Pipeline as BeamPipeline,
  Root as BeamRoot,
  impulse as beamImpulse,
  P,
  type PCollection,
  runnerApi,
} from "../model/apache_beam.js";
import { WORKER_CAPABILITIES } from "../model/capabilities.js";
import type { Coder } from "../model/coders/coder.js";
import { IterableCoder } from "../model/coders/iterable_coder.js";
import { KVCoder } from "../model/coders/kv_coder.js";
import { coderFromProto } from "../model/coders/registry.js";
import { GlobalWindowCoder, IntervalWindowCoder } from "../model/coders/window_coders.js";
import type { KV } from "../model/kv.js";
import {
  continuationTrigger,
  type OutputTime,
  type Trigger,
  triggerFromProto,
  triggerToProto,
} from "../model/triggers.js";
import { urns } from "../model/urns.js";
import { globalWindows, type WindowFn } from "../model/window_fns.js";
import {
  beamRootOf,
  type Collection,
  collectionOf,
  type Pipeline,
  pcollectionOf,
  type Root,
} from "./collection.js";
import {
  type AnyDoFn,
  type DoFn,
  type OutputSpecs,
  SideInputDoFn,
  StatefulDoFn,
  type ValueOf,
} from "./do_fn.js";
import { urnOf } from "./registry.js";
import { RestrictionCoder } from "./restriction_coder.js";
import { sideInputProto, type View } from "./side_input.js";
import { SplittableDoFn } from "./splittable.js";
import { addRequirement, declareState } from "./state_proto.js";
import { applyNamed } from "./step.js";

export type { Collection, Pipeline, Root };

/** What comes out of a DoFn: one collection for each of its outputs, under their names. */
export type OutputCollections<O extends OutputSpecs> = { readonly [N in keyof O]: Collection<ValueOf<O[N]>> };

/** `unknown` if a DoFn `D` can read elements `I`; otherwise a sentence that says why it cannot. */
export type Accepts<D, I> =
  D extends StatefulDoFn<infer K, infer V, any, any, any, any>
    ? [I] extends [KV<any, any>]
      ? [I] extends [KV<K, V>]
        ? unknown
        : "This stateful DoFn reads KVs of other types than this collection holds"
      : "A stateful DoFn needs a keyed collection: its elements must be KV<K, V>"
    : D extends SplittableDoFn<infer E, any, any, any, any>
      ? [I] extends [E]
        ? unknown
        : "This splittable DoFn reads other elements than this collection holds"
      : D extends DoFn<infer E, any, any> | SideInputDoFn<infer E, any, any, any>
        ? [I] extends [E]
          ? unknown
          : "This DoFn reads other elements than this collection holds"
        : "This is not a DoFn, SideInputDoFn, StatefulDoFn or SplittableDoFn";

/**
 * Annotation of a step whose DoFn `needsStableInput`. An annotation and no requirement of the proto, since runners
 * refuse `beam:requirement:pardo:stable_input:v1`; those that do not know it lose only what they never had.
 */
export const STABLE_INPUT = "beam:ts:stable_input:v1";

/** The collections for the side inputs that a DoFn `D` declares; nothing for one that declares none. */
export type SideCollections<D> =
  D extends SideInputDoFn<any, any, infer S, any>
    ? [sides: { readonly [N in keyof S]: S[N] extends View ? Collection<ValueOf<S[N]["coder"]>> : never }]
    : [];

/** An empty pipeline, and the root to which its impulses and sources are applied. */
export function createPipeline(): { readonly pipeline: Pipeline; readonly root: Root } {
  const pipeline = new BeamPipeline();
  for (const environment of Object.values(pipeline.getProto().components!.environments)) {
    environment.capabilities = [...WORKER_CAPABILITIES];
  }
  return {
    pipeline: pipeline as unknown as Pipeline,
    root: new BeamRoot(pipeline) as unknown as Root,
  };
}

/** One empty element, with which a graph begins. */
export function impulse(name: string, root: Root): Collection<Uint8Array> {
  return collectionOf(applyNamed(name, beamImpulse(), (step) => beamRootOf(root).apply(step)));
}

/**
 * Runs a DoFn on each element. Returns one collection for each of its outputs, under their names.
 *
 * @param sides the collections that a SideInputDoFn reads, by the names of its side inputs
 */
export function parDo<I, D extends AnyDoFn>(
  name: string,
  input: Collection<I>,
  doFn: D & Accepts<D, I>,
  ...sides: SideCollections<D>
): OutputCollections<D["outputs"]> {
  const { outputs } = doFn as AnyDoFn;
  return applyParDo(name, input, doFn as AnyDoFn, outputs, sides[0]) as OutputCollections<D["outputs"]>;
}

/**
 * As `parDo`, with the coders of the outputs given separately, for DoFns whose types depend on their place in a
 * graph.
 */
export function applyParDo(
  name: string,
  input: Collection<any>,
  doFn: AnyDoFn,
  outputs: OutputSpecs,
  sides: Readonly<Record<string, Collection<any>>> = {},
): Record<string, Collection<any>> {
  return applyNamed(
    name,
    (source: PCollection<any>, pipeline: BeamPipeline, transform: runnerApi.PTransform) => {
      const payload = runnerApi.ParDoPayload.create({
        doFn: { urn: urnOf(doFn), payload: Buffer.from(JSON.stringify(doFn.config ?? null)) },
        requestsFinalization: doFn.requestsFinalization,
      });
      if (doFn instanceof StatefulDoFn) declareState(pipeline, source, payload, doFn);
      if (doFn instanceof SplittableDoFn) {
        payload.restrictionCoderId = pipeline.getCoderId(new RestrictionCoder(doFn.restrictionCoder) as any);
        addRequirement(pipeline, urns.requirementSplittable);
      }
      if (doFn instanceof SideInputDoFn) declareSideInputs(name, payload, transform, doFn, sides);
      if (doFn.requestsFinalization) addRequirement(pipeline, urns.requirementFinalization);
      if (doFn.needsStableInput) transform.annotations[STABLE_INPUT] = new Uint8Array();
      transform.spec = { urn: urns.parDo, payload: runnerApi.ParDoPayload.toBinary(payload) };
      const isUnbounded =
        isUnboundedCollection(source) || (doFn instanceof SplittableDoFn && !doFn.isBounded);
      return Object.fromEntries(
        Object.entries(outputs).map(([output, coder]) => [
          output,
          pipeline.createPCollectionInternal(coder as any, windowingOf(source), boundedness(isUnbounded)),
        ]),
      );
    },
    (step) => pcollectionOf(input).apply(step),
  ) as unknown as any;
}

/** Side inputs may have another windowing than the main input, which the outputs take theirs from. */
function windowingOf(collection: PCollection<any>): string {
  const { pcollections } = collection.pipeline.getProto().components!;
  return pcollections[collection.getId()]!.windowingStrategyId;
}

function declareSideInputs(
  name: string,
  payload: runnerApi.ParDoPayload,
  transform: runnerApi.PTransform,
  doFn: SideInputDoFn<any, any, any, any>,
  sides: Readonly<Record<string, Collection<any>>>,
): void {
  for (const view of Object.keys(doFn.sideInputs)) {
    const side = sides[view];
    if (side === undefined) throw new TypeError(`${name}: no collection is given for its side input ${view}`);
    if (view in transform.inputs) throw new TypeError(`${name}: ${view} is the name of its main input`);
    transform.inputs[view] = pcollectionOf(side).getId();
    payload.sideInputs[view] = sideInputProto();
  }
}

/** The elements of all inputs. They must have the same windowing. */
export function flattenAll<T>(
  name: string,
  inputs: readonly [Collection<T>, ...Collection<T>[]],
): Collection<T> {
  return applyNamed(
    name,
    (sources: PCollection<any>[], pipeline: BeamPipeline, transform: runnerApi.PTransform) => {
      transform.spec = { urn: urns.flatten, payload: new Uint8Array() };
      transform.environmentId = "";
      const components = pipeline.getProto().components!;
      const first = components.pcollections[sources[0]!.getId()]!;
      return pipeline.createPCollectionInternal(
        first.coderId,
        first.windowingStrategyId,
        boundedness(sources.some(isUnboundedCollection)),
      );
    },
    (step) => collectionOf<T>(P(inputs.map(pcollectionOf)).apply(step as any)),
  );
}

/** How a collection is divided in time, and when its groups emit. What is left out has its default. */
export interface Windowing {
  readonly windowFn?: WindowFn;
  readonly trigger?: Trigger;
  readonly outputTime?: OutputTime;
  readonly allowedLatenessMs?: number;
}

/** Assigns each element to its windows, and sets when later groups emit. Panes are discarding. */
export function windowInto<T>(name: string, input: Collection<T>, windowing: Windowing): Collection<T> {
  return applyNamed(
    name,
    (source: PCollection<any>, pipeline: BeamPipeline, transform: runnerApi.PTransform) => {
      const windowFn = (windowing.windowFn ?? globalWindows()).toProto();
      transform.spec = {
        urn: urns.windowInto,
        payload: runnerApi.WindowIntoPayload.toBinary({ windowFn }),
      };
      const isGlobal = windowFn.urn === urns.globalWindows;
      const windowCoder: Coder<any> = isGlobal ? GlobalWindowCoder.INSTANCE : IntervalWindowCoder.INSTANCE;
      const strategy = runnerApi.WindowingStrategy.create({
        windowFn,
        mergeStatus: runnerApi.MergeStatus_Enum.NON_MERGING,
        windowCoderId: pipeline.getCoderId(windowCoder as any),
        trigger: triggerToProto(windowing.trigger ?? { kind: "default" }),
        accumulationMode: runnerApi.AccumulationMode_Enum.DISCARDING,
        outputTime: runnerApi.OutputTime_Enum[windowing.outputTime ?? "END_OF_WINDOW"],
        closingBehavior: runnerApi.ClosingBehavior_Enum.EMIT_IF_NONEMPTY,
        onTimeBehavior: runnerApi.OnTimeBehavior_Enum.FIRE_IF_NONEMPTY,
        allowedLateness: BigInt(windowing.allowedLatenessMs ?? 0),
        assignsToOneWindow: windowFn.urn !== urns.slidingWindows,
        environmentId: pipeline.defaultEnvironment,
      });
      const from = pipeline.getProto().components!.pcollections[source.getId()]!;
      return pipeline.createPCollectionInternal(from.coderId, strategy, from.isBounded);
    },
    (step) => pcollectionOf(input).apply(step),
  ) as unknown as Collection<T>;
}

/**
 * The values of each key and window, in panes as the trigger of the input's windowing says.
 * @param annotations of the transform, for code that changes the graph before it runs
 */
export function groupByKey<K, V>(
  name: string,
  input: Collection<KV<K, V>>,
  annotations: readonly string[] = [],
): Collection<KV<K, Iterable<V>>> {
  return applyNamed(
    name,
    (source: PCollection<any>, pipeline: BeamPipeline, transform: runnerApi.PTransform) => {
      const components = pipeline.getProto().components!;
      const from = components.pcollections[source.getId()]!;
      const coder = coderFromProto(from.coderId, components.coders);
      if (!(coder instanceof KVCoder)) throw new TypeError(`${name}: its input is not a collection of KVs`);
      if (!coder.key.isDeterministic) throw new TypeError(`${name}: the key coder must be deterministic`);
      transform.spec = { urn: urns.groupByKey, payload: new Uint8Array() };
      transform.environmentId = "";
      for (const annotation of annotations) transform.annotations[annotation] = new Uint8Array();
      const strategy = components.windowingStrategies[from.windowingStrategyId]!;
      const continued = runnerApi.WindowingStrategy.create({
        ...strategy,
        trigger: triggerToProto(continuationTrigger(triggerFromProto(strategy.trigger))),
      });
      const grouped = new KVCoder(coder.key, new IterableCoder(coder.value));
      return pipeline.createPCollectionInternal(grouped as any, continued, from.isBounded);
    },
    (step) => pcollectionOf(input).apply(step),
  ) as unknown as Collection<KV<K, Iterable<V>>>;
}

/** A named group of steps. */
export function composite<I extends Record<string, Collection<any>>, O>(
  name: string,
  inputs: I,
  expand: (inputs: I) => O,
): O {
  return applyNamed(
    name,
    (sources: any) => expand(sources),
    (step) => P(inputs as any).apply(step as any),
  ) as O;
}

/** The coder of a collection's elements. */
export function coderOf(collection: Collection<any>): Coder<any> {
  const pcollection = pcollectionOf(collection);
  const components = pcollection.pipeline.getProto().components!;
  return coderFromProto(components.pcollections[pcollection.getId()]!.coderId, components.coders);
}

function isUnboundedCollection(collection: PCollection<any>): boolean {
  const { pcollections } = collection.pipeline.getProto().components!;
  return pcollections[collection.getId()]!.isBounded === runnerApi.IsBounded_Enum.UNBOUNDED;
}

function boundedness(isUnbounded: boolean): runnerApi.IsBounded_Enum {
  return isUnbounded ? runnerApi.IsBounded_Enum.UNBOUNDED : runnerApi.IsBounded_Enum.BOUNDED;
}
