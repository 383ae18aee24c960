/**
 * Watches how many of a partition's records are refused for their time: too old, or from the future. Above a tenth in a
 * minute something is wrong, most often a clock or a setting, and the health of the run says what it may be. The next
 * minute without so many clears it.
 */

import type { TimestampMs } from "@order-payment-stream/beam";
import type { Clock, HealthReporter, TrustedClock } from "@order-payment-stream/beam/io";

/** Why a record's time is refused. */
export type Untimely = "late" | "future";

const MINUTE_MS = 60_000;
const SHARE_MAX = 0.1;
/** From so many records on the minute's end is not waited for. */
const ENOUGH_RECORDS = 20;

interface Minute {
  startedAtMs: number;
  records: number;
  late: number;
  future: number;
  /** The watermark was ahead of the clock when a record was late: only a record can have moved it there. */
  isWatermarkAhead: boolean;
}

export class UntimelyRecords {
  readonly #minutes = new Map<string, Minute>();
  /** By what is reported, the partitions that have too many, and the sentence. */
  readonly #reported = new Map<Untimely, Map<string, string>>([
    ["late", new Map()],
    ["future", new Map()],
  ]);

  constructor(
    private readonly clock: Clock,
    private readonly trustedClock: TrustedClock,
    private readonly health: HealthReporter,
  ) {}

  /**
   * What a piece of reading has brought; nothing is news too, for the minute goes by.
   * @param name of the partition
   * @param watermark of the partition, behind it
   */
  note(name: string, records: number, late: number, future: number, watermark: TimestampMs): void {
    const now = this.clock.elapsed();
    let minute = this.#minutes.get(name);
    if (minute === undefined) {
      if (records === 0) return;
      minute = newMinute(now);
      this.#minutes.set(name, minute);
    } else if (now - minute.startedAtMs >= MINUTE_MS) {
      this.#judge(name, minute, true);
      Object.assign(minute, newMinute(now));
    }
    if (records === 0) return;
    minute.records += records;
    minute.late += late;
    minute.future += future;
    if (late > 0 && watermark > this.trustedClock.latest()) minute.isWatermarkAhead = true;
    if (late + future > 0 && minute.records >= ENOUGH_RECORDS) this.#judge(name, minute, false);
  }

  /** The partition has been read to its end. */
  end(name: string): void {
    const minute = this.#minutes.get(name);
    if (minute === undefined) return;
    this.#minutes.delete(name);
    if (minute.records > 0) this.#judge(name, minute, false);
  }

  #judge(name: string, minute: Minute, isOver: boolean): void {
    for (const why of ["late", "future"] as const) {
      const isTooMany = minute[why] > minute.records * SHARE_MAX;
      if (isTooMany) this.#report(why, name, minute);
      else if (isOver) this.#clear(why, name);
    }
  }

  #report(why: Untimely, name: string, minute: Minute): void {
    const partitions = this.#reported.get(why)!;
    if (partitions.has(name)) return;
    const share = `${minute[why]} of ${minute.records} records of ${name} within a minute`;
    partitions.set(name, why === "late" ? lateSentence(share, minute) : this.#futureSentence(share));
    this.#tell(why);
  }

  #clear(why: Untimely, name: string): void {
    if (this.#reported.get(why)!.delete(name)) this.#tell(why);
  }

  #tell(why: Untimely): void {
    const component = why === "late" ? "late records" : "records from the future";
    const [first, ...others] = this.#reported.get(why)!.values();
    if (first === undefined) this.health.clear(component);
    else
      this.health.report(
        component,
        others.length === 0 ? first : `${first} (and ${others.length} other partitions)`,
      );
  }

  #futureSentence(share: string): string {
    const shown = new Date(this.clock.now()).toISOString();
    const cause =
      this.trustedClock.problem() ??
      `the clock of this machine, which shows ${shown}, may be behind; or the clocks of the producers are ahead, or ` +
        "their times in another unit than milliseconds";
    return `${share} are dated too far ahead of the clock and became dead letters (FUTURE_TIMESTAMP): ${cause}`;
  }
}

function lateSentence(share: string, { isWatermarkAhead }: Minute): string {
  const cause = isWatermarkAhead
    ? "the watermark is ahead of the clock, so a record from the future has moved it (MAX_AHEAD_OF_CLOCK refuses those)"
    : "records come in greater disorder than MAX_OUT_OF_ORDERNESS allows for, the clock of a producer is behind, or a " +
      "record from the future has moved the watermark";
  return `${share} came when the watermark had passed their expiry and became dead letters (LATE): ${cause}`;
}

function newMinute(startedAtMs: number): Minute {
  return { startedAtMs, records: 0, late: 0, future: 0, isWatermarkAhead: false };
}
