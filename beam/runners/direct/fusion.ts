/**
 * Cuts a pipeline into stages. A step joins the stage of its producer unless one of these makes it begin a new one:
 * - it is the process step of a splittable DoFn, whose input the runner must be able to put off and resume;
 * - it reads several collections of several stages (a flatten), or the impulse;
 * - it waits for side inputs, which come into its stage from elsewhere;
 * - it holds the watermark back (state and timers, or a group that buffers), and its producer's stage already does so
 *   or is a source: the watermark is known between stages only;
 * - it holds the watermark back, and a step before it emits when its bundle finishes: by then the stage's watermark has
 *   passed what the bundle began with.
 */

import { doFnOf, elementInputs, mainInput, parDoPayload } from "../../exec/do_fn_operator.js";
import { operatorTraits } from "../../exec/operator.js";
import "../../exec/standard_operators.js";
import { topologicalOrder } from "../../exec/topological_order.js";
import { runnerApi } from "../../model/apache_beam.js";
import { CoderUrn } from "../../model/coders/urns.js";
import { urns } from "../../model/urns.js";
import { windowFnFromProto } from "../../model/window_fns.js";
import { STABLE_INPUT } from "../../sdk/graph.js";
import { hasStateOrTimers } from "../../sdk/state_proto.js";
import {
  AWAIT_SIDE_INPUTS_URN,
  type AwaitPayload,
  COLLECT_SIDE_INPUT_URN,
  type CollectPayload,
} from "./await_side_inputs.js";
import "./direct_operators.js";
import { checkGroupable, firesForEveryElement } from "./group_by_key.js";
import { liftCombines } from "./lift_combines.js";

export interface FusedStage {
  readonly name: string;
  readonly kind: "ordinary" | "splittable" | "scripted";
  /** Transform ids. */
  readonly transforms: string[];
  readonly inputs: string[];
  readonly outputs: string[];
  /** Some step of it holds the watermark back. */
  holds: boolean;
  /** Some step of it may emit when a bundle finishes. */
  emitsLast: boolean;
  /** It begins with a step that does what cannot be undone (see STABLE_INPUT in sdk/graph.ts). */
  readonly needsStableInput: boolean;
}

export interface FusionOptions {
  /** A step that needs stable input begins a stage: only between stages can elements be made to last. */
  readonly cutsBeforeStableInput: boolean;
}

export interface FusedPipeline {
  readonly components: runnerApi.Components;
  /** Producers before consumers. */
  readonly stages: readonly FusedStage[];
  /** Collections that an impulse fills. */
  readonly impulses: readonly string[];
}

const SUPPORTED_REQUIREMENTS: ReadonlySet<string> = new Set([
  urns.requirementStateful,
  urns.requirementSplittable,
  urns.requirementFinalization,
]);

/** The runner cannot run this pipeline; says what it is that it cannot. */
export class UnsupportedPipelineError extends Error {
  override readonly name = "UnsupportedPipelineError";
}

export function fuse(
  pipeline: runnerApi.Pipeline,
  { cutsBeforeStableInput }: FusionOptions = { cutsBeforeStableInput: false },
): FusedPipeline {
  for (const requirement of pipeline.requirements) {
    if (!SUPPORTED_REQUIREMENTS.has(requirement)) {
      throw new UnsupportedPipelineError(`the direct runner does not support ${requirement}`);
    }
  }
  const components = runnerApi.Components.clone(pipeline.components!);
  liftCombines(components);
  expandSplittable(components);
  const waits = expandSideInputs(components);
  const order = topologicalOrder(
    Object.entries(components.transforms).filter(
      ([, { subtransforms, spec }]) =>
        subtransforms.length === 0 && spec !== undefined && spec.urn !== COLLECT_SIDE_INPUT_URN,
    ),
  );
  const stages: FusedStage[] = [];
  const impulses: string[] = [];
  const producer = new Map<string, FusedStage>();

  for (const id of order) {
    const transform = components.transforms[id]!;
    check(transform, components);
    const inputs = elementInputs(transform);
    if (transform.spec!.urn === urns.impulse) {
      impulses.push(...Object.values(transform.outputs));
      continue;
    }
    const isCut = cutsBeforeStableInput && STABLE_INPUT in transform.annotations;
    const stage =
      (isCut ? undefined : stageFor(transform, inputs, components, producer)) ??
      newStage(transform, inputs, stages, isCut);
    stage.transforms.push(...(waits.get(id) ?? []), id);
    stage.holds ||= holdsWatermark(transform, components);
    stage.emitsLast ||= emitsLast(transform);
    for (const output of Object.values(transform.outputs)) producer.set(output, stage);
  }
  for (const stage of stages) {
    for (const input of stage.inputs) {
      const from = producer.get(input);
      if (from !== undefined && !from.outputs.includes(input)) from.outputs.push(input);
    }
  }
  // What it waits for comes to the steps that collect it.
  for (const id of waits.keys()) {
    const transform = components.transforms[id]!;
    transform.inputs = { in: transform.inputs.in! };
  }
  return { components, stages, impulses };
}

