/** What events are written in. */
import type { EventKind } from "../schemas/events.js";

export const VALUE_FORMATS = ["confluent", "single-object", "json"] as const;

/** For Confluent's frame, the ids that a registry has given our two schemas. */
export type ValueFormat =
  | { readonly name: "single-object" | "json" }
  | { readonly name: "confluent"; readonly schemaIds: Readonly<Record<EventKind, number>> };
