/** The event schemas as files carry them: as they were written, with their documentation and logical types. */
import { readFileSync } from "node:fs";
import type { EventKind } from "./events.js";

const texts = new Map<EventKind, string>();

/** JSON. */
export function eventSchema(kind: EventKind): string {
  let text = texts.get(kind);
  if (text === undefined) {
    text = JSON.stringify(JSON.parse(readFileSync(new URL(`${kind}.avsc`, import.meta.url), "utf8")));
    texts.set(kind, text);
  }
  return text;
}