/** The stage of the producers, if the step may join it. */
function stageFor(
  transform: runnerApi.PTransform,
  inputs: readonly string[],
  components: runnerApi.Components,
  producer: ReadonlyMap<string, FusedStage>,
): FusedStage | undefined {
  const stage = inputs.length === 0 ? undefined : producer.get(inputs[0]!);
  if (stage === undefined || stage.kind === "scripted") return undefined;
  if (transform.spec!.urn === urns.sdfProcess) return undefined;
  if (transform.spec!.urn === AWAIT_SIDE_INPUTS_URN) return undefined;
  if (inputs.some((input) => producer.get(input) !== stage)) return undefined;
  if (
    holdsWatermark(transform, components) &&
    (stage.holds || stage.emitsLast || stage.kind === "splittable")
  ) {
    return undefined;
  }
  return stage;
}

function newStage(
  transform: runnerApi.PTransform,
  inputs: readonly string[],
  stages: FusedStage[],
  needsStableInput: boolean,
): FusedStage {
  const { urn } = transform.spec!;
  const stage: FusedStage = {
    name: transform.uniqueName,
    kind: urn === urns.sdfProcess ? "splittable" : urn === urns.testStream ? "scripted" : "ordinary",
    transforms: [],
    // A flatten may name a collection twice: it is read once, and the flatten doubles it.
    inputs: [...new Set(inputs)],
    outputs: [],
    holds: false,
    emitsLast: false,
    needsStableInput,
  };
  stages.push(stage);
  return stage;
}

function holdsWatermark(transform: runnerApi.PTransform, components: runnerApi.Components): boolean {
  const { urn } = transform.spec!;
  if (urn === urns.groupByKey) {
    const { windowingStrategyId } = components.pcollections[Object.values(transform.inputs)[0]!]!;
    const strategy = components.windowingStrategies[windowingStrategyId]!;
    return !(firesForEveryElement(strategy) && strategy.windowFn?.urn === urns.globalWindows);
  }
  if (urn === AWAIT_SIDE_INPUTS_URN) return true;
  if (urn !== urns.parDo) return false;
  return hasStateOrTimers(parDoPayload(transform));
}

function emitsLast(transform: runnerApi.PTransform): boolean {
  const { urn } = transform.spec!;
  if (operatorTraits(urn)?.emitsLast) return true;
  if (urn !== urns.parDo || Object.keys(transform.outputs).length === 0) return false;
  try {
    return doFnOf(parDoPayload(transform)).finishBundle !== undefined;
  } catch {
    // A DoFn that nobody registered; its stage will say so.
    return false;
  }
}

/** Throws for what this runner cannot run, by name. */
function check(transform: runnerApi.PTransform, components: runnerApi.Components): void {
  const name = transform.uniqueName;
  const { urn } = transform.spec!;
  switch (urn) {
    case urns.groupByKey: {
      const { windowingStrategyId } = components.pcollections[Object.values(transform.inputs)[0]!]!;
      try {
        checkGroupable(name, components.windowingStrategies[windowingStrategyId]!);
      } catch (error) {
        throw new UnsupportedPipelineError((error as Error).message);
      }
      return;
    }
    case urns.windowInto: {
      const { windowFn } = runnerApi.WindowIntoPayload.fromBinary(transform.spec!.payload);
      try {
        windowFnFromProto(windowFn!);
      } catch (error) {
        throw new UnsupportedPipelineError(`${name}: ${(error as Error).message}`);
      }
      return;
    }
    case urns.parDo: {
      const payload = parDoPayload(transform);
      for (const [side, { accessPattern }] of Object.entries(payload.sideInputs)) {
        if (hasStateOrTimers(payload)) {
          throw new UnsupportedPipelineError(
            `${name}: side inputs of a stateful step are not supported (${side})`,
          );
        }
        if (accessPattern?.urn !== urns.iterableSideInput) {
          throw new UnsupportedPipelineError(
            `${name}: the side input ${side} is read by ${accessPattern?.urn}, which is not supported`,
          );
        }
      }
      if (payload.requiresTimeSortedInput || payload.requiresStableInput) {
        throw new UnsupportedPipelineError(`${name}: time-sorted or stable input is not supported`);
      }
      if (payload.onWindowExpirationTimerFamilySpec !== "") {
        throw new UnsupportedPipelineError(`${name}: a callback on window expiration is not supported`);
      }
      return;
    }
    case urns.impulse:
    case urns.testStream:
      return;
    default:
      if (operatorTraits(urn) !== undefined) return;
      throw new UnsupportedPipelineError(
        `${name}: the direct runner does not run ${urn === "" ? "a transform without URN" : urn}`,
      );
  }
}

