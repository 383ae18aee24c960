/**
 * Sets the two clocks of a run: where event time starts and how fast it goes, and when each message is sent.
 *
 *   start of event time | rate | count  | event time                            | sending
 *   given               | > 0  |        | from the start, at the rate           | evenly, at the rate
 *   given               | 0    |        | from the start, at the default pace   | as fast as possible
 *   not given           | > 0  |        | the wall clock                        | when due on the wall clock
 *   not given           | 0    | finite | ends about one timeout before now     | as fast as possible
 *   not given           | 0    | none   | from now, behind the wall clock       | as fast as possible
 *   a backfill          |      | finite | a day, over before now                | as fast as possible
 *
 * Without a given start, no event is ever created in the future. On the wall clock, therefore, a run of finite
 * count lasts until its last delayed payment is due, up to the timeout after its last order.
 */
import {
  DEFAULT_EVENT_RATE_PER_SECOND,
  DEFAULT_OUT_OF_ORDERNESS_MS,
  DEFAULT_TIMEOUT_MS,
  type ScenarioMessage,
  type ScenarioOptions,
} from "./scenario.js";
import { completeShares, messagesPerOrder, type Shares } from "./shares.js";
import type { ValueFormat } from "./value_format.js";

export interface ScheduleOptions {
  which: "orders" | "payments" | "all";
  /** Orders; may be Infinity. */
  count: number;
  /** Messages per second; 0 = as fast as possible. */
  rate: number;
  /** Event time of the first order, ms since the epoch. */
  startMs?: number | undefined;
  /** Orders per second of event time, in place of what the table says. */
  eventRatePerSecond?: number | undefined;
  /** A day of events, of which the last have expired by now. */
  isBackfill?: boolean | undefined;
  shares?: Partial<Shares> | undefined;
  outOfOrdernessMs?: number | undefined;
  timeoutMs?: number | undefined;
  valueFormat?: ValueFormat | undefined;
}

export interface Schedule {
  startMs: number;
  eventRatePerSecond: number;
  /** When to send a message, ms since the epoch; undefined: at once. */
  dueMs?: (message: ScenarioMessage, index: number) => number;
  /** Event time is the wall clock's: each message is sent when it arrives there. */
  isOnClock?: boolean;
}

const DAY_MS = 86_400_000;

/** More orders than can be sent in a second, so that event time falls behind the wall clock. */
const UNREACHED_RATE_PER_SECOND = 200_000;

export function schedule(options: ScheduleOptions, nowMs: number): Schedule {
  const { which, count, rate, startMs, eventRatePerSecond } = options;
  if (!(rate >= 0 && rate < Number.POSITIVE_INFINITY)) {
    throw new RangeError(`rate is ${rate}, not a number of messages per second`);
  }
  if (options.isBackfill) return backfill(options, nowMs);
  if (rate > 0) {
    // One topic alone is paced by its orders, so that two processes with the same rate stay in step.
    const perOrder = which === "all" ? messagesPerOrder(completeShares(options.shares), "all") : 1;
    const pace = eventRatePerSecond ?? rate / perOrder;
    if (startMs === undefined) {
      return {
        startMs: nowMs,
        eventRatePerSecond: pace,
        dueMs: (message) => message.arrivalMs,
        isOnClock: true,
      };
    }
    const dueMs = (_: ScenarioMessage, index: number): number => nowMs + (index * 1000) / rate;
    return { startMs, eventRatePerSecond: pace, dueMs };
  }
  if (startMs !== undefined) {
    return { startMs, eventRatePerSecond: eventRatePerSecond ?? DEFAULT_EVENT_RATE_PER_SECOND };
  }
  if (count === Number.POSITIVE_INFINITY) {
    return { startMs: nowMs, eventRatePerSecond: eventRatePerSecond ?? UNREACHED_RATE_PER_SECOND };
  }
  const pace = eventRatePerSecond ?? DEFAULT_EVENT_RATE_PER_SECOND;
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const outOfOrdernessMs = options.outOfOrdernessMs ?? DEFAULT_OUT_OF_ORDERNESS_MS;
  const durationMs = Math.ceil((count / pace) * 1000);
  return { startMs: nowMs - durationMs - 2 * (timeoutMs + outOfOrdernessMs), eventRatePerSecond: pace };
}

/** The day ends where delayed payments of its last orders have come and nothing waits for anything any more. */
function backfill(options: ScheduleOptions, nowMs: number): Schedule {
  const { count, startMs, eventRatePerSecond } = options;
  if (count === Number.POSITIVE_INFINITY) throw new RangeError("a backfill needs a number of orders");
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const outOfOrdernessMs = options.outOfOrdernessMs ?? DEFAULT_OUT_OF_ORDERNESS_MS;
  const pace = eventRatePerSecond ?? Math.max(1, count) / (DAY_MS / 1000);
  const durationMs = Math.ceil((count / pace) * 1000);
  return {
    startMs: startMs ?? nowMs - durationMs - 2 * (timeoutMs + outOfOrdernessMs),
    eventRatePerSecond: pace,
  };
}

/** What a scenario needs of a schedule. */
export function scenarioOptions(
  options: ScheduleOptions & { seed: number },
  { startMs, eventRatePerSecond }: Schedule,
): ScenarioOptions {
  const { seed, count, which, shares, outOfOrdernessMs, timeoutMs, valueFormat } = options;
  return {
    seed,
    orders: count,
    startMs,
    eventRatePerSecond,
    which,
    ...(shares !== undefined && { shares }),
    ...(outOfOrdernessMs !== undefined && { outOfOrdernessMs }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(valueFormat !== undefined && { valueFormat }),
  };
}
