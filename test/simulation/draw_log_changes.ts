/** Changes of logs for a scenario: one kind, so that what was to be read is plain. */
import type { Random } from "../../producers/random.js";
import type { Fault, LogChange, OffsetReset, Topic } from "./scenario.js";
import { pick } from "./world/seeded.js";

/** Longer than the pause between two fetches after which a reader looks whether its log is still the same. */
const GONE_MIN_MS = 1_100;
/** Share of the changes that take a while. */
const STANDSTILLS = 0.3;

export interface LogStory {
  readonly faults: readonly Fault[];
  readonly offsetReset: OffsetReset;
  readonly offsetResetThen: "earliest" | "latest";
  /** Events come a second time, and what becomes of them hangs on the clock. */
  readonly isReadAgain: boolean;
}

/**
 * @param standstill of its own chance, so that a seed's scenario is otherwise what it was before this was drawn
 * @param isUnseen it is changed while something stands still, if it can be; default: the seed says
 */
export function drawLogStory(
  random: Random,
  loadMs: number,
  partitions: Readonly<Record<Topic, number>>,
  standstill: Random,
  isUnseen = standstill.chance(STANDSTILLS),
): LogStory {
  const change = drawChange(random, random.between(100, loadMs), partitions);
  const faults: Fault[] = [change];
  // Noticed at a start, by another process than the one that read.
  if (random.chance(0.4)) {
    const goneMs = "goneMs" in change ? change.goneMs : 0;
    const atMs = Math.max(1, change.atMs - random.between(1, 200));
    const downMs = change.atMs - atMs + goneMs + random.between(10, 2_000);
    if (random.chance(0.5)) faults.push({ kind: "stop", atMs, downMs });
    else faults.push({ kind: "crash", when: "time", atMs, losesPower: random.chance(0.5), downMs });
  }
  if ("goneMs" in change && isUnseen) faults.push(drawStandstill(standstill, change));
  const offsetReset = pick(random, ["none", "earliest", "latest"] as const);
  const offsetResetThen = pick(random, ["earliest", "latest"] as const);
  const reset = offsetReset === "none" ? offsetResetThen : offsetReset;
  const keepsRecords =
    change.kind === "log cut" ||
    change.kind === "log restored" ||
    (change.kind === "another cluster" && change.mirrored > 0);
  return { faults, offsetReset, offsetResetThen, isReadAgain: keepsRecords && reset === "earliest" };
}

/**
 * The process, or the broker that leads the first partitions, stands still meanwhile, so that no request tells of the
 * change; also from the beginning on, so that nothing was read before it.
 */
function drawStandstill(random: Random, { atMs, goneMs }: LogChange & { readonly goneMs: number }): Fault {
  const isFromTheBeginning = random.chance(0.5);
  const span = {
    fromMs: isFromTheBeginning ? random.between(1, Math.min(1_000, atMs)) : atMs - random.between(0, 100),
    toMs: atMs + goneMs + random.between(1, 2_000),
  };
  return random.chance(0.5)
    ? { kind: "suspended", ...span, isCounted: random.chance(0.5) }
    : { kind: "broker frozen", broker: 1, ...span };
}

function drawChange(random: Random, atMs: number, partitions: Readonly<Record<Topic, number>>): LogChange {
  const topic: Topic = random.chance(0.5) ? "orders" : "payments";
  // Nearly all that there is lies in the first.
  const partition = random.skewed(partitions[topic] - 1, 3);
  const goneMs = GONE_MIN_MS + random.skewed(4_000, 2);
  return pick<() => LogChange>(random, [
    () => ({ kind: "topic made again", atMs, topic, goneMs }),
    () => ({ kind: "log cut", atMs, topic, partition, lost: random.skewed(20, 2) + 1 }),
    () => ({
      kind: "log restored",
      atMs,
      topic,
      copiedAtMs: atMs - random.skewed(Math.min(atMs, 5_000), 2),
      goneMs,
    }),
    () => ({ kind: "retention", atMs, topic, partition, kept: random.skewed(10, 2) }),
    () => ({
      kind: "another cluster",
      atMs,
      goneMs,
      mirrored: random.chance(0.5) ? 0 : random.skewed(20, 1),
    }),
  ])();
}
