/**
 * The sentence of state: what somebody on call reads first. It names what is held up and, behind the colon, why. Several
 * things may be wrong at once; what keeps the most from working comes first, and the others are listed behind it.
 */
import type { StageActivity } from "@order-payment-stream/beam/direct";
import { missingOf } from "../schemas/figures.js";
import type { Recent } from "./history.js";
import { gapMs } from "./metrics.js";
import { lagOf, type Observation, type Partition, sumOf } from "./observation.js";

/**
 * healthy: nothing to do. attention: it works, and somebody should look. trouble: results are late or missing until
 * somebody, or the server that is away, mends it.
 */
export type Level = "healthy" | "attention" | "trouble" | "starting" | "ended";

export interface Finding {
  readonly level: "attention" | "trouble";
  readonly text: string;
}

export interface State {
  readonly level: Level;
  /** One sentence. */
  readonly sentence: string;
  /** What else there is to say, the worst first; the one that the sentence tells is left out. */
  readonly others: readonly Finding[];
}

/** Of a partition that cannot be read, or a server that does not answer; a change of leader is told for a moment. */
const FAILING_AFTER_MS = 500;
/** Brokers hold an empty answer back for a quarter of a second. */
const SILENT_AFTER_MS = 1_500;
const SLOW_INSERT_MS = 2_000;
/** Beyond the disorder that is allowed for. */
const HELD_AFTER_MS = 5_000;
const IMBALANCE_AFTER_MS = 10_000;
const UNDER_WAY_MIN = 1_000;
const BLOCKED_MIN = 0.3;
const COMMITTING_MIN = 0.9;
const DEAD_LETTER_SHARE_MIN = 0.05;
const DEAD_LETTERS_MIN = 10;
/** Fewer are read in no time. */
const CAUGHT_UP_RECORDS = 1_000;

export function stateOf(observation: Observation, recent: Recent): State {
  const { phase, doing, runner } = observation;
  if (phase === "failed") return { level: "trouble", sentence: `the run has failed: ${doing}`, others: [] };
  if (phase === "ended") return { level: "ended", sentence: `the run has ended: ${doing}`, others: [] };
  const findings = findingsOf(observation, recent);
  if (phase === "starting") {
    return { level: "starting", sentence: `starting: ${doing}`, others: findings };
  }
  const [first, ...others] = findings;
  if (first !== undefined) return { level: first.level, sentence: first.text, others };
  if (phase === "ending") return { level: "healthy", sentence: `ending: ${doing}`, others: [] };
  if (!observation.tellsFigures) {
    return {
      level: "healthy",
      sentence: `running on ${runner}, which reports no figures while a job runs`,
      others: [],
    };
  }
  return { level: "healthy", sentence: healthyText(observation, recent), others: [] };
}

function findingsOf(observation: Observation, recent: Recent): Finding[] {
  const found = [
    ...expiryHeld(observation, recent),
    ...serverFindings(observation),
    ...partitionFindings(observation),
    ...slowWrites(observation, recent),
    ...healthFindings(observation),
    ...bookFindings(observation, recent),
    ...deadLetterFindings(recent),
  ];
  const trouble = found.filter(({ level }) => level === "trouble");
  const attention = found.filter(({ level }) => level === "attention");
  return distinct([...trouble, ...attention]);
}

