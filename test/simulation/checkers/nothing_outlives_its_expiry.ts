/** No event is in state, and no timer is set, once the join has told its consumers that their time lies behind. */
import { ByteReader } from "../../../beam/model/bytes.js";
import { readInstant } from "../../../beam/model/coders/instant.js";
import { readChangelog } from "../../../beam/sdk/state.js";
import { waitingLog } from "../../../transforms/waiting.js";
import { type Checker, type CheckerFactory, isOfADoFn } from "./checker.js";
import { joinStageOf } from "./join_stage.js";

export const nothingOutlivesItsExpiry: CheckerFactory = (world, report): Checker => {
  const reader = new ByteReader();
  const { timeoutMs, earlierRuns = [] } = world.scenario;
  // After T was made smaller an event may wait as long as the larger one said.
  const longestMs = Math.max(timeoutMs, ...earlierRuns.map((run) => run.timeoutMs));
  const check = (): void => {
    const { run } = world;
    const join = joinStageOf(world);
    if (run === undefined || join === undefined || join.openBundles > 0) return;
    for (const name of run.store.sizes().keys()) {
      if (!isOfADoFn(name)) continue;
      const table = run.store.table(name);
      if (name.startsWith("timers/")) {
        table.forEach((address) => {
          table.readValue(address, reader);
          const fireAt = readInstant(reader);
          if (fireAt >= join.outputWatermark) return;
          report(`a timer of ${fireAt} has not fired at output watermark ${join.outputWatermark}`);
        });
      }
      if (!name.endsWith("/waiting")) continue;
      table.forEach((address) => {
        table.readValue(address, reader);
        const { orders, payments } = readChangelog(waitingLog, reader).value;
        for (const { event } of [...orders, ...payments]) {
          // The timer fires one millisecond behind the expiry, and holds the output watermark until it has.
          if (event.created_at + longestMs + 1 < join.outputWatermark) {
            report(
              `an event of ${event.order_id}, created at ${event.created_at}, waits at output watermark ${join.outputWatermark}`,
            );
          }
        }
      });
    }
  };
  // A watermark that goes on while nothing is left to do is not committed.
  return { onCommit: check, onLook: check };
};
