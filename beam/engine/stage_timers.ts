/**
 * The timers of one stage: which are set, and which are due. A timer lives in a table of the store, one for each
 * family, or, without a tag, in front of its key's state, beside those of other families (timed_records.ts); the
 * queues hold hints to it by its address (see timer_queue.ts). So a timer that is moved, cleared or fired leaves its old
 * hints behind, and each hint is checked against the record when its time comes.
 *
 * Record: key = { encoded key, encoded window, tag }, value = { instant fire time, instant output timestamp,
 * int32 length of key and window }.
 */
import { ByteReader, ByteWriter } from "../model/bytes.js";
import { readInstant, writeInstant } from "../model/coders/instant.js";
import type { TimeDomain } from "../model/timer.js";
import { MIN_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import { addressOf, type ByteTable, isNewRecord } from "../store/byte_table.js";
import type { Slab } from "../store/slab.js";
import type { Store } from "../store/store.js";
import { Holds } from "./holds.js";
import { type FrontTimer, TimedRecords } from "./timed_records.js";
import { TimerQueue } from "./timer_queue.js";

/** A timer that fired. Reused: valid until the next one. */
export interface DueTimer {
  readonly identity: ByteReader;
  keyAndWindowLength: number;
  tag: string;
  fireTimestamp: TimestampMs;
  outputTimestamp: TimestampMs;
}

/** Records of state that have room for the timers without a tag of some families. */
export interface TimersBeside {
  readonly tableName: string;
  /** How many families. */
  readonly slots: number;
  /** Of the family that is asked for. */
  readonly slot: number;
}

interface Family {
  readonly transformId: string;
  readonly name: string;
  readonly timeDomain: TimeDomain;
  readonly table: ByteTable;
  /** Where its timers without a tag are; undefined: in `table` too. */
  readonly records: TimedRecords | undefined;
  /** In `records`. */
  readonly slot: number;
  /** How often its timers were set, and what the last was set to. */
  setCount: number;
  lastSetAt: TimestampMs;
}

interface RecordsOfFamilies {
  readonly records: TimedRecords;
  readonly bySlot: Family[];
}

type TimerTimes = Pick<FrontTimer, "fireAt" | "outputTimestamp">;

/** So many timers fire between two looks at the clock. */
const FIRINGS_PER_LOOK = 64;
const VALUE_BYTES = 20;
/** Below this many entries a queue is not worth clearing of stale hints. */
const QUEUE_SIZE_MIN = 1024;

export class StageTimers {
  readonly holds = new Holds();
  /** The last call of `fireDue` ended with a timer that has more to do at its very time: see there. */
  isPortionLeft = false;
  readonly #families: Family[] = [];
  readonly #records: TimedRecords[] = [];
  /** By the number of a table: whose timers it holds, or what records. */
  readonly #byOwner: Family[] = [];
  readonly #recordsByOwner: RecordsOfFamilies[] = [];
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
    fireTimestamp: MIN_TIMESTAMP,
    outputTimestamp: MIN_TIMESTAMP,
  };

  constructor(private readonly store: Pick<Store, "table">) {}

  /** Timers that are set. */
  count(timeDomain: TimeDomain): number {
    let count = 0;
    for (const family of this.#families) if (family.timeDomain === timeDomain) count += family.table.size;
    if (timeDomain === "event") for (const records of this.#records) count += records.timers;
    return count;
  }

  /** Entries of the queue, stale ones included. */
  hints(timeDomain: TimeDomain): number {
    return this.#queues[timeDomain].size;
  }

  /** Calls `visit` with the time of each timer that is set; stale hints are timers too. */
  forEachTime(timeDomain: TimeDomain, visit: (time: TimestampMs) => void): void {
    this.#queues[timeDomain].forEachTime(visit);
  }

  /** When they will fire: as `TimerQueue.histogram`. */
  histogram(timeDomain: TimeDomain): Iterable<{ readonly time: TimestampMs; readonly count: number }> {
    return this.#queues[timeDomain].histogram();
  }

  /**
   * @param tableName of the table that the family's timers live in: those that are there already are set
   * @param beside where the family's timers without a tag are, if not in that table
   */
  family(
    transformId: string,
    name: string,
    timeDomain: TimeDomain,
    tableName: string,
    beside?: TimersBeside,
  ): TimerFamily {
    const known = this.#families.find((one) => one.transformId === transformId && one.name === name);
    const family = known ?? this.#add(transformId, name, timeDomain, tableName, beside);
    return new TimerFamily(family, this.#queues[timeDomain], this.holds, () => this.#tidy(timeDomain));
  }

  #add(
    transformId: string,
    name: string,
    timeDomain: TimeDomain,
    tableName: string,
    beside: TimersBeside | undefined,
  ): Family {
    const table = this.store.table(tableName);
    const shared = beside === undefined ? undefined : this.#recordsOf(beside);
    const family: Family = {
      transformId,
      name,
      timeDomain,
      table,
      records: shared?.records,
      slot: beside?.slot ?? 0,
      setCount: 0,
      lastSetAt: MIN_TIMESTAMP,
    };
    this.#families.push(family);
    this.#byOwner[table.owner] = family;
    if (shared !== undefined) shared.bySlot[family.slot] = family;
    this.#slab = table.slab;
    this.#forEachIn(table, (timer, address) => this.#resume(timeDomain, timer, address));
    return family;
  }

  /** The records of a table, which several families share. */
  #recordsOf({ tableName, slots }: TimersBeside): RecordsOfFamilies {
    const table = this.store.table(tableName);
    const known = this.#recordsByOwner[table.owner];
    if (known !== undefined) return known;
    const records = new TimedRecords(table, slots, this.#queues.event, this.holds);
    records.forEachTimer((timer, address) => {
      records.timers++;
      this.#resume("event", timer, address);
    });
    const shared = { records, bySlot: [] };
    this.#records.push(records);
    this.#recordsByOwner[table.owner] = shared;
    return shared;
  }

  /** Puts a timer of an earlier process back into the queue, and its hold. */
  #resume(timeDomain: TimeDomain, { fireAt, outputTimestamp }: TimerTimes, address: number): void {
    this.#queues[timeDomain].insert(fireAt, address);
    if (isHold(timeDomain, fireAt, outputTimestamp)) this.holds.add(outputTimestamp);
  }

  #forEachIn(table: ByteTable, visit: (timer: TimerTimes, address: number) => void): void {
    table.forEach((address) => {
      table.readValue(address, this.#value);
      visit({ fireAt: readInstant(this.#value), outputTimestamp: readInstant(this.#value) }, address);
    });
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
    this.isPortionLeft = false;
    while (fired < countMax) {
      const hintTime = queue.dueTime(limit);
      if (hintTime === undefined) break;
      const family = this.#takeDue(queue.take(), timeDomain, hintTime);
      if (family === undefined) continue;
      fired++;
      const { fireTimestamp } = this.#due;
      const { setCount } = family;
      fire(family.transformId, family.name, this.#due);
      if (family.setCount !== setCount && family.lastSetAt === fireTimestamp) {
        this.isPortionLeft = true;
        break;
      }
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
    const due = this.#due;
    const { identity } = due;
    const shared = this.#recordsByOwner[owner];
    if (shared !== undefined) {
      const { records, bySlot } = shared;
      const slot = timeDomain === "event" ? records.take(address, hintTime) : -1;
      if (slot === -1) return undefined;
      due.fireTimestamp = records.fireTimestamp;
      due.outputTimestamp = records.outputTimestamp;
      // The record stays where it is until the callback has ended with its key.
      records.table.readKey(address, identity);
      due.keyAndWindowLength = identity.remaining;
      due.tag = "";
      return bySlot[slot];
    }
    const family = this.#byOwner[owner];
    if (family === undefined || family.timeDomain !== timeDomain) return undefined;
    const { table } = family;
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
    const insert = ({ fireAt }: TimerTimes, address: number): void => queue.insert(fireAt, address);
    for (const family of this.#families) {
      if (family.timeDomain === timeDomain) this.#forEachIn(family.table, insert);
    }
    if (timeDomain === "event") for (const records of this.#records) records.forEachTimer(insert);
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
    const { family } = this;
    const { records } = family;
    family.setCount++;
    family.lastSetAt = fireAt;
    if (records !== undefined && tag === "") {
      records.setTimer(family.slot, key, fireAt, outputTimestamp);
      return;
    }
    const value = this.#value;
    value.reset();
    writeInstant(fireAt, value);
    writeInstant(outputTimestamp, value);
    value.writeInt32(key.length);
    const swapped = family.table.swap(this.#identify(key, tag), value);
    const address = addressOf(swapped);
    if (!isNewRecord(swapped)) {
      this.#old.reset(value.buffer, 0, value.length);
      const oldFireAt = readInstant(this.#old);
      this.#releaseHold(oldFireAt, readInstant(this.#old));
      if (oldFireAt !== fireAt) this.queue.insert(fireAt, address);
    } else {
      this.queue.insert(fireAt, address);
    }
    if (isHold(family.timeDomain, fireAt, outputTimestamp)) this.holds.add(outputTimestamp);
  }

  clear(key: ByteWriter, tag: string): void {
    const { table, records, slot } = this.family;
    if (records !== undefined && tag === "") {
      records.clearTimer(slot, key);
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
