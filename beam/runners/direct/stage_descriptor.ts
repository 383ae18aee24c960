/** A fused stage, as exec takes it: its transforms between sources and sinks. */
import type { BundleDescriptor } from "../../exec/bundle_processor.js";
import { runnerApi } from "../../model/apache_beam.js";
import { urns } from "../../model/urns.js";
import type { FusedStage } from "./fusion.js";
import { sinkId, sourceId } from "./stage_processor.js";

/** The stage as a bundle descriptor: its transforms between sources and sinks. */
export function descriptorOf(stage: FusedStage, components: runnerApi.Components): BundleDescriptor {
  const transforms: Record<string, runnerApi.PTransform> = {};
  for (const collection of stage.inputs) {
    transforms[sourceId(collection)] = boundary(urns.source, {}, { out: collection });
  }
  for (const id of stage.transforms) transforms[id] = components.transforms[id]!;
  for (const collection of stage.outputs) {
    transforms[sinkId(collection)] = boundary(urns.sink, { in: collection }, {});
  }
  const used = Object.values(transforms).flatMap(({ inputs, outputs }) => [
    ...Object.values(inputs),
    ...Object.values(outputs),
  ]);
  return {
    id: stage.name,
    transforms,
    pcollections: Object.fromEntries(used.map((id) => [id, components.pcollections[id]!])),
    windowingStrategies: components.windowingStrategies,
    coders: components.coders,
  };
}

function boundary(
  urn: string,
  inputs: Record<string, string>,
  outputs: Record<string, string>,
): runnerApi.PTransform {
  return runnerApi.PTransform.create({
    uniqueName: urn,
    spec: { urn, payload: new Uint8Array() },
    inputs,
    outputs,
  });
}
