import assert from "node:assert/strict";
import fc from "fast-check";
import {
  encodeOrderAvro,
  encodeOrderJson,
  encodePaymentAvro,
  encodePaymentJson,
} from "../../../schemas/encode.js";
import type { Order, Payment } from "../../../schemas/events.js";
import { type InputRecord, oracle } from "../../oracle/oracle.js";
import { JoinStream, order, payment, total } from "./join_stream.js";

/** T and D of these tests. */
const TIMEOUT_MS = 1_000;
const DISORDER_MS = 100;
const PARTITIONS = 3;

type Topic = InputRecord["topic"];

/** An event, or something that is none, before it has a place in a log. */
interface Draft {
  readonly topic: Topic;
  /** Decides the partition, as a Kafka key does. */
  readonly id: string;
  /** Where it stands in its log: by this time. */
  readonly writtenAt: number;
  readonly event: Order | Payment | undefined;
  readonly value: Buffer | null;
}

// Times whose differences hit the bounds of T, to the millisecond, again and again.
const times = fc
  .tuple(fc.nat(6), fc.constantFrom(-1, 0, 1, 2, 50))
  .map(([halves, off]) => 1_700_000_000_000 + (halves * TIMEOUT_MS) / 2 + off);
const jitter = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.nat(DISORDER_MS) },
  // Read so late that its time is over, if its partition has come that far.
  { weight: 1, arbitrary: fc.integer({ min: TIMEOUT_MS + 2 * DISORDER_MS, max: 3 * TIMEOUT_MS }) },
);
const ids = fc.constantFrom("a", "b", "c");

const orderDraft: fc.Arbitrary<Draft> = fc
  .record({ id: ids, created_at: times, jitter, amount: fc.constantFrom(1, 1, 1, 2), isJson: fc.boolean() })
  .map(({ id, created_at, jitter, amount, isJson }) => {
    const event = order({ order_id: id, created_at, order_date: 5, amount });
    const value = isJson ? encodeOrderJson(event) : encodeOrderAvro(event);
    return { topic: "orders", id, writtenAt: created_at + jitter, event, value };
  });
const paymentDraft: fc.Arbitrary<Draft> = fc
  .record({
    id: ids,
    payment_id: fc.constantFrom("p", "p", "q"),
    created_at: times,
    jitter,
    amount: fc.constantFrom(1, 1, 1, 2),
    isJson: fc.boolean(),
  })
  .map(({ id, payment_id, created_at, jitter, amount, isJson }) => {
    const event = payment({ order_id: id, payment_id, created_at, payment_date: 5, amount });
    const value = isJson ? encodePaymentJson(event) : encodePaymentAvro(event);
    return { topic: "payments", id, writtenAt: created_at + jitter, event, value };
  });
const malformedDraft: fc.Arbitrary<Draft> = fc.record({
  topic: fc.constantFrom<Topic>("orders", "payments"),
  id: ids,
  writtenAt: times,
  event: fc.constant(undefined),
  value: fc.constantFrom(null, Buffer.from("garbage"), Buffer.from('{"order_id": "a"}')),
});
const draft = fc.oneof(
  { weight: 8, arbitrary: orderDraft },
  { weight: 10, arbitrary: paymentDraft },
  { weight: 1, arbitrary: malformedDraft },
);

/**
 * The logs, partition by partition, without the events that are read more than D behind a newer one and yet in time:
 * for those the semantics promise no particular outcome.
 */
function layOut(drafts: readonly Draft[]): Map<string, InputRecord[]> {
  const logs = new Map<string, InputRecord[]>();
  const newest = new Map<string, number>();
  const inOrder = drafts
    .map((one, i) => ({ ...one, i }))
    .sort((x, y) => x.writtenAt - y.writtenAt || x.i - y.i);
  for (const { topic, id, event, value, writtenAt } of inOrder) {
    const partition = (id.charCodeAt(0) + (topic === "orders" ? 0 : 1)) % PARTITIONS;
    const place = `${topic}/${partition}`;
    if (event !== undefined) {
      const watermark = (newest.get(place) ?? Number.NEGATIVE_INFINITY) - DISORDER_MS;
      if (watermark > event.created_at && watermark <= event.created_at + TIMEOUT_MS) continue;
      newest.set(place, Math.max(newest.get(place) ?? Number.NEGATIVE_INFINITY, event.created_at));
    }
    const log = logs.get(place) ?? [];
    log.push({ topic, partition, offset: log.length, timestampMs: writtenAt, key: Buffer.from(id), value });
    logs.set(place, log);
  }
  return logs;
}

