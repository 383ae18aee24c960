/**
 * A shard: the state and the timers of many keys of one stateful step, in this worker's memory, and at the runner as one
 * log of what has changed. So what a bundle does to a thousand keys is one request to the runner, and none where it reads.
 *
 * The runner's part of a shard is a bag, whose bytes are changes one behind the other (store/journal.ts), and a timer
 * for each second in which some of the shard's own timers fire: its wake.
 *
 * Invariants
 * - What the log says, applied in its order, is what is in memory, whenever the shard was flushed.
 * - The runner has a wake at or after each timer of the shard, and before the next second; it holds the watermark at or
 *   before the earliest of them, and at or before each output timestamp that a timer holds.
 * - A shard of which nothing is stored has no log.
 */
import { StageTimers } from "../engine/stage_timers.js";
import type { StateOfKey } from "../exec/keyed_state.js";
import type { FiredTimer } from "../exec/operator.js";
import { type ByteReader, ByteWriter } from "../model/bytes.js";
import { GLOBAL_WINDOW_MAX, MAX_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import type { ByteTable } from "../store/byte_table.js";
import { type ChangeList, FORMAT, Journal, replay, writeName, writeRecordAt } from "../store/journal.js";
import { Tables } from "../store/tables.js";
import { statePlaces } from "../stored_state/state_places.js";
import { type StatePlaces, StoredState, type StoredTimers } from "../stored_state/stored_state.js";

/** A timer fires with the others of its second of event time: fewer timers at the runner, which is where they cost. */
const WAKE_EVERY_MS = 1_000;
/** So many fire in one go; what is left then is done in the next, so that other shards have their turn. */
const FIRED_MAX = 4_096;
/** Tag of the timer that holds the watermark for timers with output timestamps of their own. */
export const HOLD_TAG = "hold";
/** Of large values, in their decoded form: there are many shards. */
const REMEMBERED_BYTES_MAX = 1 << 20;
/** Memory for changes that is kept from batch to batch. */
const CHANGES_KEPT_MAX = 1 << 20;
/** The log is written anew once it is twice as long as then, and this longer. */
const LOG_SLACK_BYTES = 256 << 10;

/** Of a record in the log, about. */
const RECORD_HEAD_BYTES = 16;
/** What the name of that table begins with. */
const IDENTITY = "its keys were put into ";

/** The names of a shard's tables are its own, so that of the step is not needed. */
export const STEP = "";

/** Where a shard is stored: the numbers of its cell and of its timers. */
export interface ShardPlace {
  readonly log: number;
  readonly wake: number;
}

/** What a step declares of its state. */
export interface Declared {
  /** In its order. */
  readonly declarations: readonly ((state: StoredState) => void)[];
  /** Of all that it may make. */
  readonly tables: ReadonlySet<string>;
}

/** The log of a shard is none of this step, or of as many shards: going on with it would lose what waits. */
export class ForeignLogError extends Error {
  override readonly name = "ForeignLogError";
}

export class Shard {
  readonly state: StoredState;
  readonly #journal = new Journal();
  readonly #tables = new Tables(this.#journal);
  readonly #timers: StageTimers;
  /** Tables whose names are in the log: the first ones. */
  #named = 0;
  #logBytes: number;
  #rewriteAtBytes: number;
  /** By the times of wakes that the runner has, the earliest timer of each. */
  readonly #wakes = new Map<TimestampMs, TimestampMs>();
  /** Those that it is to be told of. */
  readonly #newWakes = new Set<TimestampMs>();
  /** What HOLD_TAG holds; MAX_TIMESTAMP: there is no such timer. */
  #held: TimestampMs = MAX_TIMESTAMP;

  /**
   * @param shards how many there are
   * @param log what the runner has of it
   * @throws CorruptBytesError, ForeignLogError
   */
  constructor(
    transformId: string,
    private readonly place: ShardPlace,
    shards: number,
    { declarations, tables }: Declared,
    log: ByteReader,
  ) {
    this.#logBytes = log.remaining;
    replay(log, this.#tables);
    this.#named = this.#tables.names().size;
    this.#identify(shards, tables);
    // What is stored counts, and not how long the log was: it would grow with each restart.
    this.#rewriteAtBytes = 2 * this.#storedBytes() + LOG_SLACK_BYTES;
    this.#journal.isReplaying = false;
    const table = (name: string): ByteTable => this.#tables.get(name) ?? this.#tables.add(name);
    const timers = new StageTimers({ table });
    this.#timers = timers;
    const stored = statePlaces(STEP, transformId, table, timers);
    const places: StatePlaces = {
      ...stored,
      timers: (...family) => this.#waking(stored.timers(...family)),
    };
    this.state = new StoredState(places, REMEMBERED_BYTES_MAX);
    for (const declare of declarations) declare(this.state);
    timers.forEachTime("event", (fireAt) => this.#noteWake(fireAt));
    this.#newWakes.clear();
    this.#held = timers.holds.min();
  }

  /** @param changes where what happens to the shard is noted from now on */
  noteIn(changes: ChangeList): void {
    this.#journal.noteIn(changes);
  }

  /** The runner's timer that holds the watermark has fired: it holds nothing any more. */
  holdFired(): void {
    this.#held = MAX_TIMESTAMP;
  }

  /**
   * Fires the timers that are due with a wake.
   * @param time of the wake
   */
  wake(time: TimestampMs, fire: (family: string, timer: FiredTimer) => void): void {
    this.#wakes.delete(time);
    this.#timers.fireDue("event", time, FIRED_MAX, (_, family, timer) => fire(family, timer));
    if (this.#timers.hasDue("event", time)) this.#needWake(time, this.#timers.nextTime("event"));
  }

  /**
   * Hands what has changed to the runner's state: at the end of the work on a shard.
   * @param runner the shard's own
   * @param changes where it was noted; left empty
   */
  flush(runner: StateOfKey, { writer }: ChangeList): void {
    this.#flushWakes(runner);
    if (writer.length === 0) return;
    const { log } = this.place;
    if (this.#isEmpty) {
      runner.delete(log);
      this.#named = 0;
      this.#logBytes = 0;
    } else if (this.#logBytes + writer.length > this.#rewriteAtBytes) {
      const whole = this.#whole();
      runner.put(log, whole);
      this.#logBytes = whole.length;
      this.#rewriteAtBytes = 2 * whole.length + LOG_SLACK_BYTES;
    } else {
      const names = this.#newNames();
      if (names !== undefined) runner.append(log, names);
      runner.append(log, writer);
      this.#logBytes += (names?.length ?? 0) + writer.length;
    }
    writer.shrink(CHANGES_KEPT_MAX);
    runner.remember(log, this.#logBytes === 0 ? undefined : this, this.#tables.slab.reservedBytes);
  }

  /** The name of an empty table says how many shards there are, and how their logs are written. */
  #identify(shards: number, known: ReadonlySet<string>): void {
    const own = `${IDENTITY}${shards} shards in format ${FORMAT}`;
    for (const name of this.#tables.names().keys()) {
      if (name === own || known.has(name)) continue;
      const isIdentity = name.startsWith(IDENTITY);
      throw new ForeignLogError(
        isIdentity
          ? `${name}, and now they are ${own.slice(IDENTITY.length)}`
          : `what was kept holds ${name}, which this step has not`,
      );
    }
    if (this.#tables.get(own) === undefined) this.#tables.add(own);
  }

  get #isEmpty(): boolean {
    for (const { size } of this.#tables.names().values()) if (size > 0) return false;
    return true;
  }

  /** Of tables that the log does not know. */
  #newNames(): ByteWriter | undefined {
    const known = this.#tables.names();
    if (this.#named === known.size) return undefined;
    const tables = [...known];
    const names = new ByteWriter(256);
    for (const [name, { owner }] of tables.slice(this.#named)) writeName(names, owner, name);
    this.#named = tables.length;
    return names;
  }

  /** About as much as `#whole` is long. */
  #storedBytes(): number {
    const { slab } = this.#tables;
    let bytes = 0;
    slab.walk(1, slab.end, Number.POSITIVE_INFINITY, (address) => {
      bytes += RECORD_HEAD_BYTES + slab.keyLength(address) + slab.valueLength(address);
    });
    return bytes;
  }

  /** All that is stored, as a log. */
  #whole(): ByteWriter {
    const { slab } = this.#tables;
    const whole = new ByteWriter(LOG_SLACK_BYTES);
    this.#named = 0;
    const names = this.#newNames();
    if (names !== undefined) whole.writeBytes(names.buffer, 0, names.length);
    slab.walk(1, slab.end, Number.POSITIVE_INFINITY, (address) => {
      writeRecordAt(whole, slab, address);
    });
    return whole;
  }

  /** As the timers of a family, each of which needs a wake. */
  #waking(timers: StoredTimers): StoredTimers {
    return {
      records: timers.records,
      set: (key, tag, fireAt, outputTimestamp) => {
        timers.set(key, tag, fireAt, outputTimestamp);
        this.#noteWake(fireAt);
      },
      clear: (key, tag) => timers.clear(key, tag),
    };
  }

  #noteWake(fireAt: TimestampMs): void {
    const end = Math.ceil(fireAt / WAKE_EVERY_MS) * WAKE_EVERY_MS;
    this.#needWake(Math.min(end, GLOBAL_WINDOW_MAX), fireAt);
  }

  #needWake(time: TimestampMs, fireAt: TimestampMs): void {
    const earliest = this.#wakes.get(time);
    if (earliest !== undefined && earliest <= fireAt) return;
    this.#wakes.set(time, fireAt);
    this.#newWakes.add(time);
  }

  #flushWakes(runner: StateOfKey): void {
    const { wake } = this.place;
    for (const time of this.#newWakes) {
      // It may have fired since, and nothing be left for it.
      const earliest = this.#wakes.get(time);
      if (earliest !== undefined) runner.setTimer(wake, String(time), time, earliest);
    }
    this.#newWakes.clear();
    const held = this.#timers.holds.min();
    if (held === this.#held) return;
    this.#held = held;
    if (held === MAX_TIMESTAMP) runner.clearTimer(wake, HOLD_TAG);
    else runner.setTimer(wake, HOLD_TAG, GLOBAL_WINDOW_MAX, held);
  }
}
