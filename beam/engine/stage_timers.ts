/**
 * The timers of one stage: which are set, and which are due. A timer lives in a table of the store, one for each
 * family, or, without a tag, in front of its key's state (timed_records.ts); the queues hold hints to it by its address
 * (see timer_queue.ts). So a timer that is moved, cleared or fired leaves its old hints behind, and each hint is checked
 * against the record when its time comes.
 *
 * Record: key = { encoded key, encoded window, tag }, value = { instant fire time, instant output timestamp,
 * int32 length of key and window }.
 */
import { ByteReader, ByteWriter } from "../model/bytes.js";
import { readInstant, writeInstant } from "../model/coders/instant.js";
import type { TimeDomain } from "../model/timer.js";
import type { TimestampMs } from "../model/timestamps.js";
import { addressOf, type ByteTable, isNewRecord } from "../store/byte_table.js";
import type { Slab } from "../store/slab.js";
import type { Store } from "../store/store.js";
import { Holds } from "./holds.js";
import { type FrontTimer, TimedRecords, type TimerSettings } from "./timed_records.js";
import { TimerQueue } from "./timer_queue.js";

/** A timer that fired. Reused: valid until the next one. */
export interface DueTimer {
  readonly identity: ByteReader;
  keyAndWindowLength: number;
  tag: string;
  fireTimestamp: TimestampMs;
  outputTimestamp: TimestampMs;
}

interface Family {
  readonly transformId: string;
  readonly name: string;
  readonly timeDomain: TimeDomain;
  readonly table: ByteTable;
  /** Where its timers without a tag are; undefined: in `table` too. */
  readonly records: TimedRecords | undefined;
  readonly settings: TimerSettings;
}

/** So many timers fire between two looks at the clock. */
const FIRINGS_PER_LOOK = 64;
const VALUE_BYTES = 20;
/** Below this many entries a queue is not worth clearing of stale hints. */
const QUEUE_SIZE_MIN = 1024;

