/**
 * A dead letter can always be stored: of bytes and texts beyond 1 MiB the beginning is kept, with the length and the
 * SHA-256 of the whole. The Kafka position in the dead letter says where the whole is.
 *
 * What is cut stays as it is when it is cut again, so whoever is about to send or store a dead letter may cut it.
 */
import { createHash } from "node:crypto";
import type { Order, Payment } from "../schemas/events.js";
import type { Conflict, Cut, Cuts, DeadLetter, StoredDocument } from "./dead_letter.js";

/** Kept of bytes, and of a text in UTF-8. A dead letter has at most ten parts of this size: 16 MiB hold it. */
export const KEPT_BYTES_MAX = 1024 * 1024;

/** The dead letter itself where nothing is too large. Bytes are not copied. */
export function cutDeadLetter<L extends DeadLetter>(letter: L): L {
  const cutter = new Cutter();
  const message = cutter.text("message", letter.message);
  if (letter.reason === "SINK_REJECTED") {
    const { document } = letter;
    const cut = typeof document === "string" ? cutter.text("document", document) : cutter.document(document);
    return cutter.hasCut ? { ...letter, message, document: cut, cuts: cutter.onTopOf(letter.cuts) } : letter;
  }
  const key = cutter.bytes("key", letter.key);
  const value = cutter.bytes("value", letter.value);
  const conflict = letter.conflict === undefined ? undefined : cutter.conflict(letter.conflict);
  if (!cutter.hasCut) return letter;
  const cuts = cutter.onTopOf(letter.cuts);
  return { ...letter, message, key, value, ...(conflict === undefined ? {} : { conflict }), cuts };
}

/** What is kept of each text of a document that is stored as text itself: all fields are to be seen. */
const TEXT_IN_TEXT_MAX = 64 * 1024;
/** What is kept of each part of a dead letter that its collection refused as it was. */
const LEAST_BYTES_MAX = 1024;

/** A document that is to be stored as text, with its own large texts cut. */
export function shortDocument(document: StoredDocument): StoredDocument {
  return shortened(document, TEXT_IN_TEXT_MAX) as StoredDocument;
}

/**
 * A dead letter's document reduced to what every server takes: flat, and each part no longer than a KiB.
 * @param why it cannot be stored as it is
 */
export function leastDocument(
  fields: Readonly<Record<string, unknown>>,
  _id: string,
  why: string,
): StoredDocument {
  const isFlat = (value: unknown): boolean =>
    value === null || typeof value !== "object" || value instanceof Date || value instanceof Uint8Array;
  const flat = Object.fromEntries(Object.entries(fields).filter(([, value]) => isFlat(value)));
  return { ...shortened({ ...flat, reduced: why }, LEAST_BYTES_MAX), _id };
}

/** Texts and bytes cut, with what they were beside them, unless that is known already. */
function shortened(fields: Readonly<Record<string, unknown>>, keptMax: number): Record<string, unknown> {
  const cutter = new Cutter(keptMax);
  const short: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "string") short[name] = cutter.text(name, value);
    else if (value instanceof Uint8Array) short[name] = cutter.bytes(name, Buffer.from(value));
    else short[name] = value;
  }
  for (const [name, { length, sha256 }] of Object.entries(cutter.onTopOf(undefined))) {
    short[`${name}_truncated`] = true;
    short[`${name}_length`] ??= length;
    short[`${name}_sha256`] ??= sha256;
  }
  return short;
}

class Cutter {
  readonly #cuts: Record<string, Cut> = {};
  hasCut = false;

  constructor(private readonly keptMax = KEPT_BYTES_MAX) {}

  /** What was cut before stays known by the length that it had then. */
  onTopOf(earlier: Cuts | undefined): Cuts {
    return { ...this.#cuts, ...earlier };
  }

  bytes(name: string, bytes: Buffer | null): Buffer | null {
    if (bytes === null || bytes.length <= this.keptMax) return bytes;
    this.#note(name, bytes);
    return bytes.subarray(0, this.keptMax);
  }

  text(name: string, text: string): string {
    if (text.length * 3 <= this.keptMax) return text;
    const bytes = Buffer.from(text);
    if (bytes.length <= this.keptMax) return text;
    this.#note(name, bytes);
    // Not inside of a character: what goes on with one begins with the bits 10.
    let end = this.keptMax;
    while ((bytes[end]! & 0xc0) === 0x80) end--;
    return bytes.toString("utf8", 0, end);
  }

  conflict(conflict: Conflict): Conflict {
    const first = this.#texts("first", conflict.first);
    const event = this.#texts("event", conflict.event);
    return { kind: conflict.kind, first, event } as Conflict;
  }

  document(document: StoredDocument): StoredDocument {
    return this.#texts("document", document);
  }

  #texts<T extends Order | Payment | StoredDocument>(name: string, fields: T): T {
    let cut: Record<string, unknown> | undefined;
    for (const field of Object.keys(fields)) {
      const value = (fields as Record<string, unknown>)[field];
      if (typeof value !== "string") continue;
      const kept = this.text(`${name}.${field}`, value);
      if (kept === value) continue;
      cut ??= { ...fields };
      cut[field] = kept;
    }
    return (cut as T | undefined) ?? fields;
  }

  #note(name: string, whole: Buffer): void {
    this.hasCut = true;
    this.#cuts[name] = { length: whole.length, sha256: createHash("sha256").update(whole).digest("hex") };
  }
}
