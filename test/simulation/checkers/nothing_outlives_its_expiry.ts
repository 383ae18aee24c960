/**
 * No event is in state, and no timer is set, once the join has told its consumers that their time lies behind. An event
 * that was behind when it came (of a partition that is new, or more than D late) waits for the next turn of the timers,
 * and "state is empty" holds it to that.
 */
import { ByteReader } from "../../../beam/model/bytes.js";
import { readInstant } from "../../../beam/model/coders/instant.js";
import { StoredCellReader } from "../../../beam/runners/direct/stored_cell.js";
import { readChangelog } from "../../../beam/sdk/state.js";
import { waitingLog } from "../../../transforms/waiting.js";
import { type Checker, type CheckerFactory, isOfADoFn } from "./checker.js";
import { eventsIn, joinStageOf } from "./join_stage.js";

export const nothingOutlivesItsExpiry: CheckerFactory = (world, report): Checker => {
  const reader = new ByteReader();
  const { timeoutMs, earlierRuns = [] } = world.scenario;
  // After T was made smaller an event may wait as long as the larger one said.
  const timeoutsMs = [timeoutMs, ...earlierRuns.map((run) => run.timeoutMs)];
  const longestMs = Math.max(...timeoutsMs);
  /** When events were created that were behind when they came, and when their timers are due. */
  const behind = new Set<number>();
  const timersBehind = new Set<number>();
  const check = (): void => {
    const { run } = world;
    const join = joinStageOf(world);
    if (run === undefined || join === undefined || join.openBundles > 0) return;
    for (const name of run.store.sizes().keys()) {
      if (!isOfADoFn(name)) continue;
      const table = run.store.table(name);
      const checkTimer = (fireAt: number): void => {
        if (fireAt >= join.outputWatermark || timersBehind.has(fireAt)) return;
        report(`a timer of ${fireAt} has not fired at output watermark ${join.outputWatermark}`);
      };
      if (name.startsWith("timers/")) {
        table.forEach((address) => {
          table.readValue(address, reader);
          checkTimer(readInstant(reader));
        });
      }
      const cell = StoredCellReader.ofTable(run.store, name);
      if (cell?.cell !== "waiting") continue;
      cell.forEach(({ value, timers }) => {
        for (const { fireAt } of timers) checkTimer(fireAt);
        if (value.remaining === 0) return;
        const { orders, payments } = readChangelog(waitingLog, value).value;
        for (const { event } of [...orders, ...payments]) {
          // The timer fires one millisecond behind the expiry, and holds the output watermark until it has.
          if (event.created_at + longestMs + 1 < join.outputWatermark && !behind.has(event.created_at)) {
            report(
              `an event of ${event.order_id}, created at ${event.created_at}, waits at output watermark ${join.outputWatermark}`,
            );
          }
        }
      });
    }
  };
  return {
    onDelivery(_producer, consumer, _input, batch) {
      if (consumer !== joinStageOf(world)) return;
      for (const { event } of eventsIn(batch)) {
        for (const ms of timeoutsMs) {
          const fireAt = event.created_at + ms + 1;
          if (fireAt >= consumer.outputWatermark) continue;
          timersBehind.add(fireAt);
          behind.add(event.created_at);
        }
      }
    },
    onCommit: check,
    // A watermark that goes on while nothing is left to do is not committed.
    onLook: check,
  };
};
