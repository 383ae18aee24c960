/**
 * Brings orders and payments together under their order_id, as they come: in the global window a group without a
 * trigger would never emit, and with the default output time its panes would lie at the end of time.
 */
import {
  type Collection,
  coGroupTagged,
  type KV,
  type Windowing,
  windowInto,
} from "@order-payment-stream/beam";

import type { OrderById, PaymentById } from "./decode.js";
import type { Arrival } from "./join.js";

const AS_THEY_COME: Windowing = {
  trigger: { kind: "repeated-count", count: 1 },
  outputTime: "EARLIEST_IN_PANE",
};

export function coGroupByOrderId(
  orders: Collection<OrderById>,
  payments: Collection<PaymentById>,
): Collection<KV<string, Iterable<Arrival>>> {
  return coGroupTagged("CoGroupByOrderId", {
    orders: windowInto("TriggerOrders", orders, AS_THEY_COME),
    payments: windowInto("TriggerPayments", payments, AS_THEY_COME),
  });
}
