/** Which cell of a stateful DoFn a runner may keep together with timers: the one home of this choice. */

/** A cell, and the families whose timers without a tag may be kept beside it, in the order of their slots. */
export interface TimedCell {
  readonly cell: string;
  readonly families: readonly string[];
}

/** More have tables of their own. */
const FAMILIES_MAX = 6;

/**
 * The first cell and the families of event-time timers, in the order of their declaration. Undefined: one of the
 * two is missing. A multimap has no record for all of a key.
 */
export function timedCellOf(
  cells: readonly { readonly name: string; readonly isMultimap: boolean }[],
  families: readonly { readonly name: string; readonly isEventTime: boolean }[],
): TimedCell | undefined {
  const cell = cells.find(({ isMultimap }) => !isMultimap);
  const timed = families.flatMap(({ name, isEventTime }) => (isEventTime ? name : [])).slice(0, FAMILIES_MAX);
  return cell === undefined || timed.length === 0 ? undefined : { cell: cell.name, families: timed };
}
