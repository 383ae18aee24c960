/**
 * State and timers of one stateful transform, one bundle after the other, over the Fn API. Keys that a bundle touches
 * are loaded in rounds, all cells of all keys of a round at once; changes wait until the bundle commits. One record is
 * sent for each timer that changed, however often it did. A multimap takes a round more: its values are asked for when
 * its keys are known. Source: beam_fn_api.proto, StateKey.
 */
import type {
  ChangelogTable,
  MultimapTable,
  RemoteKeys,
  StateLayout,
  TimeDomain,
  TimerTable,
  TimerToFire,
} from "../exec/services.js";
import type { fnApi } from "../model/apache_beam.js";
import { ByteReader, type ByteWriter } from "../model/bytes.js";
import type { Coder } from "../model/coders/coder.js";
import type { TimestampMs } from "../model/timestamps.js";
import { Cell, type ChangedTimer, KeyState, type MultimapCells } from "./key_state.js";
import type { StateCache } from "./state_cache.js";
import type { StateChannel } from "./state_channel.js";
import { type CellAddress, cellKey, multimapKey, multimapKeysKey } from "./state_keys.js";
import type { TimerOutput } from "./timer_output.js";

/** What a bundle brings along. */
export interface BundleState {
  readonly instructionId: string;
  /** Throws where the runner serves no state. */
  channel(): StateChannel;
  /** Undefined: nothing outlives the bundle. */
  readonly cacheToken: string | undefined;
  readonly cache: StateCache;
}

/** More than this is sent and forgotten in the middle of a bundle. */
const BUNDLE_BYTES_MAX = 64 << 20;

export class RemoteState implements RemoteKeys {
  readonly #cells: { readonly name: string; readonly layout: StateLayout }[] = [];
  readonly #multimaps: { readonly name: string; readonly keyCoder: Coder<unknown> }[] = [];
  readonly #timerOutputs = new Map<string, TimerOutput>();
  readonly #reader = new ByteReader();
  #bundle!: BundleState;
  #scope = "";
  #touched = new Map<string, KeyState>();
  #missing = new Map<string, KeyState>();
  #changed: KeyState[] = [];
  #present!: KeyState;
  #bytes = 0;

  /**
   * @param name of the transform, for messages
   * @param windowCoder undefined for the global window, which takes no bytes
   */
  constructor(
    private readonly transformId: string,
    private readonly name: string,
    private readonly keyCoder: Coder<unknown>,
    private readonly windowCoder: Coder<unknown> | undefined,
  ) {}

