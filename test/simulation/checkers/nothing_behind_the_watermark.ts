/**
 * What a stage emits is not behind the output watermark that it has announced. A source may be, where an event comes
 * more than D behind, or comes again: runs within the bound are held to it for the first of each event. No event is ever
 * given up before the watermark has passed its expiry.
 */
import type { Checker, CheckerFactory } from "./checker.js";
import { eventsIn, joinStageOf, pairsIn, unmatchedIn } from "./join_stage.js";

export const nothingBehindTheWatermark: CheckerFactory = (world, report): Checker => {
  const seen = new Set<string>();
  return {
    onDelivery(producer, consumer, _input, batch) {
      if (producer === undefined) return;
      const { name } = producer.spec;
      const { inputWatermark, outputWatermark } = producer;
      const join = joinStageOf(world);
      if (world.scenario.isWithinBound && consumer === join) {
        for (const { index, event } of eventsIn(batch)) {
          const id = "payment_id" in event ? `${event.order_id}/${event.payment_id}` : event.order_id;
          const timestamp = batch.timestamps[index]!;
          if (!seen.has(id) && timestamp < outputWatermark) {
            report(`${name} emitted ${id} at ${timestamp}, its output watermark being ${outputWatermark}`);
          }
          seen.add(id);
        }
      }
      if (producer !== join) return;
      for (const { index, pair } of pairsIn(batch)) {
        const timestamp = batch.timestamps[index]!;
        if (world.scenario.isWithinBound && timestamp < outputWatermark) {
          report(
            `a pair of ${pair.order.order_id} was emitted at ${timestamp}, the output watermark being ${outputWatermark}`,
          );
        }
      }
      for (const { index, unmatched } of unmatchedIn(batch)) {
        const what = `${unmatched.kind} ${unmatched.event.order_id} was given up`;
        if (unmatched.expiresAt >= inputWatermark) {
          report(`${what} at watermark ${inputWatermark}, before its expiry at ${unmatched.expiresAt}`);
        }
        const timestamp = batch.timestamps[index]!;
        // An event that was behind when it came is given up behind.
        if (world.scenario.isWithinBound && timestamp < outputWatermark) {
          report(`${what} at ${timestamp}, the output watermark being ${outputWatermark}`);
        }
      }
    },
  };
};
