/**
 * The records of a table that have room for a timer in front of their value: the timer without a tag of a key, beside
 * the key's state. So what comes for a key, and what ends it, finds and writes both at once.
 *
 *     value = flags u8 | 3 bytes 0 | instant fire time | instant output timestamp | state
 *
 * Of the flags 1 says that there is a timer, 2 that there is state; with the zeros the state lies on a whole word.
 *
 * Only event-time timers lie here: one of the processing-time domain would be behind a family of its own.
 *
 * Invariants
 * - A record is there exactly as long as the key has a timer or state.
 * - The queue has a hint with the fire time and the address of each record with a timer. So a record that moves is
 *   hinted at anew, and its old hint is stale.
 * - What is changed of a key is in the table, and in the journal, once the key was left; the state itself at once, and
 *   the timer with it.
 */
import { ByteReader, ByteWriter } from "../model/bytes.js";
import { readInstant, writeInstant } from "../model/coders/instant.js";
import { MIN_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import type { ByteTable } from "../store/byte_table.js";
import type { Holds } from "./holds.js";
import type { TimerQueue } from "./timer_queue.js";

const TIMER = 1;
const STATE = 2;
const ZEROS = 3;
/** In front of the state. */
const FRONT_BYTES = 20;

const NO_BYTES = new ByteWriter(1);

/** How often a family's timers were set, and what the last was set to. */
export interface TimerSettings {
  setCount: number;
  lastSetAt: TimestampMs;
}

/** A timer in front of a record; absent: the record has none. */
export interface FrontTimer {
  readonly fireAt: TimestampMs;
  readonly outputTimestamp: TimestampMs;
}

/** Reads the front of a value, up to its state. */
export function readFront(value: ByteReader): FrontTimer | undefined {
  const flags = value.readByte();
  value.skip(ZEROS);
  const fireAt = readInstant(value);
  const outputTimestamp = readInstant(value);
  return (flags & TIMER) === 0 ? undefined : { fireAt, outputTimestamp };
}

export class TimedRecords {
  /** Timers that are set. */
  timers = 0;
  /** Of the timer that was taken last. */
  fireTimestamp: TimestampMs = 0;
  outputTimestamp: TimestampMs = 0;
  readonly #front = new ByteWriter(FRONT_BYTES);
  readonly #reader = new ByteReader();

  /** The record whose timer was taken, and whose callback has not changed it yet; 0: none. */
  #taken = 0;
  /** Whether what follows is known, of the key that was entered. */
  #isOpen = false;
  #address = 0;
  #hasState = false;
  #isSet = false;
  #fireAt: TimestampMs = 0;
  #output: TimestampMs = 0;
  /** The timer is not the one of the record. */
  #isChanged = false;
  /** What the queue knows. */
  #hintedAddress = 0;
  #hintedTime: TimestampMs = 0;

  constructor(
    readonly table: ByteTable,
    private readonly queue: TimerQueue,
    private readonly holds: Holds,
    private readonly settings: TimerSettings,
  ) {}

  /** Points `out` at the state of a key. False: there is none. */
  get(key: ByteWriter, out: ByteReader): boolean {
    if (!this.#isOpen) this.#open(key);
    if (!this.#hasState) return false;
    this.table.readValue(this.#address, out);
    out.position += FRONT_BYTES;
    return true;
  }

  put(key: ByteWriter, state: ByteWriter): void {
    if (!this.#isOpen) this.#open(key);
    this.#hasState = true;
    this.#write(key, state);
  }

  append(key: ByteWriter, added: ByteWriter): void {
    if (!this.#isOpen) this.#open(key);
    if (this.#hasState) this.#address = this.table.append(key, added);
    else this.put(key, added);
  }

  delete(key: ByteWriter): void {
    if (!this.#isOpen) this.#open(key);
    if (!this.#hasState) return;
    this.#hasState = false;
    this.#isChanged = false;
    if (this.#isSet) {
      this.#write(key, NO_BYTES);
    } else {
      this.table.deleteAt(this.#address);
      this.#address = 0;
    }
  }

  setTimer(key: ByteWriter, fireAt: TimestampMs, outputTimestamp: TimestampMs): void {
    if (!this.#isOpen) this.#open(key);
    if (this.#isSet) this.#releaseHold();
    else this.timers++;
    this.#isSet = true;
    this.#isChanged = true;
    this.#fireAt = fireAt;
    this.#output = outputTimestamp;
    if (fireAt !== outputTimestamp) this.holds.add(outputTimestamp);
    this.settings.setCount++;
    this.settings.lastSetAt = fireAt;
  }

  clearTimer(key: ByteWriter): void {
    if (!this.#isOpen) this.#open(key);
    if (!this.#isSet) return;
    this.#releaseHold();
    this.timers--;
    this.#isSet = false;
    this.#isChanged = true;
  }

  /** Ends the work on a key: its timer is stored, if it was not with the state. */
  leave(key: ByteWriter): void {
    if (!this.#isOpen) {
      if (this.#taken === 0) return;
      this.#open(key);
    }
    this.#isOpen = false;
    if (this.#isChanged) this.#storeTimer(key);
    if (!this.#isSet || (this.#address === this.#hintedAddress && this.#fireAt === this.#hintedTime)) return;
    this.queue.insert(this.#fireAt, this.#address);
  }

  /** Throws when a key was not left. */
  checkLeft(): void {
    if (this.#isOpen) throw new Error("a key's state is still at work, and another key was entered");
  }

  /**
   * Takes the timer out of the record at `address`, if it is the one that is hinted at; `leave` notes it down. False:
   * the hint is stale.
   */
  take(address: number, hintTime: TimestampMs): boolean {
    const reader = this.#reader;
    this.table.readValue(address, reader);
    const { buffer, position } = reader;
    const flags = reader.readByte();
    if ((flags & TIMER) === 0) return false;
    reader.skip(ZEROS);
    const fireAt = readInstant(reader);
    if (fireAt !== hintTime) return false;
    this.fireTimestamp = fireAt;
    this.outputTimestamp = readInstant(reader);
    buffer[position] = flags & ~TIMER;
    this.#taken = address;
    this.timers--;
    if (fireAt !== this.outputTimestamp) this.holds.remove(this.outputTimestamp);
    return true;
  }

  /** Calls `visit` with each timer and the address of its record. */
  forEachTimer(visit: (timer: FrontTimer, address: number) => void): void {
    this.table.forEach((address) => {
      this.table.readValue(address, this.#reader);
      const timer = readFront(this.#reader);
      if (timer !== undefined) visit(timer, address);
    });
  }

  /** Looks the key up; one whose timer was taken is at hand. */
  #open(key: ByteWriter): void {
    const taken = this.#taken;
    this.#taken = 0;
    this.#isOpen = true;
    // The record says already that the timer is gone, and the journal does not.
    this.#isChanged = taken !== 0;
    const address = taken === 0 ? this.table.find(key) : taken;
    this.#address = address;
    if (address === 0) {
      this.#hasState = false;
      this.#isSet = false;
      this.#hintedAddress = 0;
      return;
    }
    const reader = this.#reader;
    this.table.readValue(address, reader);
    const flags = reader.readByte();
    this.#hasState = (flags & STATE) !== 0;
    this.#isSet = (flags & TIMER) !== 0;
    this.#hintedAddress = 0;
    if (!this.#isSet) return;
    reader.skip(ZEROS);
    this.#fireAt = readInstant(reader);
    this.#output = readInstant(reader);
    this.#hintedAddress = address;
    this.#hintedTime = this.#fireAt;
  }

  #storeTimer(key: ByteWriter): void {
    const { table } = this;
    this.#isChanged = false;
    if (this.#address === 0) {
      if (this.#isSet) this.#write(key, NO_BYTES);
    } else if (this.#isSet || this.#hasState) {
      table.patch(this.#address, this.#encodedFront());
    } else {
      table.deleteAt(this.#address);
      this.#address = 0;
    }
  }

  #write(key: ByteWriter, state: ByteWriter): void {
    const { table } = this;
    const front = this.#encodedFront();
    this.#address =
      this.#address === 0 ? table.put(key, state, front) : table.putAt(this.#address, key, state, front);
    this.#isChanged = false;
  }

  #encodedFront(): ByteWriter {
    const front = this.#front;
    front.reset();
    front.writeByte((this.#isSet ? TIMER : 0) | (this.#hasState ? STATE : 0));
    for (let i = 0; i < ZEROS; i++) front.writeByte(0);
    writeInstant(this.#isSet ? this.#fireAt : MIN_TIMESTAMP, front);
    writeInstant(this.#isSet ? this.#output : MIN_TIMESTAMP, front);
    return front;
  }

  #releaseHold(): void {
    if (this.#fireAt !== this.#output) this.holds.remove(this.#output);
  }
}
