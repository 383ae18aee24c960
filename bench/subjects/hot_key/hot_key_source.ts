/**
 * A source without Kafka for the join: events of one hot order_id as fast as they are taken, then the watermark beyond
 * all their expiries, until they have ended; and before that and all the time, on the clock, pairs of strangers'
 * order_ids.
 */
import type { Coder } from "../../../beam/model/coders/coder.js";
import { KVCoder } from "../../../beam/model/coders/kv_coder.js";
import { StringUtf8Coder } from "../../../beam/model/coders/string_utf8_coder.js";
import type { OffsetRange } from "../../../beam/sdk/offset_range.js";
import { OffsetRangeTracker } from "../../../beam/sdk/offset_range.js";
import { offsetRangeCoder } from "../../../beam/sdk/offset_range_coder.js";
import { registerDoFn } from "../../../beam/sdk/registry.js";
import {
  type ProcessContinuation,
  type RestrictionTracker,
  resume,
  type SplittableContext,
  SplittableDoFn,
  stop,
} from "../../../beam/sdk/splittable.js";
import type { Order, Payment } from "../../../schemas/events.js";
import type { OrderById, PaymentById } from "../../../transforms/decode.js";
import {
  ReceivedEvent,
  receivedOrderCoder,
  receivedPaymentCoder,
} from "../../../transforms/received_event.js";

/** Event time of the first hot event. */
const BASE_MS = Date.parse("2026-01-01T00:00:00Z");
export const TIMEOUT_MS = 15 * 60_000;
const HOT = "hot";
export const STRANGER = "stranger-";
const STRANGER_EVERY_MS = 5;
/** Strangers go on so long behind the last hot event. */
const TAIL_MS = 500;

/** What the hot key gets: `events` of them, in its order. */
export const SHAPES = {
  "payments alone, each at its own time": (i: number) => ({ payment: i, at: i }),
  "payments alone, all at one time": (i: number) => ({ payment: i, at: 0 }),
  "payments behind their order": (i: number) => (i === 0 ? { order: 0, at: 0 } : { payment: i, at: i }),
  "payments with their order in the middle": (i: number, events: number) =>
    i === events >>> 1 ? { order: 0, at: i } : { payment: i, at: i },
  "each payment twice": (i: number) => ({ payment: i >>> 1, at: i >>> 1 }),
  "orders that contradict the first": (i: number) => ({ order: i, at: i }),
} satisfies Record<string, (i: number, events: number) => { order?: number; payment?: number; at: number }>;
export type Shape = keyof typeof SHAPES;

const outputs = {
  orders: new KVCoder(StringUtf8Coder.INSTANCE, receivedOrderCoder) as Coder<OrderById>,
  payments: new KVCoder(StringUtf8Coder.INSTANCE, receivedPaymentCoder) as Coder<PaymentById>,
};
type Outputs = typeof outputs;

/** What source, sinks and measurement tell each other. */
export interface Progress {
  /** By `performance.now`: the first hot event is due, the last was taken; the last has ended. */
  hotFromMs: number;
  takenAtMs: number;
  endedAtMs: number;
  readonly latenciesMs: number[];
}
export const progress: Progress = {
  hotFromMs: Number.POSITIVE_INFINITY,
  takenAtMs: 0,
  endedAtMs: 0,
  latenciesMs: [],
};

export interface HotKeyConfig {
  readonly [name: string]: string | number;
  readonly shape: Shape;
  readonly events: number;
  /** Strangers alone: for so long the process runs before the first hot event. */
  readonly aloneMs: number;
}

export class HotKeySource extends SplittableDoFn<Uint8Array, OffsetRange, number, Outputs, HotKeyConfig> {
  static readonly urn = "order-payment-stream:bench:hot_key_source:v1";
  readonly outputs = outputs;
  readonly restrictionCoder = offsetRangeCoder;
  readonly isBounded = false;
  #hot = 0;
  #strangers = 0;
  #startMs = 0;

  initialRestriction(): OffsetRange {
    return { start: 0, end: Number.MAX_SAFE_INTEGER };
  }

  newTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }

  process(
    _element: Uint8Array,
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<Outputs>,
  ): ProcessContinuation {
    const { events, aloneMs } = this.config;
    if (this.#startMs === 0) {
      this.#startMs = performance.now();
      progress.hotFromMs = this.#startMs + aloneMs;
    }
    let { start } = tracker.restriction;
    for (;;) {
      const isDone = progress.endedAtMs > 0 && performance.now() > progress.endedAtMs + TAIL_MS;
      const isStrangersTurn = performance.now() - this.#startMs >= this.#strangers * STRANGER_EVERY_MS;
      const isHot = this.#hot < events && performance.now() >= progress.hotFromMs;
      if (!isDone && !isStrangersTurn && !isHot) return resume(1);
      if (!tracker.tryClaim(start)) return isDone ? stop() : resume();
      if (isDone) {
        tracker.tryClaim(Number.MAX_SAFE_INTEGER - 1);
        return stop();
      }
      if (isStrangersTurn) this.#emitStranger(ctx, start);
      if (isHot) this.#emitHot(ctx, start);
      start++;
      if (isHot && this.#hot === events) {
        progress.takenAtMs = performance.now();
        ctx.watermark.set(BASE_MS + events + 2 * TIMEOUT_MS);
      }
    }
  }

  #emitHot(ctx: SplittableContext<Outputs>, offset: number): void {
    const { shape, events } = this.config;
    const { order, payment, at } = SHAPES[shape](this.#hot++, events) as ReturnType<
      (typeof SHAPES)["payments behind their order"]
    >;
    if (order !== undefined) this.#emitOrder(HOT, "c", order, BASE_MS + at, ctx, offset);
    if (payment !== undefined) this.#emitPayment(HOT, `payment-${payment}`, BASE_MS + at, ctx, offset);
  }

  #emitStranger(ctx: SplittableContext<Outputs>, offset: number): void {
    const dueMs = this.#startMs + this.#strangers * STRANGER_EVERY_MS;
    const id = `${STRANGER}${this.#strangers++}`;
    const at = BASE_MS + this.config.events + 3 * TIMEOUT_MS;
    // When it was due, for whoever measures how long it took.
    this.#emitOrder(id, String(dueMs), 1, at, ctx, offset);
    this.#emitPayment(id, `p-${id}`, at, ctx, offset);
  }

  #emitOrder(
    order_id: string,
    customer_id: string,
    amount: number,
    at: number,
    ctx: SplittableContext<Outputs>,
    offset: number,
  ): void {
    const order: Order = { order_id, order_date: at, created_at: at, customer_id, amount };
    ctx.emit.orders({ key: order_id, value: received(order, offset, "orders") }, at);
  }

  #emitPayment(
    order_id: string,
    payment_id: string,
    at: number,
    ctx: SplittableContext<Outputs>,
    offset: number,
  ): void {
    const payment: Payment = { payment_id, order_id, payment_date: at, created_at: at, amount: 1 };
    ctx.emit.payments({ key: order_id, value: received(payment, offset, "payments") }, at);
  }
}
registerDoFn(HotKeySource);

const KEY = Buffer.from(HOT);

function received<E>(event: E, offset: number, topic: string): ReceivedEvent<E> {
  const from = { topic, partition: 0, log: "" };
  return new ReceivedEvent(event, BASE_MS - 1, from, offset, BASE_MS, KEY, 0, KEY.length, 0, KEY.length);
}
