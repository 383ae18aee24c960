/**
 * A graph as Dataflow takes it: workers in containers, transforms in the order in which elements pass them, no
 * environment where the service does the work itself. What it cannot run is refused by name before anything is sent.
 */
import { topologicalOrder } from "../../exec/topological_order.js";
import { runnerApi } from "../../model/apache_beam.js";
import { urns } from "../../model/urns.js";
import { withEnvironment } from "../portable/environments.js";

/** The graph has something that Dataflow does not run. */
export class UnsupportedOnDataflowError extends Error {
  override readonly name = "UnsupportedOnDataflowError";
}

/** Done by the service; an environment would have it look for a worker that can. */
const OF_THE_SERVICE: ReadonlySet<string> = new Set([
  urns.impulse,
  urns.groupByKey,
  urns.flatten,
  urns.reshuffle,
]);

/** @throws UnsupportedOnDataflowError */
export function dataflowProto(pipeline: runnerApi.Pipeline, image: string): runnerApi.Pipeline {
  const proto = withEnvironment(pipeline, { kind: "docker", image });
  const components = proto.components!;
  const { transforms } = components;
  const order = topologicalOrder(Object.entries(transforms));
  const places = new Map(order.map((id, place) => [id, place]));
  const inOrder = (ids: string[]): string[] => [...ids].sort((a, b) => places.get(a)! - places.get(b)!);
  components.transforms = Object.fromEntries(order.map((id) => [id, transforms[id]!]));
  proto.rootTransformIds = inOrder(proto.rootTransformIds);
  for (const transform of Object.values(components.transforms)) {
    transform.subtransforms = inOrder(transform.subtransforms);
    const urn = transform.spec?.urn ?? "";
    if (OF_THE_SERVICE.has(urn)) transform.environmentId = "";
    // The package writes a word into it that nobody reads.
    if (urn === urns.impulse) transform.spec!.payload = new Uint8Array();
    refuseUnsupported(transform, isStreaming(proto));
  }
  return proto;
}

/** Whether any of its collections has no end. */
export function isStreaming({ components }: runnerApi.Pipeline): boolean {
  return Object.values(components!.pcollections).some(
    ({ isBounded }) => isBounded === runnerApi.IsBounded_Enum.UNBOUNDED,
  );
}

function refuseUnsupported({ uniqueName, spec, inputs }: runnerApi.PTransform, streaming: boolean): void {
  const refuse = (what: string): never => {
    throw new UnsupportedOnDataflowError(`${uniqueName}: Dataflow does not run ${what}`);
  };
  if (spec?.urn === urns.testStream) refuse("a test stream");
  const collections = Object.values(inputs);
  if (spec?.urn === urns.flatten && new Set(collections).size < collections.length) {
    refuse("a flatten of a collection with itself");
  }
  if (spec?.urn !== urns.parDo) return;
  const { stateSpecs, timerFamilySpecs } = runnerApi.ParDoPayload.fromBinary(spec.payload);
  for (const [cell, { spec: kind }] of Object.entries(stateSpecs)) {
    if (kind.oneofKind === "orderedListSpec") refuse(`ordered-list state (${cell})`);
  }
  for (const [family, { timeDomain }] of Object.entries(timerFamilySpecs)) {
    const isProcessingTime = timeDomain === runnerApi.TimeDomain_Enum.PROCESSING_TIME;
    if (isProcessingTime && !streaming) refuse(`processing-time timers of a bounded pipeline (${family})`);
  }
}
