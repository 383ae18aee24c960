/** Transforms in the order in which elements pass them. */
import type { runnerApi } from "../model/apache_beam.js";

/** Ids of these transforms, producers before consumers, otherwise in the order given. */
export function topologicalOrder(transforms: readonly (readonly [string, runnerApi.PTransform])[]): string[] {
  const byId = new Map(transforms);
  const producers = new Map<string, string>();
  for (const [id, { outputs }] of transforms) {
    for (const pcollection of Object.values(outputs)) producers.set(pcollection, id);
  }
  const order: string[] = [];
  const seen = new Set<string>();
  const visit = (id: string): void => {
    if (seen.has(id)) return;
    seen.add(id);
    for (const pcollection of Object.values(byId.get(id)!.inputs)) {
      const producer = producers.get(pcollection);
      if (producer !== undefined) visit(producer);
    }
    order.push(id);
  };
  for (const [id] of transforms) visit(id);
  return order;
}
