/**
 * The records of a table that have room for timers in front of their value: of each family the timer without a tag of a
 * key, beside the key's state. So what comes for a key, and what ends it, finds and writes all of it at once.
 *
 *     value = flags u8 | 3 bytes 0 | for each family: instant fire time | instant output timestamp | state
 *
 * Of the flags 2 says that there is state; 1, 4, 8, … that the first family, the second, the third, … has a timer. With
 * the zeros the state lies on a whole word. A family's number is its slot.
 *
 * Only event-time timers lie here: one of the processing-time domain would be behind a family of its own.
 *
 * Invariants
 * - A record is there exactly as long as the key has a timer or state.
 * - The queue has a hint with the fire time and the address of the record for each timer. So a record that moves is
 *   hinted at anew, and its old hints are stale.
 * - What is changed of a key is in the table, and in the journal, once the key was left; the state itself at once, and
 *   the timers with it.
 */
import { ByteReader, ByteWriter } from "../model/bytes.js";
import { readInstant, writeInstant } from "../model/coders/instant.js";
import { TIMED_FAMILIES_MAX } from "../model/timer.js";
import { MIN_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import type { ByteTable } from "../store/byte_table.js";
import type { Holds } from "./holds.js";
import type { TimerQueue } from "./timer_queue.js";

const STATE = 2;
const ZEROS = 3;
const SLOT_BYTES = 16;

/** In the place of a timer that is not set. */
const NO_TIME: TimestampMs = 0;
const NO_BYTES = new ByteWriter(1);

const flagOf = (slot: number): number => (slot === 0 ? 1 : 2 << slot);

/** Of what lies in front of the state. */
const frontBytes = (slots: number): number => 1 + ZEROS + slots * SLOT_BYTES;

/** A timer in front of a record. */
export interface FrontTimer {
  /** Of its family. */
  readonly slot: number;
  readonly fireAt: TimestampMs;
  readonly outputTimestamp: TimestampMs;
}

/** Reads the front of a value, up to its state. @param slots for which the records have room */
export function readFront(value: ByteReader, slots: number): FrontTimer[] {
  const flags = value.readByte();
  value.skip(ZEROS);
  const timers: FrontTimer[] = [];
  for (let slot = 0; slot < slots; slot++) {
    const timer = { slot, fireAt: readInstant(value), outputTimestamp: readInstant(value) };
    if ((flags & flagOf(slot)) !== 0) timers.push(timer);
  }
  return timers;
}

export class TimedRecords {
  /** Timers that are set. */
  timers = 0;
  /**
   * Of the timer that was taken last. Never a small integer: V8 would lay the object out for one, and throw away all code
   * that knows its layout when the first timer fires.
   */
  fireTimestamp: TimestampMs = MIN_TIMESTAMP;
  outputTimestamp: TimestampMs = MIN_TIMESTAMP;
  readonly #frontBytes: number;
  readonly #front: ByteWriter;
  readonly #reader = new ByteReader();

  /** The record of which a timer was taken, and which its callback has not changed yet; 0: none. */
  #taken = 0;
  /** Whether what follows is known, of the key that was entered. */
  #isOpen = false;
  #address = 0;
  #hasState = false;
  /** The flags of the timers that are set. */
  #set = 0;
  /** By slot, of those that are set. */
  readonly #fireAt: Float64Array;
  readonly #output: Float64Array;
  /** The timers are not those of the record. */
  #isChanged = false;
  /** What the queue knows: the flags of the timers, and when they fire. */
  #hintedAddress = 0;
  #hinted = 0;
  readonly #hintedTimes: Float64Array;

  /** @param slots families that have their timers here, TIMED_FAMILIES_MAX at most */
  constructor(
    readonly table: ByteTable,
    private readonly slots: number,
    private readonly queue: TimerQueue,
    private readonly holds: Holds,
  ) {
    if (slots > TIMED_FAMILIES_MAX)
      throw new Error(`room for the timers of ${slots} families, ${TIMED_FAMILIES_MAX} at most`);
    this.#frontBytes = frontBytes(slots);
    this.#front = new ByteWriter(this.#frontBytes);
    this.#fireAt = new Float64Array(slots);
    this.#output = new Float64Array(slots);
    this.#hintedTimes = new Float64Array(slots);
  }

  /** Points `out` at the state of a key. False: there is none. */
  get(key: ByteWriter, out: ByteReader): boolean {
    if (!this.#isOpen) this.#open(key);
    if (!this.#hasState) return false;
    this.table.readValue(this.#address, out);
    out.position += this.#frontBytes;
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
    if (this.#set !== 0) {
      this.#write(key, NO_BYTES);
    } else {
      this.table.deleteAt(this.#address);
      this.#address = 0;
    }
  }

  setTimer(slot: number, key: ByteWriter, fireAt: TimestampMs, outputTimestamp: TimestampMs): void {
    if (!this.#isOpen) this.#open(key);
    const flag = flagOf(slot);
    if ((this.#set & flag) !== 0) this.#releaseHold(slot);
    else this.timers++;
    this.#set |= flag;
    this.#isChanged = true;
    this.#fireAt[slot] = fireAt;
    this.#output[slot] = outputTimestamp;
    if (fireAt !== outputTimestamp) this.holds.add(outputTimestamp);
  }

  clearTimer(slot: number, key: ByteWriter): void {
    if (!this.#isOpen) this.#open(key);
    const flag = flagOf(slot);
    if ((this.#set & flag) === 0) return;
    this.#releaseHold(slot);
    this.timers--;
    this.#set &= ~flag;
    this.#isChanged = true;
  }

  /** Ends the work on a key: its timers are stored, if they were not with the state. */
  leave(key: ByteWriter): void {
    if (!this.#isOpen) {
      if (this.#taken === 0) return;
      this.#open(key);
    }
    this.#isOpen = false;
    if (this.#isChanged) this.#storeTimers(key);
    if (this.#set === 0) return;
    const known = this.#address === this.#hintedAddress ? this.#hinted : 0;
    for (let slot = 0; slot < this.slots; slot++) {
      const flag = flagOf(slot);
      if ((this.#set & flag) === 0) continue;
      const fireAt = this.#fireAt[slot]!;
      if ((known & flag) === 0 || fireAt !== this.#hintedTimes[slot])
        this.queue.insert(fireAt, this.#address);
    }
  }

  /** Throws when a key was not left. */
  checkLeft(): void {
    if (this.#isOpen) throw new Error("a key's state is still at work, and another key was entered");
  }

  /**
   * Takes a timer out of the record at `address` that is set to the time of the hint, and returns its slot; `leave`
   * notes it down. -1: the hint is stale.
   */
  take(address: number, hintTime: TimestampMs): number {
    const reader = this.#reader;
    this.table.readValue(address, reader);
    const { buffer, position } = reader;
    const flags = reader.readByte();
    reader.skip(ZEROS);
    for (let slot = 0; slot < this.slots; slot++) {
      const fireAt = readInstant(reader);
      const output = readInstant(reader);
      if ((flags & flagOf(slot)) === 0 || fireAt !== hintTime) continue;
      this.fireTimestamp = fireAt;
      this.outputTimestamp = output;
      buffer[position] = flags & ~flagOf(slot);
      this.#taken = address;
      this.timers--;
      if (fireAt !== output) this.holds.remove(output);
      return slot;
    }
    return -1;
  }

  /** Calls `visit` with each timer and the address of its record. */
  forEachTimer(visit: (timer: FrontTimer, address: number) => void): void {
    this.table.forEach((address) => {
      this.table.readValue(address, this.#reader);
      for (const timer of readFront(this.#reader, this.slots)) visit(timer, address);
    });
  }

  /** Looks the key up; one of which a timer was taken is at hand. */
  #open(key: ByteWriter): void {
    const taken = this.#taken;
    this.#taken = 0;
    this.#isOpen = true;
    // The record says already that the timer is gone, and the journal does not.
    this.#isChanged = taken !== 0;
    const address = taken === 0 ? this.table.find(key) : taken;
    this.#address = address;
    this.#hintedAddress = address;
    this.#hinted = 0;
    if (address === 0) {
      this.#hasState = false;
      this.#set = 0;
      return;
    }
    const reader = this.#reader;
    this.table.readValue(address, reader);
    const flags = reader.readByte();
    this.#hasState = (flags & STATE) !== 0;
    this.#set = flags & ~STATE;
    this.#hinted = this.#set;
    if (this.#set === 0) return;
    reader.skip(ZEROS);
    for (let slot = 0; slot < this.slots; slot++) {
      const fireAt = readInstant(reader);
      this.#fireAt[slot] = fireAt;
      this.#hintedTimes[slot] = fireAt;
      this.#output[slot] = readInstant(reader);
    }
  }

  #storeTimers(key: ByteWriter): void {
    const { table } = this;
    this.#isChanged = false;
    if (this.#address === 0) {
      if (this.#set !== 0) this.#write(key, NO_BYTES);
    } else if (this.#set !== 0 || this.#hasState) {
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
    front.writeByte(this.#set | (this.#hasState ? STATE : 0));
    for (let i = 0; i < ZEROS; i++) front.writeByte(0);
    for (let slot = 0; slot < this.slots; slot++) {
      const isSet = (this.#set & flagOf(slot)) !== 0;
      writeInstant(isSet ? this.#fireAt[slot]! : NO_TIME, front);
      writeInstant(isSet ? this.#output[slot]! : NO_TIME, front);
    }
    return front;
  }

  #releaseHold(slot: number): void {
    if (this.#fireAt[slot] !== this.#output[slot]) this.holds.remove(this.#output[slot]!);
  }
}
