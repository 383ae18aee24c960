/**
 * Ceiling of the way to MongoDB: about as many documents of the same shapes as the pipeline writes, by plain insertMany
 * with several under way.
 */
import { type Collection, type Document, MongoClient } from "mongodb";
import { joinedDocument, unmatchedDocument } from "../../transforms/documents.js";
import { runSubject } from "../subject.js";
import { COLLECTIONS } from "./pipeline.js";

const DOCUMENTS_PER_INSERT = 999;
const INSERTS_IN_FLIGHT = 4;
const START_MS = Date.parse("2026-01-01T00:00:00Z");

await runSubject(async ({ mongodbUri, database, expected, timeoutMs }) => {
  const client = await MongoClient.connect(mongodbUri);
  const joined = client.db(database).collection<Document>(COLLECTIONS.joined);
  const unmatched = client.db(database).collection<Document>(COLLECTIONS.unmatched);
  const pairs = expected.payments;
  const unpaid = Math.max(0, expected.orders - expected.payments);
  const startMs = performance.now();
  await insert(joined, pairs, (number) => joinedDocument(order(number), payment(number)));
  await insert(unmatched, unpaid, (number) =>
    unmatchedDocument("order", order(number), "UNPAID", START_MS + number + timeoutMs),
  );
  const seconds = (performance.now() - startMs) / 1000;
  await client.close();
  return { events: pairs + unpaid, seconds };
});

async function insert(
  collection: Collection<Document>,
  count: number,
  document: (number: number) => object,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const documents: object[] = [];
      while (documents.length < DOCUMENTS_PER_INSERT && next < count) documents.push(document(next++));
      await collection.insertMany(documents, { ordered: false });
    }
  };
  await Promise.all(Array.from({ length: INSERTS_IN_FLIGHT }, worker));
}

function order(number: number) {
  const created_at = START_MS + number;
  const customer_id = `customer-${number % 10_000}`;
  return {
    order_id: `o-00000001-${number}`,
    order_date: created_at,
    created_at,
    customer_id,
    amount: number,
  };
}

function payment(number: number) {
  const created_at = START_MS + number;
  const order_id = `o-00000001-${number}`;
  return {
    payment_id: `p-00000001-${number}-0`,
    order_id,
    payment_date: created_at,
    created_at,
    amount: number,
  };
}
