/** How the state cells and the timers of a DoFn are written in the pipeline's proto. */
import { type Pipeline as BeamPipeline, type PCollection, runnerApi } from "../model/apache_beam.js";
import { KVCoder } from "../model/coders/kv_coder.js";
import { LengthPrefixCoder } from "../model/coders/length_prefix_coder.js";
import { CoderUrn } from "../model/coders/urns.js";
import { urns } from "../model/urns.js";
import type { AnyCombineFn } from "./combine_fn.js";
import type { StatefulDoFn } from "./do_fn.js";
import { combineUrnOf } from "./registry.js";
import type { StateSpec } from "./state.js";

/** Puts state cells and timer families of a stateful DoFn into the payload of its step. */
export function declareState(
  pipeline: BeamPipeline,
  input: PCollection<any>,
  payload: runnerApi.ParDoPayload,
  doFn: StatefulDoFn<any, any, any, any, any, any>,
): void {
  const components = pipeline.getProto().components!;
  const from = components.pcollections[input.getId()]!;
  const inputCoder = components.coders[from.coderId]!;
  const keyCoderId = inputCoder.componentCoderIds[0];
  if (keyCoderId === undefined) throw new TypeError(`${doFn.constructor.name} needs a collection of KVs`);
  for (const [name, spec] of Object.entries(doFn.state)) {
    payload.stateSpecs[name] = stateSpecProto(pipeline, spec as StateSpec);
  }
  const windowCoderId = components.windowingStrategies[from.windowingStrategyId]!.windowCoderId;
  for (const [name, spec] of Object.entries(doFn.timers)) {
    const isEventTime = (spec as { timeDomain: string }).timeDomain === "event";
    payload.timerFamilySpecs[name] = {
      timeDomain: isEventTime
        ? runnerApi.TimeDomain_Enum.EVENT_TIME
        : runnerApi.TimeDomain_Enum.PROCESSING_TIME,
      timerFamilyCoderId: pipeline.getCoderId({
        toProto: () => ({
          spec: { urn: CoderUrn.TIMER, payload: new Uint8Array() },
          componentCoderIds: [keyCoderId, windowCoderId],
        }),
      } as any),
    };
  }
  addRequirement(pipeline, urns.requirementStateful);
}

/** Whether a step is stateful. */
export function hasStateOrTimers({ stateSpecs, timerFamilySpecs }: runnerApi.ParDoPayload): boolean {
  return Object.keys(stateSpecs).length > 0 || Object.keys(timerFamilySpecs).length > 0;
}

/** Pieces of a changelog: of the coder of the whole value and that of its changes. No runner looks inside. */
export const CHANGELOG_URN = "beam:coder:ts:changelog:v1";

/**
 * Multimaps and ordered lists are kinds of their own on the wire. Every other cell is a bag: a value or an accumulator
 * is a bag of one, a map a bag of its entries, a changelog a bag of its pieces.
 */
function stateSpecProto(pipeline: BeamPipeline, spec: StateSpec): runnerApi.StateSpec {
  const protocol = { urn: urns.bagUserState, payload: new Uint8Array() };
  switch (spec.kind) {
    case "value": {
      const coderId = pipeline.getCoderId(spec.coder as any);
      return { protocol, spec: { oneofKind: "readModifyWriteSpec", readModifyWriteSpec: { coderId } } };
    }
    case "bag": {
      const elementCoderId = pipeline.getCoderId(spec.coder as any);
      return { protocol, spec: { oneofKind: "bagSpec", bagSpec: { elementCoderId } } };
    }
    case "map": {
      const elementCoderId = pipeline.getCoderId(new KVCoder(spec.keyCoder, spec.valueCoder) as any);
      return { protocol, spec: { oneofKind: "bagSpec", bagSpec: { elementCoderId } } };
    }
    case "changelog": {
      const { coder, changeCoder } = spec.log;
      const componentCoderIds = [coder, changeCoder].map((part) => pipeline.getCoderId(part as any));
      const elementCoderId = pipeline.getCoderId({
        toProto: () => ({ spec: { urn: CHANGELOG_URN, payload: new Uint8Array() }, componentCoderIds }),
      } as any);
      return { protocol, spec: { oneofKind: "bagSpec", bagSpec: { elementCoderId } } };
    }
    case "combining": {
      const { combineFn } = spec;
      const accumulatorCoderId = pipeline.getCoderId(combineFn.accumulatorCoder as any);
      const combiningSpec = { accumulatorCoderId, combineFn: combineFnProto(combineFn) };
      return { protocol, spec: { oneofKind: "combiningSpec", combiningSpec } };
    }
    case "multimap": {
      const keyCoderId = pipeline.getCoderId(spec.keyCoder as any);
      const valueCoderId = pipeline.getCoderId(spec.valueCoder as any);
      return {
        protocol: { urn: urns.multimapUserState, payload: new Uint8Array() },
        spec: { oneofKind: "mapSpec", mapSpec: { keyCoderId, valueCoderId } },
      };
    }
    case "orderedList": {
      // The runner has to find the borders between values, and knows few coders.
      const elementCoderId = pipeline.getCoderId(new LengthPrefixCoder(spec.coder) as any);
      return {
        protocol: { urn: urns.orderedListUserState, payload: new Uint8Array() },
        spec: { oneofKind: "orderedListSpec", orderedListSpec: { elementCoderId } },
      };
    }
  }
}

/** Adds what a runner must know of to run the pipeline. */
export function addRequirement(pipeline: BeamPipeline, requirement: string): void {
  const { requirements } = pipeline.getProto();
  if (!requirements.includes(requirement)) requirements.push(requirement);
}

/** What a worker makes its own instance of a CombineFn from. */
export function combineFnProto(combineFn: AnyCombineFn): runnerApi.FunctionSpec {
  return { urn: combineUrnOf(combineFn), payload: Buffer.from(JSON.stringify(combineFn.config ?? null)) };
}