/** Event time in the join is further behind than it should be: orders that nobody pays are reported late. */
function expiryHeld(observation: Observation, recent: Recent): Finding[] {
  const { atMs, outOfOrdernessMs, joinWatermarkMs, isBounded, startedAtMs } = observation;
  const gap = gapMs(joinWatermarkMs, atMs);
  // What a bounded run reads is as old as it is; and whoever has just begun has a backlog to read.
  if (gap === undefined || isBounded) return [];
  const behindMs = gap - outOfOrdernessMs;
  if (behindMs < HELD_AFTER_MS) return [];
  const holder = slowestPartition(observation);
  if (holder === undefined) {
    return [{ level: "attention", text: `expiry is ${duration(behindMs)} behind${inFront(observation)}` }];
  }
  const holderBehind = (gapMs(holder.watermark, atMs) ?? gap) - outOfOrdernessMs;
  if (holderBehind < behindMs - HELD_AFTER_MS) {
    const look = gapMs(observation.lookWatermarkMs, atMs);
    const cause =
      look !== undefined && look - outOfOrdernessMs > behindMs - HELD_AFTER_MS
        ? ": the search for new partitions is overdue, because Kafka does not answer"
        : inFront(observation) || limitText(observation, recent);
    return [{ level: "attention", text: `expiry is ${duration(behindMs)} behind${cause}` }];
  }
  const { text, isOutage } = causeOf(holder, observation, recent);
  const isCatchingUp = !isOutage && atMs - startedAtMs < 60_000;
  return [
    {
      level: isOutage || (!isCatchingUp && behindMs > 60_000) ? "trouble" : "attention",
      text: `expiry is held by ${nameOf(holder)}, ${duration(behindMs)} behind: ${text}`,
    },
  ];
}

function causeOf(
  partition: Partition,
  observation: Observation,
  recent: Recent,
): { readonly text: string; readonly isOutage: boolean } {
  const outage = outageOf(partition);
  if (outage !== undefined) return { text: outage, isOutage: true };
  const lag = lagOf(partition);
  if (lag !== undefined && lag > 0) {
    const records = `${count(lag)} ${lag === 1 ? "record is" : "records are"} still to be read`;
    const limit = limitText(observation, recent);
    return {
      text: `${records}${limit || (lag > CAUGHT_UP_RECORDS ? "; reading goes on" : "")}`,
      isOutage: false,
    };
  }
  const clock = observation.problems.find(({ component }) => component === "clock");
  if (clock !== undefined) return { text: clock.problem, isOutage: true };
  if (!partition.isCaughtUp) return { text: "its end is not known yet", isOutage: false };
  return { text: "it is read to its end, and its newest event is that old", isOutage: false };
}

/** Why a partition cannot be read now. */
function outageOf({ failure, error, heldUp, unansweredMs, leader }: Partition): string | undefined {
  if (error !== undefined) return error;
  if (failure !== undefined && failure.forMs >= FAILING_AFTER_MS) return failure.message;
  if (unansweredMs >= SILENT_AFTER_MS) {
    return `${leader === undefined ? "its broker" : `broker ${leader}`} does not answer`;
  }
  if (heldUp !== undefined && heldUp.forMs >= HELD_AFTER_MS) {
    return `an open transaction${heldUp.writer === undefined ? "" : ` of ${heldUp.writer}`} hides what comes behind it`;
  }
  return undefined;
}

function partitionFindings({ partitions }: Observation): Finding[] {
  const byCause = new Map<string, Partition[]>();
  for (const partition of partitions) {
    const cause = outageOf(partition);
    if (cause === undefined) continue;
    // What each says of itself is the same but for its name.
    const key = cause.replaceAll(`${partition.topic}[${partition.partition}]`, "").trim();
    byCause.set(key, [...(byCause.get(key) ?? []), partition]);
  }
  return [...byCause].map(([cause, held]): Finding => {
    const all = held.length === partitions.length;
    const which = all ? "nothing can be read" : `${listed(held.map(nameOf))} cannot be read`;
    const forMs = Math.max(
      ...held.map(({ failure, unansweredMs, heldUp }) => failure?.forMs ?? heldUp?.forMs ?? unansweredMs),
    );
    return { level: "trouble", text: `${which}, for ${duration(forMs)}: Kafka: ${cause}` };
  });
}

function serverFindings({ servers }: Observation): Finding[] {
  return servers
    .filter(({ problem, forMs }) => problem !== undefined && forMs >= FAILING_AFTER_MS)
    .map(({ name, problem, forMs, address }): Finding => {
      const effect = name === "MongoDB" ? "nothing can be written" : `${name} is away`;
      return {
        level: "trouble",
        text: `${effect}, for ${duration(forMs)}: ${name} at ${address}: ${problem}`,
      };
    });
}