/** Replaces each splittable ParDo by its three steps; all carry the ParDo's own payload. */
function expandSplittable(components: runnerApi.Components): void {
  for (const [id, transform] of Object.entries(components.transforms)) {
    if (transform.subtransforms.length > 0 || transform.spec?.urn !== urns.parDo) continue;
    const payload = parDoPayload(transform);
    if (payload.restrictionCoderId === "") continue;
    const [[inputName, input] = []] = Object.entries(transform.inputs);
    if (Object.keys(payload.sideInputs).length > 0) {
      throw new UnsupportedPipelineError(
        `${transform.uniqueName}: side inputs of a splittable step are not supported`,
      );
    }
    const from = components.pcollections[input!]!;
    components.coders[`${id}/paired`] = kvCoder(from.coderId, payload.restrictionCoderId);
    components.coders[`${id}/double`] = {
      spec: { urn: CoderUrn.DOUBLE, payload: new Uint8Array() },
      componentCoderIds: [],
    };
    components.coders[`${id}/sized`] = kvCoder(`${id}/paired`, `${id}/double`);
    for (const step of ["paired", "sized"]) {
      components.pcollections[`${id}/${step}`] = {
        ...from,
        uniqueName: `${transform.uniqueName}/${step}`,
        coderId: `${id}/${step}`,
      };
    }
    const part = (
      name: string,
      urn: string,
      inputs: Record<string, string>,
      outputs: Record<string, string>,
    ) => {
      components.transforms[`${id}/${name}`] = {
        ...transform,
        uniqueName: `${transform.uniqueName}/${name}`,
        spec: { urn, payload: transform.spec!.payload },
        inputs,
        outputs,
      };
    };
    part("pair", urns.sdfPair, { [inputName!]: input! }, { out: `${id}/paired` });
    part("split", urns.sdfSplitAndSize, { in: `${id}/paired` }, { out: `${id}/sized` });
    part("process", urns.sdfProcess, { in: `${id}/sized` }, transform.outputs);
    delete components.transforms[id];
  }
}

/**
 * Puts a step that waits in front of each ParDo with side inputs, and steps that collect these beside it. Returns the
 * ids of the collecting steps by that of the waiting one, whose inputs, for the time being, are all that it waits for.
 */
function expandSideInputs(components: runnerApi.Components): ReadonlyMap<string, readonly string[]> {
  const waits = new Map<string, readonly string[]>();
  for (const [id, transform] of Object.entries(components.transforms)) {
    if (transform.subtransforms.length > 0 || transform.spec?.urn !== urns.parDo) continue;
    const sides = Object.keys(parDoPayload(transform).sideInputs).map(
      (name) => [name, transform.inputs[name]!] as const,
    );
    if (sides.length === 0) continue;
    const main = mainInput(transform);
    const [mainName] = Object.entries(transform.inputs).find(([, collection]) => collection === main)!;
    const step = (
      name: string,
      urn: string,
      payload: CollectPayload | AwaitPayload,
      inputs: Record<string, string>,
      outputs: Record<string, string>,
    ): string => {
      components.transforms[`${id}/${name}`] = runnerApi.PTransform.create({
        uniqueName: `${transform.uniqueName}/${name}`,
        spec: { urn, payload: Buffer.from(JSON.stringify(payload)) },
        inputs,
        outputs,
      });
      return `${id}/${name}`;
    };
    const awaited = `${id}/awaited`;
    components.pcollections[awaited] = { ...components.pcollections[main]!, uniqueName: awaited };
    const collects = sides.map(([name, collection]) =>
      step(`collect ${name}`, COLLECT_SIDE_INPUT_URN, { consumer: id, name }, { in: collection }, {}),
    );
    const wait = step(
      "await",
      AWAIT_SIDE_INPUTS_URN,
      { sides: sides.map(([, collection]) => collection) },
      { in: main, ...Object.fromEntries(sides.map(([name, collection]) => [`side ${name}`, collection])) },
      { out: awaited },
    );
    waits.set(wait, collects);
    transform.inputs[mainName] = awaited;
  }
  return waits;
}

function kvCoder(key: string, value: string): runnerApi.Coder {
  return { spec: { urn: CoderUrn.KV, payload: new Uint8Array() }, componentCoderIds: [key, value] };
}