/** Which partition is read next, and whether the source's bundle ends behind it. */
const choices = fc.array(fc.tuple(fc.nat(1_000), fc.boolean()), { minLength: 80, maxLength: 80 });

function play(
  logs: ReadonlyMap<string, readonly InputRecord[]>,
  choices: readonly (readonly [number, boolean])[],
): JoinStream {
  const stream = new JoinStream(TIMEOUT_MS, DISORDER_MS);
  const open = [...logs.values()].map((log) => ({ log, next: 0 }));
  for (const { log } of open) stream.open(log[0]!.topic, log[0]!.partition);
  for (let step = 0; open.length > 0; step++) {
    const [pick, endsBundle] = choices[step % choices.length]!;
    const at = pick % open.length;
    const partition = open[at]!;
    const record = partition.log[partition.next++]!;
    stream.read(record);
    if (partition.next === partition.log.length) {
      stream.close(record.topic, record.partition);
      open.splice(at, 1);
    }
    if (endsBundle) stream.flush();
  }
  return stream;
}

describe("the join, whatever the order of arrival", () => {
  const reasons = new Map<string, number>();

  async function assertOracles(
    drafts: readonly Draft[],
    choices: readonly (readonly [number, boolean])[],
    bundleSizeMax: number,
    keyShards: number,
  ): Promise<void> {
    const logs = layOut(drafts);
    const expected = oracle([...logs.values()].flat(), {
      timeoutMs: TIMEOUT_MS,
      outOfOrdernessMs: DISORDER_MS,
    });
    assert.equal(expected.beyondBound, 0);
    const outcome = await play(logs, choices).run({ bundleSizeMax }, undefined, keyShards);
    assert.deepEqual(outcome.deadLetters, new Map(expected.deadLetters));
    assert.deepEqual(outcome.joined, expected.joined);
    assert.deepEqual(outcome.unmatched, expected.unmatched);
    for (const [place, { conflict }] of expected.evidence) {
      assert.deepEqual(outcome.conflicts.get(place), conflict);
    }
    const { orders, payments } = outcome.books;
    assert.equal(orders.duplicates + payments.duplicates, expected.duplicates);
    for (const kind of ["orders", "payments"] as const) {
      const side = outcome.books[kind];
      const books = expected.books[kind];
      assert.equal(side.paired, books.paired);
      assert.equal(side.unmatched, books.unmatched);
      assert.equal(side.waiting, 0);
      const rejected = books.deadLetters - side.conflicts;
      assert.equal(total(side), books.read - rejected);
    }
    assert.deepEqual(outcome.leftovers, []);
    for (const reason of expected.deadLetters.values()) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    if (expected.duplicates > 0) reasons.set("duplicate", 1);
    if (expected.joined.size > 0) reasons.set("joined", 1);
    if (expected.unmatched.size > 0) reasons.set("unmatched", 1);
  }

  const assertForAny = (keyShards: fc.Arbitrary<number>): Promise<void> =>
    fc.assert(
      fc.asyncProperty(
        fc.array(draft, { minLength: 1, maxLength: 40, size: "max" }),
        choices,
        fc.constantFrom(1, 3, 4_096),
        keyShards,
        assertOracles,
      ),
      { numRuns: 200 },
    );

  it("gives the oracle's result for any events in any interleaving", async function () {
    this.timeout(60_000);
    await assertForAny(fc.constant(0));
    // A test of nothing would pass as well.
    for (const reason of [
      "LATE",
      "CONFLICT",
      "UNDECODABLE",
      "INVALID",
      "NULL_VALUE",
      "duplicate",
      "joined",
      "unmatched",
    ]) {
      assert.ok(reasons.has(reason), `${reason} never occurred`);
    }
  });

  it("gives the oracle's result with its keys in shards", async function () {
    this.timeout(60_000);
    await assertForAny(fc.constantFrom(1, 2));
  });

  it("gives the oracle's result for very many events of one order_id", async function () {
    this.timeout(60_000);
    const hot = (draft: Draft, i: number): Draft => {
      if (draft.event === undefined || draft.topic === "orders") return { ...draft, id: "a" };
      // Most are other payments, some repeat or contradict one.
      const event = { ...(draft.event as Payment), payment_id: `p${i % 70}` };
      return { ...draft, id: "a", event, value: encodePaymentAvro(event) };
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          draft.filter(({ id }) => id === "a"),
          { minLength: 100, maxLength: 160, size: "max" },
        ),
        choices,
        fc.constantFrom(3, 4_096),
        fc.constantFrom(0, 2),
        (drafts, choices, bundleSizeMax, keyShards) =>
          assertOracles(drafts.map(hot), choices, bundleSizeMax, keyShards),
      ),
      { numRuns: 25 },
    );
  });
});
