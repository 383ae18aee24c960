/**
 * What a graph says of a stateful step whose keys are kept in shards: many keys make one, by the hash of the key, and a
 * runner sees the shards alone. In front of the step its elements are brought together by shard; the step itself is given
 * such batches, and keeps the state of all keys of a shard as one log (see ../shards). The portable runner writes it,
 * workers read it.
 */
import { runnerApi } from "../model/apache_beam.js";
import { KVCoder } from "../model/coders/kv_coder.js";
import { ProtoCoders } from "../model/coders/registry.js";
import { urns } from "../model/urns.js";

/** DoFn of the step that brings elements together by the shard of their key. */
export const SHARD_KEYS_URN = "beam:dofn:ts:shard_keys:v1";
/** DoFn of a step that is given such batches. */
export const SHARDED_URN = "beam:dofn:ts:sharded:v1";

/** The cell and the timers of a shard, as the runner knows them. */
export const SHARD_LOG = "log";
export const SHARD_WAKE = "wake";

/**
 * What both say. The coder is in the payload, since runners put length prefixes into that of a collection, each stage
 * of its own.
 */
export interface ShardedElements {
  /** How many shards. Fixed for the life of a job's state: a key stays in its shard. */
  readonly shards: number;
  /** The coder of the step's elements: an id, and all coders that it is made of. */
  readonly coderId: string;
  readonly coders: { [id: string]: runnerApi.Coder };
}

/** Of the DoFn of SHARDED_URN. */
export interface ShardedStep extends ShardedElements {
  /** The step's own. */
  readonly doFn: runnerApi.FunctionSpec;
}

interface ElementsJson {
  readonly shards: number;
  readonly coderId: string;
  /** Base64 of Components with the coders. */
  readonly components: string;
}

interface StepJson extends ElementsJson {
  readonly urn: string;
  /** Base64. */
  readonly payload: string;
}

/** Payload of the DoFn of SHARD_KEYS_URN. */
export function shardedElementsToBytes(elements: ShardedElements): Uint8Array {
  return Buffer.from(JSON.stringify(elementsToJson(elements)));
}

export function shardedElementsFromBytes(bytes: Uint8Array): ShardedElements {
  return elementsFromJson(JSON.parse(Buffer.from(bytes).toString()));
}

/** Payload of the DoFn of SHARDED_URN. */
export function shardedStepToBytes(step: ShardedStep): Uint8Array {
  const { urn, payload } = step.doFn;
  const json: StepJson = {
    ...elementsToJson(step),
    urn,
    payload: Buffer.from(payload).toString("base64"),
  };
  return Buffer.from(JSON.stringify(json));
}

export function shardedStepFromBytes(bytes: Uint8Array): ShardedStep {
  const json: StepJson = JSON.parse(Buffer.from(bytes).toString());
  const doFn = { urn: json.urn, payload: Buffer.from(json.payload, "base64") };
  return { ...elementsFromJson(json), doFn };
}

function elementsToJson({ shards, coderId, coders }: ShardedElements): ElementsJson {
  const bytes = runnerApi.Components.toBinary(runnerApi.Components.create({ coders }));
  return { shards, coderId, components: Buffer.from(bytes).toString("base64") };
}

function elementsFromJson({ shards, coderId, components }: ElementsJson): ShardedElements {
  const { coders } = runnerApi.Components.fromBinary(Buffer.from(components, "base64"));
  return { shards, coderId, coders };
}

/** The step as it was before its keys were put into shards, but for its input. */
export function ownStep(transform: runnerApi.PTransform, { doFn }: ShardedStep): runnerApi.PTransform {
  const payload = runnerApi.ParDoPayload.toBinary(runnerApi.ParDoPayload.create({ doFn }));
  return { ...transform, spec: { urn: urns.parDo, payload } };
}

/** Of the step's elements. Throws for one that is none of KVs. */
export function elementCoderOf({ coderId, coders }: ShardedElements): KVCoder<unknown, unknown> {
  const coder = new ProtoCoders(coders).get(coderId);
  if (!(coder instanceof KVCoder)) throw new TypeError("elements with keys in shards are not KVs");
  return coder as KVCoder<unknown, unknown>;
}
