/** No event is in state once the join has told its consumers that the event's expiry lies behind. */
import { ByteReader } from "../../../beam/model/bytes.js";
import { readChangelog } from "../../../beam/sdk/state.js";
import { waitingLog } from "../../../transforms/waiting.js";
import { type Checker, type CheckerFactory, isOfADoFn } from "./checker.js";
import { joinStageOf } from "./join_stage.js";

export const nothingOutlivesItsExpiry: CheckerFactory = (world, report): Checker => {
  const reader = new ByteReader();
  return {
    onCommit() {
      const { run, scenario } = world;
      const join = joinStageOf(world);
      if (run === undefined || join === undefined) return;
      for (const name of run.store.sizes().keys()) {
        if (!(isOfADoFn(name) && name.endsWith("/waiting"))) continue;
        const table = run.store.table(name);
        table.forEach((address) => {
          table.readValue(address, reader);
          const { orders, payments } = readChangelog(waitingLog, reader).value;
          for (const { event } of [...orders, ...payments]) {
            // The timer fires one millisecond behind the expiry, and holds the output watermark until it has.
            if (event.created_at + scenario.timeoutMs + 1 < join.outputWatermark) {
              report(
                `an event of ${event.order_id}, created at ${event.created_at}, waits at output watermark ${join.outputWatermark}`,
              );
            }
          }
        });
      }
    },
  };
};
