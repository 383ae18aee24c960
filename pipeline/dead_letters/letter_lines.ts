/**
 * Dead letters as lines of JSON, so that somebody can mend and send them again: bytes that are text stand as `text`, and
 * others as `base64`. What is read back counts as it stands there, whatever else the line says.
 */
import { readFileSync } from "node:fs";
import { bytesOf, type LetterDocument, textOf } from "./letters.js";
import type { Edits } from "./replay.js";

type BytesLine = { readonly text: string } | { readonly base64: string } | null;

export function letterLine(letter: LetterDocument): string {
  const { _id, reason, message, topic, partition, offset, timestamp } = letter;
  return JSON.stringify({
    id: _id,
    reason,
    message,
    topic,
    partition,
    offset: offset == null ? undefined : String(offset),
    timestamp: timestamp instanceof Date ? timestamp.toISOString() : undefined,
    key: bytesLine(bytesOf(letter.key)),
    value: bytesLine(bytesOf(letter.value)),
    ...(letter.value_truncated === true && { value_truncated: true }),
    ...(letter.key_truncated === true && { key_truncated: true }),
  });
}

function bytesLine(bytes: Buffer | null): BytesLine {
  if (bytes === null) return null;
  const text = textOf(bytes);
  return text === undefined ? { base64: bytes.toString("base64") } : { text };
}

/** @throws Error that names the line */
export function readLetterLines(path: string): Edits {
  const edits = new Map<string, { key: Buffer | null; value: Buffer | null }>();
  const lines = readFileSync(path, "utf8").split("\n");
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "") continue;
    try {
      const { id, key, value } = JSON.parse(line);
      if (typeof id !== "string") throw new Error("it has no id");
      edits.set(id, { key: bytesFrom("key", key), value: bytesFrom("value", value) });
    } catch (error) {
      throw new Error(`${path}, line ${index + 1}: ${(error as Error).message}`);
    }
  }
  return edits;
}

function bytesFrom(name: string, line: unknown): Buffer | null {
  if (line === null) return null;
  const { text, base64 } = (line ?? {}) as { readonly text?: unknown; readonly base64?: unknown };
  if (typeof text === "string") return Buffer.from(text);
  if (typeof base64 === "string") return Buffer.from(base64, "base64");
  throw new Error(`${name} is neither null nor an object with text or base64`);
}
