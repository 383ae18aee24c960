/** Which cell of a stateful DoFn a runner may keep together with timers: the one home of this choice. */
import { TIMED_FAMILIES_MAX } from "../model/timer.js";

/** A cell, and the families whose timers without a tag may be kept beside it, in the order of their slots. */
export interface TimedCell {
  readonly cell: string;
  readonly families: readonly string[];
}

/**
 * The first cell and the families of event-time timers, in the order of their declaration. Undefined: one of the
 * two is missing. A multimap has no record for all of a key. What is beyond TIMED_FAMILIES_MAX has tables of its own.
 */
export function timedCellOf(
  cells: readonly { readonly name: string; readonly isMultimap: boolean }[],
  families: readonly { readonly name: string; readonly isEventTime: boolean }[],
): TimedCell | undefined {
  const cell = cells.find(({ isMultimap }) => !isMultimap);
  const timed = families.filter(({ isEventTime }) => isEventTime).slice(0, TIMED_FAMILIES_MAX);
  if (cell === undefined || timed.length === 0) return undefined;
  return { cell: cell.name, families: timed.map(({ name }) => name) };
}
