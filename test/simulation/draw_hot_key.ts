/** Very many events of one order_id for a scenario, in a few bursts: some come twice, some contradict the first. */
import type { Random } from "../../producers/random.js";
import type { Order, Payment } from "../../schemas/events.js";
import { pick } from "./world/seeded.js";

export const HOT_ORDER = "hot";

export interface HotEvent {
  /** Its burst: those of one come at one time. */
  readonly createdMs: number;
  readonly event: Order | Payment;
}

/** @param spreadMs between the first burst and the last; a repeat comes no later behind the event that it repeats */
export function drawHotKey(
  random: Random,
  loadMs: number,
  spreadMs: number,
  order: (id: string, createdMs: number) => Order,
  payment: (id: string, orderId: string, createdMs: number) => Payment,
): HotEvent[] {
  // More than one firing of a timer ends, now and then.
  const isVeryHot = random.chance(0.2);
  const bursts = isVeryHot ? 1 : random.between(1, 4);
  const perBurst = Math.ceil((isVeryHot ? 2_500 : 100 + random.skewed(1_000, 2)) / bursts);
  const instants = isVeryHot ? 1 : pick(random, [1, 97]);
  const repeats = pick(random, [0, 0.1, 0.5]);
  const conflicts = pick(random, [0, 0.1]);
  const firstMs = random.between(0, loadMs);
  const events: HotEvent[] = [];
  const orderIn = random.between(0, bursts);
  const payments: Payment[] = [];
  for (let burst = 0; burst < bursts; burst++) {
    const createdMs = firstMs + Math.floor((burst * spreadMs) / bursts);
    if (burst === orderIn) events.push({ createdMs, event: order(HOT_ORDER, createdMs) });
    for (let i = 0; i < perBurst; i++) {
      const { length } = payments;
      const isRepeat = length > 0 && random.chance(repeats);
      const event = isRepeat
        ? payments[random.between(0, length - 1)]!
        : payment(`hot-${length}`, HOT_ORDER, createdMs + (length % instants));
      if (!isRepeat) payments.push(event);
      const isConflict = isRepeat && random.chance(conflicts);
      events.push({ createdMs, event: isConflict ? { ...event, amount: event.amount + 1 } : event });
    }
  }
  return events;
}
