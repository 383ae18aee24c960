/**
 * Puts a step before the group of each combine that folds what a bundle has for a key into one accumulator, so that
 * accumulators wait for the end of a window and not all of its values. Only where the trigger does not count: it would
 * count accumulators. Source: beam_runner_api.proto, StandardPTransforms.CombineComponents.
 */
import { runnerApi } from "../../model/apache_beam.js";
import { CoderUrn } from "../../model/coders/urns.js";
import { urns } from "../../model/urns.js";

export function liftCombines(components: runnerApi.Components): void {
  for (const [id, transform] of Object.entries(components.transforms)) {
    if (transform.spec?.urn !== urns.combinePerKey) continue;
    const [input] = Object.values(transform.inputs);
    const [output] = Object.values(transform.outputs);
    const from = components.pcollections[input!]!;
    const { trigger } = components.windowingStrategies[from.windowingStrategyId]!;
    const isDefault = trigger?.trigger.oneofKind === undefined || trigger.trigger.oneofKind === "default";
    if (isDefault) lift(components, id, transform, input!, output!);
  }
}

function lift(
  components: runnerApi.Components,
  id: string,
  transform: runnerApi.PTransform,
  input: string,
  output: string,
): void {
  const { payload } = transform.spec!;
  const { accumulatorCoderId } = runnerApi.CombinePayload.fromBinary(payload);
  const from = components.pcollections[input]!;
  const [keyCoderId] = components.coders[from.coderId]!.componentCoderIds;
  const coder = (name: string, urn: string, ...componentCoderIds: string[]): string => {
    components.coders[`${id}/${name}`] = { spec: { urn, payload: new Uint8Array() }, componentCoderIds };
    return `${id}/${name}`;
  };
  const collection = (name: string, coderId: string): string => {
    components.pcollections[`${id}/${name}`] = {
      ...from,
      uniqueName: `${transform.uniqueName}/${name}`,
      coderId,
    };
    return `${id}/${name}`;
  };
  const step = (name: string, urn: string, input: string, output: string): string => {
    components.transforms[`${id}/${name}`] = runnerApi.PTransform.create({
      uniqueName: `${transform.uniqueName}/${name}`,
      spec: { urn, payload },
      inputs: { in: input },
      outputs: { out: output },
      environmentId: transform.environmentId,
    });
    return `${id}/${name}`;
  };
  const accumulated = coder("accumulated", CoderUrn.KV, keyCoderId!, accumulatorCoderId);
  const all = coder("all", CoderUrn.ITERABLE, accumulatorCoderId);
  const precombined = collection("precombined", accumulated);
  const grouped = collection("grouped", coder("grouped", CoderUrn.KV, keyCoderId!, all));
  const merged = collection("merged", accumulated);
  for (const replaced of transform.subtransforms) delete components.transforms[replaced];
  transform.subtransforms = [
    step("Precombine", urns.combinePrecombine, input, precombined),
    step("Group", urns.groupByKey, precombined, grouped),
    step("Merge", urns.combineMergeAccumulators, grouped, merged),
    step("Extract", urns.combineExtractOutputs, merged, output),
  ];
}