export class StageTimers {
  readonly holds = new Holds();
  readonly #families: Family[] = [];
  /** By the number of a table. */
  readonly #byOwner: Family[] = [];
  /** Where the records of all families lie. */
  #slab: Slab | undefined;
  readonly #queues: Record<TimeDomain, TimerQueue> = {
    event: new TimerQueue(),
    processing: new TimerQueue(),
  };
  readonly #value = new ByteReader();
  readonly #due: DueTimer = {
    identity: new ByteReader(),
    keyAndWindowLength: 0,
    tag: "",
    fireTimestamp: 0,
    outputTimestamp: 0,
  };

  constructor(private readonly store: Store) {}

  /** Timers that are set. */
  count(timeDomain: TimeDomain): number {
    let count = 0;
    for (const family of this.#families) {
      if (family.timeDomain === timeDomain) count += family.table.size + (family.records?.timers ?? 0);
    }
    return count;
  }

  /** Entries of the queue, stale ones included. */
  hints(timeDomain: TimeDomain): number {
    return this.#queues[timeDomain].size;
  }

  /** When they will fire: as `TimerQueue.histogram`. */
  histogram(timeDomain: TimeDomain): Iterable<{ readonly time: TimestampMs; readonly count: number }> {
    return this.#queues[timeDomain].histogram();
  }

  /**
   * @param tableName of the table that the family's timers live in: those that are there already are set
   * @param recordsName of the table whose records have room for the family's timers without a tag
   */
  family(
    transformId: string,
    name: string,
    timeDomain: TimeDomain,
    tableName: string,
    recordsName?: string,
  ): TimerFamily {
    const known = this.#families.find((one) => one.transformId === transformId && one.name === name);
    const family = known ?? this.#add(transformId, name, timeDomain, tableName, recordsName);
    return new TimerFamily(family, this.#queues[timeDomain], this.holds, () => this.#tidy(timeDomain));
  }

  #add(
    transformId: string,
    name: string,
    timeDomain: TimeDomain,
    tableName: string,
    recordsName: string | undefined,
  ): Family {
    const table = this.store.table(tableName);
    const settings: TimerSettings = { setCount: 0, lastSetAt: 0 };
    const records =
      recordsName === undefined
        ? undefined
        : new TimedRecords(this.store.table(recordsName), this.#queues[timeDomain], this.holds, settings);
    const family = { transformId, name, timeDomain, table, records, settings };
    this.#families.push(family);
    this.#byOwner[table.owner] = family;
    if (records !== undefined) this.#byOwner[records.table.owner] = family;
    this.#slab = table.slab;
    this.#resume(family);
    return family;
  }

  /** Puts the timers of an earlier process back into the queue, and their holds. */
  #resume(family: Family): void {
    const { timeDomain, table, records } = family;
    let set = 0;
    this.#forEach(family, ({ fireAt, outputTimestamp }, address) => {
      set++;
      this.#queues[timeDomain].insert(fireAt, address);
      if (isHold(timeDomain, fireAt, outputTimestamp)) this.holds.add(outputTimestamp);
    });
    if (records !== undefined) records.timers = set - table.size;
  }

  #forEach({ table, records }: Family, visit: (timer: FrontTimer, address: number) => void): void {
    table.forEach((address) => {
      table.readValue(address, this.#value);
      visit({ fireAt: readInstant(this.#value), outputTimestamp: readInstant(this.#value) }, address);
    });
    records?.forEachTimer(visit);
  }

  /** The earlier of `limit` and the next timer; a hint that is stale counts until its time has come. */
  earliestUpTo(timeDomain: TimeDomain, limit: TimestampMs): TimestampMs {
    return this.#queues[timeDomain].earliestUpTo(limit);
  }

  /** Whether a timer is due by `limit`; a stale hint counts until its time has come. */
  hasDue(timeDomain: TimeDomain, limit: TimestampMs): boolean {
    return this.#queues[timeDomain].hasDue(limit);
  }

  /** The time of the next timer, stale hints included; MAX_TIMESTAMP when there is none. */
  nextTime(timeDomain: TimeDomain): TimestampMs {
    return this.#queues[timeDomain].nextTime();
  }

  /**
   * Takes out the timers due by `limit` one by one, in the order of their times, `countMax` at most, and fires each.
   * A timer that a callback sets takes its place in the order; when a callback sets its own timer for the very time
   * that it fired at, it has done one portion of what there is to do, and the rest is left to the next call. Returns
   * how many fired.
   * @param isOver asked now and then: true ends it, once something has fired
   */
  fireDue(
    timeDomain: TimeDomain,
    limit: TimestampMs,
    countMax: number,
    fire: (transformId: string, family: string, timer: DueTimer) => void,
    isOver: () => boolean = () => false,
  ): number {
    const queue = this.#queues[timeDomain];
    let fired = 0;
    while (fired < countMax) {
      const hintTime = queue.dueTime(limit);
      if (hintTime === undefined) break;
      const family = this.#takeDue(queue.take(), timeDomain, hintTime);
      if (family === undefined) continue;
      fired++;
      const { fireTimestamp } = this.#due;
      const { settings } = family;
      const { setCount } = settings;
      fire(family.transformId, family.name, this.#due);
      if (settings.setCount !== setCount && settings.lastSetAt === fireTimestamp) break;
      if (fired % FIRINGS_PER_LOOK === 0 && isOver()) break;
    }
    return fired;
  }

  /**
   * Reads the timer at `address` into `#due` and removes it; undefined when the hint was stale. A hint of another time
   * than the timer's is, also when the timer is due by now: it would fire it out of order.
   */
  #takeDue(address: number, timeDomain: TimeDomain, hintTime: TimestampMs): Family | undefined {
    const owner = this.#slab!.owner(address);
    const family = this.#byOwner[owner];
    if (family === undefined || family.timeDomain !== timeDomain) return undefined;
    const { table, records } = family;
    const due = this.#due;
    const { identity } = due;
    if (records !== undefined && records.table.owner === owner) {
      if (!records.take(address, hintTime)) return undefined;
      due.fireTimestamp = records.fireTimestamp;
      due.outputTimestamp = records.outputTimestamp;
      // The record stays where it is until the callback has ended with its key.
      table.readKey(address, identity);
      due.keyAndWindowLength = identity.remaining;
      due.tag = "";
      return family;
    }
    table.readValue(address, this.#value);
    const fireTimestamp = readInstant(this.#value);
    if (fireTimestamp !== hintTime) return undefined;
    due.fireTimestamp = fireTimestamp;
    due.outputTimestamp = readInstant(this.#value);
    due.keyAndWindowLength = this.#value.readInt32();
    table.readKey(address, identity);
    const tagAt = identity.position + due.keyAndWindowLength;
    due.tag = tagAt === identity.limit ? "" : identity.buffer.toString("utf8", tagAt, identity.limit);
    this.#copyIdentity();
    table.deleteAt(address);
    if (isHold(timeDomain, due.fireTimestamp, due.outputTimestamp)) this.holds.remove(due.outputTimestamp);
    return family;
  }

  /** The record's memory may be used again by the callback; the copy of its key is not. */
  #copyIdentity(): void {
    const { identity } = this.#due;
    this.#key.reset();
    this.#key.writeBytes(identity.buffer, identity.position, identity.limit);
    identity.reset(this.#key.buffer, 0, this.#key.length);
  }

  readonly #key = new ByteWriter(256);

  /** Rebuilds a queue that is mostly stale hints, so that timers set again and again take bounded memory. */
  #tidy(timeDomain: TimeDomain): void {
    const queue = this.#queues[timeDomain];
    if (queue.size < QUEUE_SIZE_MIN || queue.size < 4 * this.count(timeDomain)) return;
    queue.clear();
    for (const family of this.#families) {
      if (family.timeDomain !== timeDomain) continue;
      this.#forEach(family, ({ fireAt }, address) => queue.insert(fireAt, address));
    }
  }
}

/** One family, as the operator that owns it sees it. */
export class TimerFamily {
  readonly #identity = new ByteWriter(256);
  readonly #value = new ByteWriter(VALUE_BYTES);
  readonly #old = new ByteReader();
  #untilTidy = QUEUE_SIZE_MIN;

  constructor(
    private readonly family: Family,
    private readonly queue: TimerQueue,
    private readonly holds: Holds,
    private readonly tidy: () => void,
  ) {}

  /** Where the timers without a tag are, beside the state of their keys. */
  get records(): TimedRecords | undefined {
    return this.family.records;
  }

  set(key: ByteWriter, tag: string, fireAt: TimestampMs, outputTimestamp: TimestampMs): void {
    if (--this.#untilTidy === 0) {
      this.#untilTidy = QUEUE_SIZE_MIN;
      this.tidy();
    }
    const { records, settings } = this.family;
    if (records !== undefined && tag === "") {
      records.setTimer(key, fireAt, outputTimestamp);
      return;
    }
    const value = this.#value;
    settings.setCount++;
    settings.lastSetAt = fireAt;
    value.reset();
    writeInstant(fireAt, value);
    writeInstant(outputTimestamp, value);
    value.writeInt32(key.length);
    const swapped = this.family.table.swap(this.#identify(key, tag), value);
    const address = addressOf(swapped);
    if (!isNewRecord(swapped)) {
      this.#old.reset(value.buffer, 0, value.length);
      const oldFireAt = readInstant(this.#old);
      this.#releaseHold(oldFireAt, readInstant(this.#old));
      if (oldFireAt !== fireAt) this.queue.insert(fireAt, address);
    } else {
      this.queue.insert(fireAt, address);
    }
    if (isHold(this.family.timeDomain, fireAt, outputTimestamp)) this.holds.add(outputTimestamp);
  }

  clear(key: ByteWriter, tag: string): void {
    const { table, records } = this.family;
    if (records !== undefined && tag === "") {
      records.clearTimer(key);
      return;
    }
    const identity = this.#identify(key, tag);
    if (!table.get(identity, this.#old)) return;
    const fireAt = readInstant(this.#old);
    this.#releaseHold(fireAt, readInstant(this.#old));
    table.delete(identity);
  }

  #identify(key: ByteWriter, tag: string): ByteWriter {
    const identity = this.#identity;
    identity.reset();
    identity.writeBytes(key.buffer, 0, key.length);
    if (tag !== "") identity.writeUtf8(tag);
    return identity;
  }

  #releaseHold(fireAt: TimestampMs, outputTimestamp: TimestampMs): void {
    if (isHold(this.family.timeDomain, fireAt, outputTimestamp)) this.holds.remove(outputTimestamp);
  }
}

/** An event-time timer that emits at its own time holds nothing that the timer queue does not hold already. */
function isHold(timeDomain: TimeDomain, fireAt: TimestampMs, outputTimestamp: TimestampMs): boolean {
  return outputTimestamp !== fireAt || timeDomain === "processing";
}
