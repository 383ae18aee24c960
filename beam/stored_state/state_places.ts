/** Where the state and the timers of a stateful step lie in the tables of a store. */
import type { StageTimers } from "../engine/stage_timers.js";
import type { ByteTable } from "../store/byte_table.js";
import type { StatePlaces } from "./stored_state.js";
import { stateTableName, timedStateTableName, timerTableName } from "./table_names.js";

/**
 * @param step what its tables are named after, in each process the same
 * @param transformId what its timers fire with
 * @param table of a name; made when it is not there
 */
export function statePlaces(
  step: string,
  transformId: string,
  table: (name: string) => ByteTable,
  timers: StageTimers,
): StatePlaces {
  return {
    table: (cell) => table(stateTableName(step, cell)),
    timers: (family, timeDomain, beside) => {
      const records = beside && {
        tableName: timedStateTableName(step, beside),
        slots: beside.families.length,
        slot: beside.families.indexOf(family),
      };
      return timers.family(transformId, family, timeDomain, timerTableName(step, family), records);
    },
  };
}
