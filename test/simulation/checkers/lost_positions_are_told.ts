/**
 * What is told of a position that is lost is true: the log was changed, what had been read of it is not what it holds
 * now, the read goes on where the settings say, and what is said to be left out is. Each change is told once, in words
 * that a person can act on. (That nothing else is missing is seen from the books and the collections.)
 */
import type { Telling } from "../read_path.js";
import { logChanges } from "../scenario.js";
import type { SimulatedPartition } from "../world/simulated_partition.js";
import type { Checker, CheckerFactory } from "./checker.js";

export const lostPositionsAreTold: CheckerFactory = (world, report): Checker => ({
  onTelling(telling) {
    const { topic, partition, readUpTo, offset, skipped, text, log } = telling;
    const name = `${topic}[${partition}]`;
    if (!text.startsWith(name) || !text.includes(String(readUpTo)) || !text.includes(String(offset))) {
      report(`${name}: the words do not say that ${readUpTo} was lost and ${offset} comes next: ${text}`);
    }
    if (logChanges(world.scenario).length === 0) report(`no log has changed, but: ${text}`);
    const why = faultOf(telling);
    if (why !== undefined) report(`${name}: ${why}: ${text}`);
    // What a process told that died before it committed is forgotten.
    if (world.readPath.tellings.some((one) => one.topic === topic && one.partition === partition))
      report(`${name} is told again: ${text}`);
    switch (world.offsetReset) {
      case "none":
        report(`${name} goes on, and was not to: ${text}`);
        return;
      case "earliest":
        if (offset !== log.firstOffset) report(`${name} begins at ${log.firstOffset}: ${text}`);
        if (skipped !== Math.max(0, log.firstOffset - unreadFrom(log, readUpTo)))
          report(`${name}: ${skipped} are not left out: ${text}`);
        return;
      case "latest":
        if (offset > log.nextOffset) report(`${name} ends at ${log.nextOffset}: ${text}`);
        if (skipped !== Math.max(0, offset - unreadFrom(log, readUpTo)))
          report(`${name}: ${skipped} are not left out: ${text}`);
    }
  },
  onFailure(error) {
    if ((error as Error).name === "PositionRefusedError" && world.offsetReset !== "none")
      report(`AUTO_OFFSET_RESET is ${world.offsetReset}, but: ${(error as Error).message}`);
  },
  onEnd() {
    for (const topic of ["orders", "payments"] as const) {
      const told = world.readPath.tellings.filter((telling) => telling.topic === topic).length;
      const read = topic === "orders" ? "ReadOrders" : "ReadPayments";
      const counted = world.run?.metrics.counter("positions_lost", read) ?? 0;
      if (told !== counted)
        report(`${topic}: ${counted} positions are counted as lost, and ${told} were told`);
    }
  },
});

/** What speaks against it. */
function faultOf({ readUpTo, log }: Telling): string | undefined {
  const { former, firstOffset } = log;
  if (former === undefined) return readUpTo < firstOffset ? undefined : "nothing of it was lost";
  if (readUpTo > former.nextOffset) return `there was nothing beyond ${former.nextOffset}`;
  if (former.topicId !== log.topicId || readUpTo > former.keptUpTo) return undefined;
  return "what was read is still there";
}

/** First offset of the present log that the read has not come to. */
function unreadFrom({ former, firstOffset }: SimulatedPartition, readUpTo: number): number {
  return former === undefined ? readUpTo : firstOffset;
}
