/** `joined` and `unmatched`: what the join has written, for people and for other programs. */
import { connectMongo } from "@order-payment-stream/mongodb";
import type { Document, Filter } from "mongodb";
import { CLIENT_ID } from "../connections.js";
import { print } from "../report/standard_output.js";
import { formatCount } from "../report/summary.js";
import type { SettingsOf } from "../settings/setting.js";
import type { JOINED_SETTINGS, LIST_CHOICES, UNMATCHED_SETTINGS } from "./command_options.js";

type Choice = (typeof LIST_CHOICES)[number];

const LISTED = 20;

/** Resolves with the exit code. */
export function joined(settings: SettingsOf<typeof JOINED_SETTINGS>, what: Choice): Promise<number> {
  return listDocuments(settings, settings.mongodb_collection, {}, what, pairText);
}

/** Resolves with the exit code. */
export function unmatched(settings: SettingsOf<typeof UNMATCHED_SETTINGS>, what: Choice): Promise<number> {
  const { reason } = settings;
  const filter = reason === undefined ? {} : { reason };
  return listDocuments(settings, settings.mongodb_unmatched_collection, filter, what, unmatchedText);
}

/** Newest first, by created_at. */
async function listDocuments(
  settings: SettingsOf<typeof JOINED_SETTINGS>,
  collection: string,
  more: Filter<Document>,
  what: Choice,
  textOf: (document: Document) => string,
): Promise<number> {
  const { since, until, order_id, limit = LISTED, json } = settings;
  const time = {
    ...(since !== undefined && { $gte: new Date(since) }),
    ...(until !== undefined && { $lt: new Date(until) }),
  };
  const filter = {
    ...more,
    ...(order_id !== undefined && { order_id }),
    ...(Object.keys(time).length > 0 && { created_at: time }),
  };
  const client = await connectMongo(settings.mongodb_uri, { appName: CLIENT_ID });
  try {
    const documents = client.db(settings.mongodb_database).collection(collection);
    if (what === "count") {
      const count = await documents.countDocuments(filter);
      await print(json ? JSON.stringify({ count }) : formatCount(count));
      return 0;
    }
    let isEmpty = true;
    for await (const document of documents.find(filter).sort({ created_at: -1 }).limit(limit)) {
      isEmpty = false;
      await print(json ? JSON.stringify(document) : textOf(document));
    }
    if (isEmpty && !json) await print("none");
  } finally {
    await client.close();
  }
  return 0;
}

function pairText(pair: Document): string {
  const { order_id, created_at, customer_id, order_amount, payment_id, payment_date, payment_amount } = pair;
  return `${iso(created_at)}  order ${order_id} (${customer_id}, ${order_amount})  payment ${payment_id} (${payment_amount}, dated ${iso(payment_date)})`;
}

function unmatchedText(event: Document): string {
  const { kind, reason, order_id, payment_id, created_at, amount, expires_at } = event;
  const which = kind === "order" ? `order ${order_id}` : `payment ${payment_id} for order ${order_id}`;
  return `${iso(created_at)}  ${reason}  ${which} (${amount})  waited until ${iso(expires_at)}`;
}

const iso = (date: unknown): string => (date instanceof Date ? date.toISOString() : String(date));
