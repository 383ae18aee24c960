/** Which cell of a stateful DoFn a runner may keep together with timers: the one home of this choice. */

/** A cell, and the family whose timers without a tag may be kept beside it. */
export interface TimedCell {
  readonly cell: string;
  readonly family: string;
}

/**
 * The first cell and the first family of event-time timers, in the order of their declaration. Undefined: one of the
 * two is missing. A multimap has no record for all of a key.
 */
export function timedCellOf(
  cells: readonly { readonly name: string; readonly isMultimap: boolean }[],
  families: readonly { readonly name: string; readonly isEventTime: boolean }[],
): TimedCell | undefined {
  const cell = cells.find(({ isMultimap }) => !isMultimap);
  const family = families.find(({ isEventTime }) => isEventTime);
  return cell === undefined || family === undefined ? undefined : { cell: cell.name, family: family.name };
}
