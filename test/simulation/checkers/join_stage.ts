/** Where the join is among the stages, what comes to it, and what it gives. */
import type { ElementBatch } from "../../../beam/engine/element_batch.js";
import type { Stage } from "../../../beam/engine/stage.js";
import type { KV } from "../../../beam/model/kv.js";
import type { Order, Payment } from "../../../schemas/events.js";
import type { Pair, Unmatched } from "../../../transforms/outcomes.js";
import { ReceivedEvent } from "../../../transforms/received_event.js";
import { stageNamed, type World } from "./checker.js";

/** The stage that groups by order_id joins as well. */
export function joinStageOf(world: World): Stage | undefined {
  return stageNamed(world, "CoGroupByOrderId");
}

/** Events among elements that are tagged to be grouped. */
export function* eventsIn(batch: ElementBatch): Generator<{ index: number; event: Order | Payment }> {
  for (const [index, value] of batch.values.entries()) {
    const received = (value as KV<string, { readonly value?: unknown }>).value?.value;
    if (received instanceof ReceivedEvent) yield { index, event: received.event };
  }
}

export function* pairsIn(batch: ElementBatch): Generator<{ index: number; pair: Pair }> {
  for (const [index, value] of batch.values.entries()) {
    const { order, payment } = value as Partial<Pair>;
    if (order !== undefined && payment !== undefined) yield { index, pair: { order, payment } };
  }
}

export function* unmatchedIn(batch: ElementBatch): Generator<{ index: number; unmatched: Unmatched }> {
  for (const [index, value] of batch.values.entries()) {
    const unmatched = value as Partial<Unmatched>;
    if (unmatched.expiresAt !== undefined) yield { index, unmatched: unmatched as Unmatched };
  }
}
