/** Further writers of single-object values: readers of their bodies, by the fingerprints of their schemas. */
import type { EventDecoder } from "./event_bodies.js";
import type { EventKind, EventOfKind } from "./events.js";
import { resolveSchema } from "./resolve_schema.js";
import { writerFingerprint, writerType } from "./writer_schema.js";

/**
 * Of those that can be read as such an event.
 * @param schemas JSON
 * @throws Error for a text that is no schema
 */
export function otherBodies<K extends EventKind>(
  kind: K,
  schemas: readonly string[],
): ReadonlyMap<bigint, EventDecoder<EventOfKind[K]>> {
  const bodies = new Map<bigint, EventDecoder<EventOfKind[K]>>();
  for (const schema of schemas) {
    const type = writerType({ schema, references: [] });
    const body = resolveSchema(kind, type);
    if (typeof body !== "string") bodies.set(writerFingerprint(type), body);
  }
  return bodies;
}

/** Why a schema is of no use: it is none, or neither event can be read from its values. Undefined: it is. */
export function whyNoWriterSchema(schema: string): string | undefined {
  try {
    const type = writerType({ schema, references: [] });
    const [order, payment] = [resolveSchema("order", type), resolveSchema("payment", type)];
    if (typeof order !== "string" || typeof payment !== "string") return undefined;
    return `its values are no orders (${order}) and no payments (${payment})`;
  } catch (error) {
    return (error as Error).message;
  }
}