  table(name: string, layout: StateLayout): ChangelogTable {
    this.#cells.push({ name, layout });
    return new CellTable(this, this.#cells.length - 1);
  }

  multimap(name: string, keyCoder: Coder<unknown>): MultimapTable {
    this.#multimaps.push({ name, keyCoder });
    return new RemoteMultimap(this, this.#multimaps.length - 1);
  }

  timers(family: string, timeDomain: TimeDomain, output: TimerOutput): TimerTable {
    this.#timerOutputs.set(family, output);
    return new BundleTimers(this, family, timeDomain === "event");
  }

  begin(bundle: BundleState): void {
    this.#bundle = bundle;
    this.#scope = `${bundle.cacheToken}\0${this.transformId}\0`;
    this.#forget();
  }

  enter(key: ByteWriter): boolean {
    const id = key.buffer.latin1Slice(0, key.length);
    const touched = this.#touched.get(id);
    if (touched !== undefined) {
      this.#present = touched;
      return true;
    }
    if (this.#missing.has(id)) return false;
    const cached =
      this.#bundle.cacheToken === undefined ? undefined : this.#bundle.cache.take(this.#scope, id);
    const state = cached ?? this.#newKey(id, key);
    if (cached === undefined && this.#cells.length + this.#multimaps.length > 0) {
      this.#missing.set(id, state);
      return false;
    }
    this.#touch(state);
    this.#present = state;
    return true;
  }

  arrive(): void | Promise<void> {
    if (this.#missing.size === 0) return;
    const channel = this.#bundle.channel();
    const loads: Promise<void>[] = [];
    for (const state of this.#missing.values()) {
      for (let i = 0; i < state.cells.length; i++) loads.push(this.#loadCell(channel, state, i));
      for (let i = 0; i < state.multimaps.length; i++) loads.push(this.#loadMultimap(channel, state, i));
    }
    return Promise.all(loads).then(() => {
      for (const state of this.#missing.values()) this.#touch(state);
      this.#missing.clear();
    });
  }

  isSuperseded(family: string, tag: string): boolean {
    return this.#present.timers?.has(timerId(family, tag)) ?? false;
  }

  takeTimerBefore(limit: TimestampMs): TimerToFire | undefined {
    const { timers } = this.#present;
    if (timers === undefined) return undefined;
    let first: ChangedTimer | undefined;
    for (const timer of timers.values()) {
      if (!timer.isSet || !timer.isEventTime || timer.fireTimestamp >= limit) continue;
      if (first === undefined || timer.fireTimestamp < first.fireTimestamp) first = timer;
    }
    if (first === undefined) return undefined;
    // The runner may know it from an earlier bundle; it must not fire it again.
    first.isSet = false;
    return { ...first };
  }

  /** Whether so much is held that it should be committed before the bundle goes on. */
  get isLarge(): boolean {
    return this.#bytes > BUNDLE_BYTES_MAX;
  }

  /** Hands the changed timers to their outputs, and sends what changed in state. */
  commit(): void | Promise<void> {
    if (this.#changed.length === 0) return;
    const requests: Promise<void>[] = [];
    for (const state of this.#changed) {
      state.isChanged = false;
      this.#writeTimers(state);
      for (let i = 0; i < state.cells.length; i++) {
        const cell = state.cells[i]!;
        if (!cell.isDirty) continue;
        const { name, layout } = this.#cells[i]!;
        this.#send(cell, cellKey(layout, this.#address(state, name)), requests);
      }
      for (let i = 0; i < state.multimaps.length; i++) {
        const address = this.#address(state, this.#multimaps[i]!.name);
        for (const [mapKey, cell] of state.multimaps[i]!) {
          if (cell.isDirty) this.#send(cell, multimapKey(address, Buffer.from(mapKey, "latin1")), requests);
          if (cell.length === 0) state.multimaps[i]!.delete(mapKey);
        }
      }
    }
    this.#changed = [];
    if (requests.length > 0) return Promise.all(requests).then(() => undefined);
  }

  /** After `commit`: leaves what is known to bundles to come, and frees it here. */
  release(): void {
    const { cacheToken, cache } = this.#bundle;
    if (cacheToken !== undefined) for (const state of this.#touched.values()) cache.put(this.#scope, state);
    this.#forget();
  }

  /** The cell of the present key. */
  cell(index: number): Cell {
    return this.#present.cells[index]!;
  }

  /** The cell of the present key, to be changed. */
  changing(index: number, bytes: number): Cell {
    this.#bytes += bytes;
    this.#markChanged();
    return this.#present.cells[index]!;
  }

  /** A multimap cell of the present key. */
  multimapCells(index: number): MultimapCells {
    return this.#present.multimaps[index]!;
  }

  /** The same, to be changed. */
  changingMultimap(index: number, bytes: number): MultimapCells {
    this.#bytes += bytes;
    this.#markChanged();
    return this.#present.multimaps[index]!;
  }

  changeTimer(timer: ChangedTimer): void {
    this.#markChanged();
    this.#present.timers ??= new Map();
    this.#present.timers.set(timerId(timer.family, timer.tag), timer);
  }

  #markChanged(): void {
    if (this.#present.isChanged) return;
    this.#present.isChanged = true;
    this.#changed.push(this.#present);
  }

  #forget(): void {
    if (this.#touched.size > 0) this.#touched = new Map();
    if (this.#missing.size > 0) this.#missing = new Map();
    this.#changed = [];
    this.#bytes = 0;
  }

  #touch(state: KeyState): void {
    this.#touched.set(state.id, state);
    this.#bytes += state.bytes;
  }

  #newKey(id: string, { buffer, length }: ByteWriter): KeyState {
    const bytes = Buffer.from(buffer.subarray(0, length));
    let keyLength = length;
    if (this.windowCoder !== undefined) {
      this.#reader.reset(bytes);
      this.keyCoder.decode(this.#reader, "nested");
      keyLength = this.#reader.position;
    }
    const cells = this.#cells.map(() => new Cell());
    const multimaps = this.#multimaps.map((): MultimapCells => new Map());
    return new KeyState(id, bytes.subarray(0, keyLength), bytes.subarray(keyLength), cells, multimaps);
  }

  async #loadCell(channel: StateChannel, state: KeyState, index: number): Promise<void> {
    const { name, layout } = this.#cells[index]!;
    state.cells[index]!.load(await this.#get(channel, name, cellKey(layout, this.#address(state, name))));
  }

  /** Some runners name keys of which all values are gone. */
  async #loadMultimap(channel: StateChannel, state: KeyState, index: number): Promise<void> {
    const { name, keyCoder } = this.#multimaps[index]!;
    const address = this.#address(state, name);
    const keys = new ByteReader(await this.#get(channel, name, multimapKeysKey(address)));
    const loads: Promise<void>[] = [];
    while (keys.remaining > 0) {
      const from = keys.position;
      keyCoder.decode(keys, "nested");
      const mapKey = Buffer.from(keys.buffer.subarray(from, keys.position));
      const cell = new Cell();
      state.multimaps[index]!.set(mapKey.toString("latin1"), cell);
      loads.push(this.#get(channel, name, multimapKey(address, mapKey)).then((bytes) => cell.load(bytes)));
    }
    await Promise.all(loads);
  }

  #get(channel: StateChannel, cellName: string, stateKey: fnApi.StateKey): Promise<Buffer> {
    return channel.get(this.#bundle.instructionId, stateKey).catch((error: Error) => {
      throw new Error(`${this.name}: reading the state ${cellName}: ${error.message}`, { cause: error });
    });
  }

  #send(cell: Cell, stateKey: fnApi.StateKey, requests: Promise<void>[]): void {
    const { instructionId } = this.#bundle;
    const channel = this.#bundle.channel();
    if (cell.mustClear) requests.push(channel.clear(instructionId, stateKey));
    if (cell.length > cell.sent) {
      requests.push(channel.append(instructionId, stateKey, cell.bytes.subarray(cell.sent, cell.length)));
    }
    cell.markSent();
  }

  #address({ key, window }: KeyState, userStateId: string): CellAddress {
    return { transformId: this.transformId, userStateId, window, key };
  }

  #writeTimers(state: KeyState): void {
    if (state.timers === undefined) return;
    for (const timer of state.timers.values()) {
      this.#timerOutputs.get(timer.family)!.write(state.key, state.window, timer);
    }
    state.timers = undefined;
  }
}

function timerId(family: string, tag: string): string {
  return tag === "" ? family : `${family}\0${tag}`;
}

/** One cell, of whichever key the bundle is at. */
class CellTable implements ChangelogTable {
  constructor(
    private readonly state: RemoteState,
    private readonly index: number,
  ) {}

  get(_key: ByteWriter, out: ByteReader): boolean {
    const { bytes, length } = this.state.cell(this.index);
    if (length === 0) return false;
    out.reset(bytes, 0, length);
    return true;
  }

  put(_key: ByteWriter, { buffer, length }: ByteWriter): void {
    this.state.changing(this.index, length).replace(buffer, length);
  }

  append(_key: ByteWriter, { buffer, length }: ByteWriter): void {
    this.state.changing(this.index, length).append(buffer, length);
  }

  delete(_key: ByteWriter): void {
    this.state.changing(this.index, 0).clear();
  }

  recall(_key: ByteWriter): unknown {
    return this.state.cell(this.index).decoded;
  }

  remember(_key: ByteWriter, value: unknown): void {
    this.state.cell(this.index).decoded = value;
  }
}

/** One multimap cell, of whichever key the bundle is at. */
class RemoteMultimap implements MultimapTable {
  constructor(
    private readonly state: RemoteState,
    private readonly index: number,
  ) {}

  keys(): Buffer[] {
    const keys: Buffer[] = [];
    for (const [mapKey, { length }] of this.state.multimapCells(this.index)) {
      if (length > 0) keys.push(Buffer.from(mapKey, "latin1"));
    }
    return keys;
  }

  get(_key: ByteWriter, mapKey: ByteWriter, out: ByteReader): boolean {
    const cell = this.state.multimapCells(this.index).get(idOf(mapKey));
    if (cell === undefined || cell.length === 0) return false;
    out.reset(cell.bytes, 0, cell.length);
    return true;
  }

  append(_key: ByteWriter, mapKey: ByteWriter, { buffer, length }: ByteWriter): void {
    const cells = this.state.changingMultimap(this.index, length);
    const id = idOf(mapKey);
    let cell = cells.get(id);
    if (cell === undefined) {
      cell = new Cell();
      cells.set(id, cell);
    }
    cell.append(buffer, length);
  }

  delete(_key: ByteWriter, mapKey: ByteWriter): void {
    this.state.changingMultimap(this.index, 0).get(idOf(mapKey))?.clear();
  }

  /** One by one: Prism clears another key when it is asked to clear all. */
  clear(): void {
    for (const cell of this.state.changingMultimap(this.index, 0).values()) cell.clear();
  }
}

function idOf({ buffer, length }: ByteWriter): string {
  return buffer.latin1Slice(0, length);
}

class BundleTimers implements TimerTable {
  constructor(
    private readonly state: RemoteState,
    private readonly family: string,
    private readonly isEventTime: boolean,
  ) {}

  set(_key: ByteWriter, tag: string, fireTimestamp: TimestampMs, outputTimestamp: TimestampMs): void {
    const { family, isEventTime } = this;
    this.state.changeTimer({ family, tag, isEventTime, isSet: true, fireTimestamp, outputTimestamp });
  }

  clear(_key: ByteWriter, tag: string): void {
    const { family, isEventTime } = this;
    this.state.changeTimer({
      family,
      tag,
      isEventTime,
      isSet: false,
      fireTimestamp: 0,
      outputTimestamp: 0,
    });
  }
}
