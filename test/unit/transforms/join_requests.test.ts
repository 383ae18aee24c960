/** What the join asks of a runner that keeps its state: each request costs runner and worker more than the join itself. */
import assert from "node:assert/strict";
import type { Coder } from "../../../beam/model/coders/coder.js";
import { KVCoder } from "../../../beam/model/coders/kv_coder.js";
import { StringUtf8Coder } from "../../../beam/model/coders/string_utf8_coder.js";
import { create } from "../../../beam/sdk/create.js";
import { type Collection, coderOf, createPipeline, parDo } from "../../../beam/sdk/graph.js";
import type { Order, Payment } from "../../../schemas/events.js";
import { coGroupByOrderId } from "../../../transforms/co_group.js";
import { type Arrival, JoinOrdersPayments } from "../../../transforms/join.js";
import { unmatchedCoder } from "../../../transforms/outcomes.js";
import {
  ReceivedEvent,
  receivedOrderCoder,
  receivedPaymentCoder,
} from "../../../transforms/received_event.js";
import {
  decodeElements,
  decodeTimers,
  encodeElements,
  encodeTimers,
  WorkerUnderTest,
} from "../beam/harness/worker_under_test.js";
import { order, payment } from "./join_stream.js";

const T = 1_000;
const FROM = { topic: "t", partition: 0, log: "" };

function received<E extends Order | Payment>(event: E): ReceivedEvent<E> {
  return new ReceivedEvent(event, 0, FROM, 0, 0, Buffer.alloc(0), -1, -1, -1, -1);
}

describe("the join, on a runner that keeps its state", () => {
  let test: WorkerUnderTest;
  let groupedCoder: Coder<any>;

  beforeEach(async () => {
    test = await WorkerUnderTest.start();
    const { pipeline, root } = createPipeline();
    const key = StringUtf8Coder.INSTANCE;
    const grouped = coGroupByOrderId(
      create("Orders", root, [], new KVCoder(key, receivedOrderCoder) as Coder<any>) as Collection<any>,
      create("Payments", root, [], new KVCoder(key, receivedPaymentCoder) as Coder<any>) as Collection<any>,
    );
    parDo("Join", grouped, new JoinOrdersPayments({ timeoutMs: T }));
    groupedCoder = coderOf(grouped);
    test.describe(pipeline, ["Join"]);
  });
  afterEach(() => test.close());

  /** Runs a bundle; returns the kinds of requests that it sent, with their number. */
  async function bundle(
    token: string | undefined,
    arrivals: readonly Arrival[],
    timers: Readonly<Partial<Record<"orders" | "payments", readonly [string, number, string?]>>> = {},
  ): Promise<{ requests: string; id: string }> {
    const before = test.runner.stateRequests.length;
    const id = await test.runner.startBundle("d", undefined, token);
    const elements = arrivals.map(
      (arrival) => [{ key: "o", value: [arrival] }, arrival.value.event.created_at] as const,
    );
    await test.runner.sendData(id, encodeElements(groupedCoder, ...elements));
    for (const family of ["orders", "payments"] as const) {
      const timer = timers[family];
      await test.runner.sendTimers(id, family, encodeTimers(...(timer === undefined ? [] : [timer])));
    }
    assert.equal((await test.runner.answer(id)).error, "");
    const kinds = test.runner.stateRequests.slice(before).map(({ request }) => request.oneofKind);
    return { requests: kinds.join(" "), id };
  }

  const arrivals = {
    order: { tag: "orders", value: received(order({ created_at: 100 })) } as Arrival,
    payment: { tag: "payments", value: received(payment({ created_at: 200 })) } as Arrival,
  };
  const orderTimer = ["o", 100 + T + 1] as const;
  const paymentTimer = ["o", 200 + T + 1] as const;

  /** Outputs are in the order in which the join declares them. */
  const unmatched = async (id: string): Promise<unknown[]> =>
    decodeElements(unmatchedCoder, await test.runner.output(id, "sink1")).map(([{ event }]) => event);

  it("reads a key once, and says nothing of an expiry that nobody misses", async () => {
    assert.equal((await bundle("t", [arrivals.order])).requests, "get append");
    assert.equal((await bundle("t", [arrivals.payment])).requests, "append");
    assert.equal((await bundle("t", [], { orders: orderTimer })).requests, "");
    const last = await bundle("t", [], { payments: paymentTimer });
    assert.equal(last.requests, "clear");
    const left = decodeTimers(await test.runner.timerOutput(last.id, "payments"));
    assert.deepEqual(left, [], "no timer is left");
  });

  it("is right where the expiry that it did not tell was forgotten", async () => {
    await bundle(undefined, [arrivals.order]);
    await bundle(undefined, [arrivals.payment]);
    const first = await bundle(undefined, [], { orders: orderTimer });
    assert.equal(first.requests, "get");
    const last = await bundle(undefined, [], { payments: paymentTimer });
    assert.equal(last.requests, "get clear");
    for (const { id } of [first, last]) assert.deepEqual(await unmatched(id), []);
    assert.equal((await bundle(undefined, [arrivals.order])).requests, "get append", "all is gone");
  });

  it("tells of an expiry that somebody misses with the next change", async () => {
    await bundle("t", [arrivals.order, arrivals.payment]);
    await bundle("t", [], { orders: orderTimer });
    const other = payment({ payment_id: "q", created_at: 1_150 });
    const third = await bundle("t", [{ tag: "payments", value: received(other) }]);
    assert.equal(third.requests, "append");
    const { request } = test.runner.stateRequests.at(-1)!;
    assert.ok(request.oneofKind === "append");
    assert.equal(request.append.data[0], 4, "what has expired comes first");
    assert.equal((await bundle("another", [], { payments: paymentTimer })).requests, "get");
    const last = await bundle("another", [], { payments: ["o", 1_150 + T + 1, "1150"] });
    assert.equal(last.requests, "clear");
    assert.deepEqual(await unmatched(last.id), [other]);
  });
});
