/**
 * Puts the keys of stateful steps into shards. A runner then sees a shard where there were keys: a batch of elements
 * where there were elements, one cell of state, and a timer a second. Each request that a worker makes of its runner costs
 * some 15 µs there, whatever is asked, and the protocol has none for several keys; so where each order is a key of its
 * own, that is what a job's speed depends on.
 *
 * Only where nobody can tell: a step of this SDK in the global window, with event-time timers alone, that reads no
 * side inputs. Its timers fire up to a second of event time later.
 */
import { runnerApi } from "../../model/apache_beam.js";
import { CoderUrn } from "../../model/coders/urns.js";
import { urns } from "../../model/urns.js";
import {
  SHARD_KEYS_URN,
  SHARD_LOG,
  SHARD_WAKE,
  SHARDED_URN,
  shardedElementsToBytes,
  shardedStepToBytes,
} from "../../sdk/key_shards.js";
import { isRegisteredDoFn } from "../../sdk/registry.js";
import { hasStateOrTimers } from "../../sdk/state_proto.js";

/** The most shards that the keys of a step may be put into. */
export const KEY_SHARDS_MAX = 32_768;

const NO_PAYLOAD = new Uint8Array(0);

/** Changes the pipeline that it is given. @param shards 0: leaves it as it is */
export function withKeyShards(pipeline: runnerApi.Pipeline, shards: number): runnerApi.Pipeline {
  if (!Number.isInteger(shards) || shards < 0 || shards > KEY_SHARDS_MAX) {
    throw new RangeError(`keyShards is ${shards}: expected a whole number from 0 to ${KEY_SHARDS_MAX}`);
  }
  if (shards === 0) return pipeline;
  const components = pipeline.components!;
  for (const [id, step] of Object.entries(components.transforms)) {
    const payload = statefulPayload(step);
    if (payload !== undefined && canBeSharded(step, payload, components)) {
      shard(id, step, payload, shards, pipeline);
    }
  }
  return pipeline;
}

/** Undefined: it is none. */
function statefulPayload({ spec, subtransforms }: runnerApi.PTransform): runnerApi.ParDoPayload | undefined {
  if (spec?.urn !== urns.parDo || subtransforms.length > 0) return undefined;
  const payload = runnerApi.ParDoPayload.fromBinary(spec.payload);
  return hasStateOrTimers(payload) ? payload : undefined;
}

function canBeSharded(
  { inputs, environmentId }: runnerApi.PTransform,
  payload: runnerApi.ParDoPayload,
  components: runnerApi.Components,
): boolean {
  const { doFn, sideInputs, timerFamilySpecs, restrictionCoderId } = payload;
  const [input] = Object.values(inputs);
  const { windowingStrategyId } = components.pcollections[input!]!;
  const { windowFn, allowedLateness } = components.windowingStrategies[windowingStrategyId]!;
  return (
    isRegisteredDoFn(doFn?.urn ?? "") &&
    environmentId !== "" &&
    Object.keys(sideInputs).length === 0 &&
    restrictionCoderId === "" &&
    !payload.requiresTimeSortedInput &&
    payload.onWindowExpirationTimerFamilySpec === "" &&
    windowFn?.urn === urns.globalWindows &&
    // A timer may lie behind the end of the window by it.
    allowedLateness === 0n &&
    Object.values(timerFamilySpecs).every(
      ({ timeDomain }) => timeDomain === runnerApi.TimeDomain_Enum.EVENT_TIME,
    )
  );
}

function shard(
  id: string,
  step: runnerApi.PTransform,
  payload: runnerApi.ParDoPayload,
  shards: number,
  pipeline: runnerApi.Pipeline,
): void {
  const { transforms, pcollections, coders, windowingStrategies } = pipeline.components!;
  const [[localName, input] = []] = Object.entries(step.inputs);
  const elements = pcollections[input!]!;
  const { windowCoderId } = windowingStrategies[elements.windowingStrategyId]!;
  const coder = (name: string, urn: string, componentCoderIds: string[] = []): string => {
    coders[`${id}/${name}`] = { spec: { urn, payload: NO_PAYLOAD }, componentCoderIds };
    return `${id}/${name}`;
  };
  const shardCoderId = coder("shard", CoderUrn.VARINT);
  const bytesCoderId = coder("bytes", CoderUrn.BYTES);

  const batches = `${input}/by_shard_for/${id}`;
  pcollections[batches] = {
    ...elements,
    uniqueName: `${elements.uniqueName}/ByShardFor/${step.uniqueName}`,
    coderId: coder("batch", CoderUrn.KV, [shardCoderId, bytesCoderId]),
  };
  const shared = { shards, coderId: elements.coderId, coders: partsOf(elements.coderId, coders) };
  const front = runnerApi.PTransform.create({
    uniqueName: `${step.uniqueName}/ShardKeys`,
    spec: parDo({ doFn: { urn: SHARD_KEYS_URN, payload: shardedElementsToBytes(shared) } }),
    inputs: { main: input! },
    outputs: { main: batches },
    environmentId: step.environmentId,
  });
  const frontId = `${id}/ShardKeys`;
  transforms[frontId] = front;
  insertBefore(id, frontId, pipeline);

  step.inputs = { [localName!]: batches };
  step.spec = parDo({
    ...payload,
    doFn: {
      urn: SHARDED_URN,
      payload: shardedStepToBytes({ ...shared, doFn: payload.doFn! }),
    },
    stateSpecs: {
      [SHARD_LOG]: {
        protocol: { urn: urns.bagUserState, payload: NO_PAYLOAD },
        spec: { oneofKind: "bagSpec", bagSpec: { elementCoderId: bytesCoderId } },
      },
    },
    timerFamilySpecs: {
      [SHARD_WAKE]: {
        timeDomain: runnerApi.TimeDomain_Enum.EVENT_TIME,
        timerFamilyCoderId: coder("wake", CoderUrn.TIMER, [shardCoderId, windowCoderId]),
      },
    },
  });
}

function parDo(payload: Parameters<typeof runnerApi.ParDoPayload.create>[0]): runnerApi.FunctionSpec {
  const bytes = runnerApi.ParDoPayload.toBinary(runnerApi.ParDoPayload.create(payload));
  return { urn: urns.parDo, payload: bytes };
}

/** A coder, and all that it is made of. */
function partsOf(id: string, coders: { [id: string]: runnerApi.Coder }): { [id: string]: runnerApi.Coder } {
  const parts: { [id: string]: runnerApi.Coder } = {};
  const add = (each: string): void => {
    parts[each] = coders[each]!;
    for (const component of coders[each]!.componentCoderIds) if (!(component in parts)) add(component);
  };
  add(id);
  return parts;
}

/** In the composite that a step belongs to, or at the root. */
function insertBefore(id: string, newId: string, { components, rootTransformIds }: runnerApi.Pipeline): void {
  const lists = [
    rootTransformIds,
    ...Object.values(components!.transforms).map(({ subtransforms }) => subtransforms),
  ];
  for (const list of lists) {
    const at = list.indexOf(id);
    if (at >= 0) list.splice(at, 0, newId);
  }
}
