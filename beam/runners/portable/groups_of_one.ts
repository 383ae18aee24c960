/**
 * A group whose panes hold one element each brings nothing together: all that it does for the stateful steps behind it
 * is to have the elements of a key come to one place, and that a runner does for each stateful step anyhow. On Flink
 * such a group keeps a pane, a buffer, a hold, a count and a timer at the end of time for each key, and takes as much
 * as the step itself. So it becomes a step that makes a pane of each element, in the stage in front of it.
 *
 * Only where nobody can tell: the group says that its panes are not looked at (PANES_UNSEEN), it is in the global
 * window, in which nothing is late, and all that reads it is stateful steps.
 */
import { runnerApi } from "../../model/apache_beam.js";
import { triggerFromProto } from "../../model/triggers.js";
import { urns } from "../../model/urns.js";
import { PANE_OF_ONE_URN, PANES_UNSEEN, PaneOfOneCoder } from "../../sdk/co_group_by_key.js";
import { hasStateOrTimers } from "../../sdk/state_proto.js";

/** Changes the pipeline that it is given. */
export function withoutGroupsOfOne(pipeline: runnerApi.Pipeline): runnerApi.Pipeline {
  const { transforms } = pipeline.components!;
  for (const group of Object.values(transforms)) {
    if (group.spec?.urn !== urns.groupByKey || !(PANES_UNSEEN in group.annotations)) continue;
    if (!isOfOne(group, pipeline.components!)) continue;
    const [output] = Object.values(group.outputs);
    const readers = Object.values(transforms).filter((each) => isPrimitiveReader(each, output!));
    if (readers.length === 0 || !readers.every(isStateful)) continue;
    const payload = runnerApi.ParDoPayload.create({
      doFn: { urn: PANE_OF_ONE_URN, payload: Buffer.from("null") },
    });
    group.spec = { urn: urns.parDo, payload: runnerApi.ParDoPayload.toBinary(payload) };
    group.environmentId = readers[0]!.environmentId;
    encodeAsValues(output!, pipeline.components!);
  }
  return pipeline;
}

/** Has the panes of a collection lie on the wire as the one value that each holds. */
function encodeAsValues(collection: string, { pcollections, coders }: runnerApi.Components): void {
  const panes = pcollections[collection]!;
  const keyed = coders[panes.coderId]!;
  const [key, values] = keyed.componentCoderIds as [string, string];
  const { componentCoderIds } = coders[values]!;
  const id = `${collection}/pane_of_one`;
  coders[id] = { spec: { urn: PaneOfOneCoder.URN, payload: new Uint8Array() }, componentCoderIds };
  coders[`${id}/keyed`] = { ...keyed, componentCoderIds: [key, id] };
  panes.coderId = `${id}/keyed`;
}

/** Whether each of its panes holds one element, at the element's own time. */
function isOfOne(group: runnerApi.PTransform, components: runnerApi.Components): boolean {
  const [input] = Object.values(group.inputs);
  const strategy = components.windowingStrategies[components.pcollections[input!]!.windowingStrategyId]!;
  const trigger = triggerFromProto(strategy.trigger);
  return (
    strategy.windowFn?.urn === urns.globalWindows &&
    strategy.accumulationMode === runnerApi.AccumulationMode_Enum.DISCARDING &&
    strategy.outputTime !== runnerApi.OutputTime_Enum.END_OF_WINDOW &&
    trigger.kind === "repeated-count" &&
    trigger.count === 1
  );
}

const isPrimitiveReader = (transform: runnerApi.PTransform, collection: string): boolean =>
  transform.subtransforms.length === 0 && Object.values(transform.inputs).includes(collection);

function isStateful({ spec }: runnerApi.PTransform): boolean {
  if (spec?.urn !== urns.parDo) return false;
  return hasStateOrTimers(runnerApi.ParDoPayload.fromBinary(spec.payload));
}
