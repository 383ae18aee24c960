/** `dead-letters`: what could not take part in the join, for a person to read. */

import { connectMongo } from "@order-payment-stream/mongodb";
import type { Collection, Document } from "mongodb";
import { CLIENT_ID } from "../connections.js";
import { print } from "../report/standard_output.js";
import { formatCount } from "../report/summary.js";
import type { SettingsOf } from "../settings/setting.js";
import type { DEAD_LETTER_CHOICES, DEAD_LETTER_SETTINGS } from "./command_options.js";

type DeadLetterSettings = SettingsOf<typeof DEAD_LETTER_SETTINGS>;

/** Characters of a key or a value that are shown. */
const PREVIEW_MAX = 160;

/** Resolves with the exit code. */
export async function deadLetters(
  settings: DeadLetterSettings,
  what: (typeof DEAD_LETTER_CHOICES)[number],
): Promise<number> {
  const client = await connectMongo(settings.mongodb_uri, { appName: CLIENT_ID });
  try {
    const collection = client
      .db(settings.mongodb_database)
      .collection(settings.mongodb_dead_letter_collection);
    await (what === "list" ? list(collection, settings) : count(collection, settings));
  } finally {
    await client.close();
  }
  return 0;
}

/** Newest first, by the time that the record has in Kafka; those without one last. */
async function list(collection: Collection, { reason, limit }: DeadLetterSettings): Promise<void> {
  const found = collection
    .find(reason === undefined ? {} : { reason }, { promoteBuffers: true })
    .sort({ timestamp: -1 })
    .limit(limit);
  let isEmpty = true;
  for await (const document of found) {
    isEmpty = false;
    await print(deadLetterText(document));
  }
  if (isEmpty) await print("no dead letters");
}

async function count(collection: Collection, { reason }: DeadLetterSettings): Promise<void> {
  const groups = await collection
    .aggregate<{ _id: string; count: number }>([
      { $match: reason === undefined ? {} : { reason } },
      { $group: { _id: "$reason", count: { $sum: 1 } } },
    ])
    .toArray();
  const rows = groups.map(({ _id, count }): [string, number] => [_id, count]);
  rows.sort(([, a], [, b]) => b - a);
  rows.push(["total", rows.reduce((sum, [, n]) => sum + n, 0)]);
  await print(rows.map(([name, n]) => `${name.padEnd(18)}${formatCount(n).padStart(12)}`).join("\n"));
}

/** A dead letter from its collection, in a few lines. */
export function deadLetterText(letter: Document): string {
  const { reason, message, field, timestamp } = letter;
  const when = timestamp instanceof Date ? timestamp.toISOString() : "no time";
  const where = placeOf(letter);
  const lines = [
    `${reason}  ${when}  ${where}`,
    `  ${field === undefined ? "" : `${field}: `}${oneLine(String(message))}`,
  ];
  if (letter.key != null) lines.push(`  key    ${preview(letter.key)}`);
  if (letter.value != null) lines.push(`  value  ${preview(letter.value)}`);
  if (letter.first !== undefined) lines.push(`  first  ${cut(JSON.stringify(letter.first))}`);
  if (letter.event !== undefined) lines.push(`  this   ${cut(JSON.stringify(letter.event))}`);
  if (letter.document !== undefined) lines.push(`  document  ${cut(JSON.stringify(letter.document))}`);
  return lines.join("\n");
}

function placeOf({ topic, partition, offset, file, record, collection, code }: Document): string {
  if (file !== undefined) {
    return record === undefined ? `${file}, byte ${offset}` : `${file}, block at ${offset}, record ${record}`;
  }
  if (topic !== undefined) return `${topic}, partition ${partition}, offset ${offset}`;
  return `collection ${collection}${code == null ? "" : `, code ${code}`}`;
}

/** Text as it is; other bytes in hexadecimal. */
function preview(value: unknown): string {
  if (!(value instanceof Uint8Array)) return cut(oneLine(String(value)));
  if (value.length === 0) return "(empty)";
  const text = textOf(value);
  if (text !== undefined) return cut(oneLine(text));
  return `0x${cut(Buffer.from(value.subarray(0, PREVIEW_MAX)).toString("hex"))} (${value.length} bytes)`;
}

/** Undefined for what is no UTF-8, or has control characters that would upset a terminal. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return /[^\P{C}\s]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").replace(/\p{C}/gu, "\u{fffd}");
}

function cut(text: string): string {
  return text.length > PREVIEW_MAX ? `${text.slice(0, PREVIEW_MAX)}…` : text;
}
