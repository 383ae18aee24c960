/**
 * A source without Kafka for the join: one event a millisecond of event time, so that T is also how many events wait.
 * It is read again from where a restart left it, and never ends.
 */
import type { Coder } from "../../../beam/model/coders/coder.js";
import { KVCoder } from "../../../beam/model/coders/kv_coder.js";
import { StringUtf8Coder } from "../../../beam/model/coders/string_utf8_coder.js";
import { type OffsetRange, OffsetRangeTracker } from "../../../beam/sdk/offset_range.js";
import { offsetRangeCoder } from "../../../beam/sdk/offset_range_coder.js";
import { registerDoFn } from "../../../beam/sdk/registry.js";
import {
  type ProcessContinuation,
  type RestrictionTracker,
  resume,
  type SplittableContext,
  SplittableDoFn,
} from "../../../beam/sdk/splittable.js";
import type { Order, Payment } from "../../../schemas/events.js";
import type { OrderById, PaymentById } from "../../../transforms/decode.js";
import {
  ReceivedEvent,
  receivedOrderCoder,
  receivedPaymentCoder,
} from "../../../transforms/received_event.js";

const BASE_MS = Date.parse("2026-01-01T00:00:00Z");
/** What is left to do once all is taken is looked at so often. */
const LOOK_MS = 10;

const outputs = {
  orders: new KVCoder(StringUtf8Coder.INSTANCE, receivedOrderCoder) as Coder<OrderById>,
  payments: new KVCoder(StringUtf8Coder.INSTANCE, receivedPaymentCoder) as Coder<PaymentById>,
};
type Outputs = typeof outputs;

export interface GrowthConfig {
  readonly [name: string]: number;
  /** Consecutive events of one order_id: an order, then payments. */
  readonly eventsPerKey: number;
}

/** What the source and whoever measures tell each other: how many to take, and how many were taken. */
export const growth = { limit: 0, taken: 0 };

export class GrowthSource extends SplittableDoFn<Uint8Array, OffsetRange, number, Outputs, GrowthConfig> {
  static readonly urn = "order-payment-stream:bench:growth_source:v1";
  readonly outputs = outputs;
  readonly restrictionCoder = offsetRangeCoder;
  readonly isBounded = false;

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
    const { eventsPerKey } = this.config;
    let { start } = tracker.restriction;
    for (;;) {
      if (start >= growth.limit) return resume(LOOK_MS);
      if (!tracker.tryClaim(start)) return resume();
      const order_id = `order-${Math.floor(start / eventsPerKey)}`;
      const at = BASE_MS + start;
      if (start % eventsPerKey === 0) {
        const order: Order = {
          order_id,
          order_date: at,
          created_at: at,
          customer_id: "customer-1",
          amount: 1,
        };
        ctx.emit.orders({ key: order_id, value: received(order, start, ORDERS) }, at);
      } else {
        const payment: Payment = {
          payment_id: `p-${start}`,
          order_id,
          payment_date: at,
          created_at: at,
          amount: 1,
        };
        ctx.emit.payments({ key: order_id, value: received(payment, start, PAYMENTS) }, at);
      }
      ctx.watermark.set(at);
      growth.taken = ++start;
    }
  }
}
registerDoFn(GrowthSource);

const ORDERS = { topic: "orders", partition: 0, log: "" };
const PAYMENTS = { topic: "payments", partition: 0, log: "" };
const NO_BYTES = Buffer.alloc(0);

function received<E extends Order | Payment>(
  event: E,
  offset: number,
  from: typeof ORDERS,
): ReceivedEvent<E> {
  return new ReceivedEvent(event, event.created_at - 1, from, offset, event.created_at, NO_BYTES, 0, 0, 0, 0);
}