/** The step that all others wait for, where it is a database that it waits for itself. */
function slowWrites(
  { stages, servers, commits }: Observation,
  { bottleneck, stages: shares, committing }: Recent,
): Finding[] {
  if (servers.some(({ problem }) => problem !== undefined)) return [];
  const found: Finding[] = [];
  const hanging = stages.find(({ openFlushMs }) => openFlushMs >= SLOW_INSERT_MS);
  const blocked = Math.max(0, ...stages.map(({ name }) => shares[name]?.blocked ?? 0));
  const slow = stages.find(({ name }) => name === bottleneck);
  if (hanging !== undefined) {
    const text = `MongoDB is slow: ${shortName(hanging)} has waited ${duration(hanging.openFlushMs)} for its answer`;
    found.push({ level: "attention", text });
  } else if (slow !== undefined && blocked >= BLOCKED_MIN && (shares[slow.name]?.flushing ?? 0) > 0.7) {
    const text = `MongoDB is slow: ${shortName(slow)} waits for it ${percent(shares[slow.name]!.flushing)} of the time, and reading is held up ${percent(blocked)}`;
    found.push({ level: "attention", text });
  }
  if (commits !== undefined && commits.openMs >= SLOW_INSERT_MS) {
    const text = `the disk is slow: a commit to the state directory has taken ${duration(commits.openMs)} so far`;
    found.push({ level: "attention", text });
  } else if (
    slow !== undefined &&
    found.length === 0 &&
    committing > COMMITTING_MIN &&
    blocked >= BLOCKED_MIN
  ) {
    const text = `the disk is slow: commits to the state directory take ${percent(committing)} of the time, and reading is held up ${percent(blocked)}`;
    found.push({ level: "attention", text });
  }
  return found;
}

/** What the parts of the program say of themselves, but for what was told above. */
function healthFindings({ problems, atMs, servers, partitions }: Observation): Finding[] {
  const kafkaIsTold = partitions.some((partition) => outageOf(partition) !== undefined);
  const mongoIsTold = servers.some(({ name, problem }) => name === "MongoDB" && problem !== undefined);
  return problems
    .filter(({ component }) => !(component === "Kafka" && kafkaIsTold))
    .filter(({ component }) => !(component.startsWith("MongoDB") && mongoIsTold))
    .map(({ component, problem, sinceMs }): Finding => {
      const isOutage = component === "Kafka" || component.startsWith("MongoDB");
      const isState = component === "state" || component === "clock";
      return {
        level: isOutage || isState ? "trouble" : "attention",
        text: `${component}, for ${duration(atMs - sinceMs)}: ${problem}`,
      };
    });
}

function bookFindings({ phase }: Observation, { imbalance }: Recent): Finding[] {
  if (imbalance === undefined || imbalance.forMs < IMBALANCE_AFTER_MS || phase !== "running") return [];
  const text = `the books do not balance, for ${duration(imbalance.forMs)}: ${count(Math.abs(imbalance.events))} events are ${imbalance.events > 0 ? "nowhere" : "counted twice"}`;
  return [{ level: "attention", text }];
}

function deadLetterFindings({ dead_letters, read, overMs }: Recent): Finding[] {
  const letters = sumOf(dead_letters);
  if (letters < DEAD_LETTERS_MIN || letters < DEAD_LETTER_SHARE_MIN * read) return [];
  const share = percent(letters / Math.max(letters, read));
  const text = `${share} of what was read in the last ${duration(overMs)} became dead letters: ${reasonsText(dead_letters)}`;
  return [{ level: "attention", text }];
}

