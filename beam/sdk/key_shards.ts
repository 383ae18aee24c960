/**
 * What a graph says of a stateful step whose keys are kept in shards: many keys make one, by the hash of the key, and a
 * runner sees the shards alone. In front of the step its elements are brought together by shard; the step itself is given
 * such batches, and keeps the state of all keys of a shard as one log (see ../shards). The portable runner writes it,
 * workers read it.
 */
import { runnerApi } from "../model/apache_beam.js";
import type { Coder } from "../model/coders/coder.js";
import { ProtoCoders } from "../model/coders/registry.js";
import { urns } from "../model/urns.js";

/** DoFn of the step that brings elements together by the shard of their key. */
export const SHARD_KEYS_URN = "beam:dofn:ts:shard_keys:v1";
/** DoFn of a step that is given such batches. */
export const SHARDED_URN = "beam:dofn:ts:sharded:v1";

/** The cell and the timers of a shard, as the runner knows them. */
export const SHARD_LOG = "log";
export const SHARD_WAKE = "wake";

/** Of the DoFn of SHARD_KEYS_URN. */
export interface ShardKeysConfig {
  /** How many. Fixed for the life of a job's state: a key stays in its shard. */
  readonly shards: number;
}

/** Of the DoFn of SHARDED_URN. */
export interface ShardedStep extends ShardKeysConfig {
  /** The step's own. */
  readonly doFn: runnerApi.FunctionSpec;
  /** The coder of its elements: an id, and all coders that it is made of. */
  readonly coderId: string;
  readonly coders: { [id: string]: runnerApi.Coder };
}

interface ShardedStepJson extends ShardKeysConfig {
  readonly urn: string;
  readonly payload: string;
  readonly coderId: string;
  readonly components: string;
}

export function shardedStepToBytes({ shards, doFn, coderId, coders }: ShardedStep): Uint8Array {
  const components = runnerApi.Components.toBinary(runnerApi.Components.create({ coders }));
  const json: ShardedStepJson = {
    shards,
    urn: doFn.urn,
    payload: Buffer.from(doFn.payload).toString("base64"),
    coderId,
    components: Buffer.from(components).toString("base64"),
  };
  return Buffer.from(JSON.stringify(json));
}

export function shardedStepFromBytes(bytes: Uint8Array): ShardedStep {
  const json: ShardedStepJson = JSON.parse(Buffer.from(bytes).toString());
  const { coders } = runnerApi.Components.fromBinary(Buffer.from(json.components, "base64"));
  return {
    shards: json.shards,
    doFn: { urn: json.urn, payload: Buffer.from(json.payload, "base64") },
    coderId: json.coderId,
    coders,
  };
}

/** The step as it was before its keys were put into shards, but for its input. */
export function ownStep(transform: runnerApi.PTransform, { doFn }: ShardedStep): runnerApi.PTransform {
  const payload = runnerApi.ParDoPayload.toBinary(runnerApi.ParDoPayload.create({ doFn }));
  return { ...transform, spec: { urn: urns.parDo, payload } };
}

/** The coder of the step's elements. */
export function elementCoderOf({ coderId, coders }: ShardedStep): Coder<unknown> {
  return new ProtoCoders(coders).get(coderId);
}
