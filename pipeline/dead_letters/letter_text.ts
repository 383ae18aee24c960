/** A dead letter from its collection, for people at a terminal: in a few lines, or whole. */
import type { Document } from "mongodb";
import { type BytesView, type LetterDocument, letterView, type Topics, textOf } from "./letters.js";

/** Characters of a key or a value that are shown. */
const PREVIEW_MAX = 160;

/** In a few lines. */
export function deadLetterText(letter: Document): string {
  const lines = [headOf(letter), `  ${fieldOf(letter)}${oneLine(String(letter.message))}`];
  if (letter.key != null) lines.push(`  key    ${preview(letter.key)}`);
  if (letter.value != null) lines.push(`  value  ${preview(letter.value)}`);
  if (letter.first !== undefined) lines.push(`  first  ${cut(JSON.stringify(letter.first))}`);
  if (letter.event !== undefined) lines.push(`  this   ${cut(JSON.stringify(letter.event))}`);
  if (letter.document !== undefined) lines.push(`  document  ${cut(JSON.stringify(letter.document))}`);
  if (letter.replay !== undefined) lines.push(`  replayed  ${replayText(letter.replay)}`);
  return lines.join("\n");
}

/** With all its bytes. */
export function wholeLetterText(letter: LetterDocument, topics: Topics): string {
  const { decoded, key, value, beside, replay } = letterView(letter, topics);
  const lines = [headOf(letter), `  _id      ${letter._id}`, `  ${fieldOf(letter)}${letter.message}`];
  if (decoded !== null) {
    lines.push(`  decoded  ${typeof decoded === "string" ? oneLine(decoded) : JSON.stringify(decoded)}`);
  }
  if (key !== null) lines.push("", `  key, ${key.length} bytes`, bytesText(key));
  if (value !== null) lines.push("", `  value, ${value.length} bytes`, bytesText(value));
  if (beside !== null) lines.push("", "  beside it", `    ${JSON.stringify(beside)}`);
  if (replay !== null) lines.push("", `  replayed ${replayText(replay)}`);
  return lines.join("\n");
}

function headOf(letter: Document): string {
  const { reason, timestamp } = letter;
  const when = timestamp instanceof Date ? timestamp.toISOString() : "no time";
  return `${reason}  ${when}  ${placeOf(letter)}`;
}

function placeOf({ topic, partition, offset, file, record, collection, code }: Document): string {
  if (topic !== undefined) return `${topic}, partition ${partition}, offset ${offset}`;
  if (file !== undefined)
    return `${file}, offset ${offset}${record === undefined ? "" : `, record ${record}`}`;
  return `collection ${collection}${code == null ? "" : `, code ${code}`}`;
}

function fieldOf({ field }: Document): string {
  return field === undefined ? "" : `${field}: `;
}

function replayText({ state, count, at, topic, partition, offset }: Document): string {
  const when = at instanceof Date ? at.toISOString() : String(at);
  if (state !== "done") return `begun ${when}, to ${topic}`;
  return `${count === 1 ? "once" : `${count} times`}, last ${when}, to ${topic}[${partition}], offset ${offset}`;
}

function bytesText({ text, hex, length }: BytesView): string {
  const lines = text === null ? [] : text.split("\n").map((line) => `    ${line}`);
  for (let at = 0; at < hex.length; at += 32) {
    const pairs = hex.slice(at, at + 32).match(/../g) ?? [];
    const readable = pairs.map((pair) => {
      const code = Number.parseInt(pair, 16);
      return code >= 32 && code < 127 ? String.fromCharCode(code) : ".";
    });
    lines.push(
      `    ${(at / 2).toString(16).padStart(6, "0")}  ${pairs.join(" ").padEnd(47)}  ${readable.join("")}`,
    );
  }
  if (hex.length / 2 < length) lines.push(`    … ${length - hex.length / 2} bytes more: export has them`);
  return lines.join("\n");
}

/** Text as it is; other bytes in hexadecimal. */
function preview(value: unknown): string {
  if (!(value instanceof Uint8Array)) return cut(oneLine(String(value)));
  if (value.length === 0) return "(empty)";
  const text = textOf(value);
  if (text !== undefined) return cut(oneLine(text));
  return `0x${cut(Buffer.from(value.subarray(0, PREVIEW_MAX)).toString("hex"))} (${value.length} bytes)`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").replace(/\p{C}/gu, "\u{fffd}");
}

function cut(text: string): string {
  return text.length > PREVIEW_MAX ? `${text.slice(0, PREVIEW_MAX)}…` : text;
}