function healthyText({ joinWatermarkMs, atMs, total, runner }: Observation, recent: Recent): string {
  const { ordersPerSecond, paymentsPerSecond, joinedPerSecond, dead_letters, overMs } = recent;
  const events = Math.round(ordersPerSecond + paymentsPerSecond);
  const gap = gapMs(joinWatermarkMs, atMs);
  const letters = sumOf(dead_letters);
  // Other runners take their time between steps, and count each by itself.
  const underWay = runner === "direct" ? 0 : missingOf(total.orders) + missingOf(total.payments);
  const parts = [
    events === 0 && total.orders.read + total.payments.read > 0
      ? "nothing new to read"
      : `${count(events)} events and ${count(Math.round(joinedPerSecond))} pairs a second`,
    ...(underWay < UNDER_WAY_MIN ? [] : [`${count(underWay)} events are read and not joined yet`]),
    ...(gap === undefined ? [] : [`event time is ${duration(gap)} behind the clock`]),
    ...(letters === 0
      ? []
      : [
          `${count(letters)} ${letters === 1 ? "dead letter" : "dead letters"} in the last ${duration(overMs)} (${reasonsText(dead_letters)})`,
        ]),
  ];
  return `healthy: ${parts.join("; ")}`;
}

/** The partition whose watermark is the smallest; of several, one that cannot be read. */
export function slowestPartition({ partitions }: Pick<Observation, "partitions">): Partition | undefined {
  let slowest: Partition | undefined;
  for (const partition of partitions) {
    if (slowest === undefined || partition.watermark < slowest.watermark) slowest = partition;
    else if (partition.watermark === slowest.watermark && outageOf(slowest) === undefined) {
      if (outageOf(partition) !== undefined) slowest = partition;
    }
  }
  return slowest;
}

function limitText(observation: Observation, { bottleneck, stages: shares }: Recent): string {
  const stage = observation.stages.find(({ name }) => name === bottleneck);
  if (stage === undefined) return "";
  const { busy, flushing } = shares[stage.name]!;
  const with_ = flushing > busy ? `waits for MongoDB ${percent(flushing)}` : `is busy ${percent(busy)}`;
  return `; the slowest step is ${shortName(stage)}, which ${with_} of the time`;
}

function inFront({ stages }: Observation): string {
  const [fullest] = [...stages].sort((a, b) => b.pending - a.pending);
  if (fullest === undefined || fullest.pending < CAUGHT_UP_RECORDS) return "";
  return `: ${count(fullest.pending)} elements wait in front of ${shortName(fullest)}`;
}

/** "payments/3": what people call a partition, whatever its topic is named. */
export function nameOf({ kind, partition }: Pick<Partition, "kind" | "partition">): string {
  return `${kind}/${partition}`;
}

/** The step that the others of a stage go with: a sink, the join, or the first one. */
export function shortName({ steps, name }: Pick<StageActivity, "steps" | "name">): string {
  const [, look] = /^(\w+)\/FindPartitions\//.exec(steps[0] ?? "") ?? [];
  if (look !== undefined) return `${look}, new partitions`;
  const tops = [...new Set(steps.map((step) => step.replace(/\/.*$/, "")))];
  return tops.find((step) => /^(Write|Join|Read)/.test(step)) ?? tops[0] ?? name;
}

function reasonsText(deadLetters: Readonly<Record<string, number>>): string {
  const reasons = Object.entries(deadLetters).sort(([, a], [, b]) => b - a);
  return reasons.map(([reason, letters]) => `${reason} ${count(letters)}`).join(", ");
}

function listed(names: readonly string[]): string {
  if (names.length <= 3) return names.join(", ");
  return `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
}

function distinct(findings: readonly Finding[]): Finding[] {
  const texts = new Set<string>();
  return findings.filter(({ text }) => !texts.has(text) && texts.add(text));
}

const count = (n: number): string => n.toLocaleString("en-US");
const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** "41 s", "3 min", "2.5 h". */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = seconds / 60;
  return minutes < 120 ? `${Math.round(minutes)} min` : `${(minutes / 60).toFixed(1)} h`;
}
