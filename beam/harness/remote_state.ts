/**
 * State and timers of one stateful transform, one bundle after the other, over the Fn API. Keys that a bundle touches
 * are loaded in rounds, all cells of all keys of a round at once; changes wait until the bundle commits. One record is
 * sent for each timer that changed, however often it did. A multimap takes a round more: its values are asked for when
 * its keys are known. Source: beam_fn_api.proto, StateKey.
 */
import type { KeyedState, StateLayout, StateOfKey } from "../exec/keyed_state.js";
import { ByteReader, type ByteWriter } from "../model/bytes.js";
import type { Coder } from "../model/coders/coder.js";
import type { TimeDomain } from "../model/timer.js";
import {
  Cell,
  type KeyBytes,
  type KeyOwner,
  KeyState,
  type MultimapCells,
  type TimerFamily,
} from "./key_state.js";
import type { StateCache } from "./state_cache.js";
import type { StateChannel, StateRound } from "./state_channel.js";
import { CellKey, NO_BYTES } from "./state_keys.js";
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
const NO_MULTIMAPS: readonly MultimapCells[] = [];

export class RemoteState implements KeyedState, KeyOwner {
  readonly isAtHand = false;
  /** An append is one request to the runner, a replacement two. */
  readonly wholeBelowBytes = 0;
  readonly families: TimerFamily[] = [];
  readonly #cells: CellPlace[] = [];
  readonly #multimaps: MultimapPlace[] = [];
  readonly #timerOutputs = new Map<string, TimerOutput>();
  readonly #reader = new ByteReader();
  #bundle!: BundleState;
  #scope = "";
  /** All keys that the bundle has entered. */
  #touched = new Map<string, KeyState>();
  /** Of those, the ones that are to be loaded. */
  #missing: KeyState[] = [];
  #changed: KeyState[] = [];
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
    private readonly timerOutput: (family: string) => TimerOutput,
  ) {}

  cell(name: string, layout: StateLayout = "bag"): number {
    const key = new CellKey(layout, this.transformId, name);
    return this.#cells.push({ key, what: this.#reading(name), isLog: layout === "log" }) - 1;
  }

  multimap(name: string, keyCoder: Coder<unknown>): number {
    const place = {
      keys: new CellKey("multimapKeys", this.transformId, name),
      values: new CellKey("multimap", this.transformId, name),
      keyCoder,
      what: this.#reading(name),
    };
    return this.#multimaps.push(place) - 1;
  }

  timers(family: string, timeDomain: TimeDomain): number {
    this.#timerOutputs.set(family, this.timerOutput(family));
    return this.families.push({ name: family, isEventTime: timeDomain === "event" }) - 1;
  }

  begin(bundle: BundleState): void {
    this.#bundle = bundle;
    this.#scope = `${bundle.cacheToken}\0${this.transformId}\0`;
    this.#forget();
  }

  enter(key: ByteWriter): StateOfKey | undefined {
    const id = key.buffer.latin1Slice(0, key.length);
    let state = this.#touched.get(id);
    if (state === undefined) {
      const { cacheToken, cache } = this.#bundle;
      state = (cacheToken === undefined ? undefined : cache.take(this.#scope, id)) ?? this.#newKey(id, key);
      state.owner = this;
      this.#touched.set(id, state);
      if (state.isLoaded) this.#bytes += state.bytes;
      else this.#missing.push(state);
    }
    return state.isLoaded ? state : undefined;
  }

  mustEnter(key: ByteWriter): StateOfKey {
    const state = this.enter(key);
    if (state === undefined) throw new Error(`${this.name}: state was asked for that is not at hand`);
    return state;
  }

  /** What changed waits for the end of the bundle. */
  leave(): void {}

  arrive(): void | Promise<void> {
    const missing = this.#missing;
    if (missing.length === 0) return;
    this.#missing = [];
    return this.#load(missing, this.#bundle.channel()).then(() => {
      for (const state of missing) {
        state.isLoaded = true;
        this.#bytes += state.bytes;
      }
    });
  }

  /** Whether so much is held that it should be committed before the bundle goes on. */
  get isLarge(): boolean {
    return this.#bytes > BUNDLE_BYTES_MAX;
  }

  /** Hands the changed timers to their outputs, and sends what changed in state. */
  commit(): void | Promise<void> {
    if (this.#changed.length === 0) return;
    let round: StateRound | undefined;
    const writes = (): StateRound => {
      round ??= this.#round();
      return round;
    };
    for (const state of this.#changed) {
      state.isChanged = false;
      this.#writeTimers(state);
      for (let i = 0; i < state.cells.length; i++) {
        const cell = state.cells[i]!;
        if (cell.isDirty) send(cell, this.#cells[i]!.key, state, NO_BYTES, writes());
      }
      for (let i = 0; i < state.multimaps.length; i++) {
        for (const [mapKey, cell] of state.multimaps[i]!) {
          if (cell.isDirty) {
            send(cell, this.#multimaps[i]!.values, state, Buffer.from(mapKey, "latin1"), writes());
          }
          if (cell.length === 0) state.multimaps[i]!.delete(mapKey);
        }
      }
    }
    this.#changed = [];
    return round?.done();
  }

  /** After `commit`: leaves what is known to bundles to come, and frees it here. */
  release(): void {
    const { cacheToken, cache } = this.#bundle;
    if (cacheToken !== undefined) {
      for (const state of this.#touched.values()) {
        if (!state.isLoaded) continue;
        state.owner = undefined;
        cache.put(this.#scope, state);
      }
    }
    this.#forget();
  }

  changing(state: KeyState, bytes: number): void {
    this.#bytes += bytes;
    if (state.isChanged) return;
    state.isChanged = true;
    this.#changed.push(state);
  }

  #forget(): void {
    if (this.#touched.size > 0) this.#touched = new Map();
    if (this.#missing.length > 0) this.#missing = [];
    this.#changed = [];
    this.#bytes = 0;
  }

  #newKey(id: string, { buffer, length }: ByteWriter): KeyState {
    const cells = this.#cells.map(newCell);
    const multimaps = this.#multimaps.length === 0 ? NO_MULTIMAPS : this.#multimaps.map(() => new Map());
    let keyLength = length;
    if (this.windowCoder !== undefined) {
      this.#reader.reset(buffer, 0, length);
      this.keyCoder.decode(this.#reader, "nested");
      keyLength = this.#reader.position;
    }
    const state = new KeyState(id, keyLength, cells, multimaps);
    state.isLoaded = cells.length + multimaps.length === 0;
    return state;
  }

  /** All cells in one round, and the values of multimaps in a second. */
  async #load(missing: readonly KeyState[], channel: StateChannel): Promise<void> {
    const { instructionId } = this.#bundle;
    const first = channel.round(instructionId);
    const multimaps: { state: KeyState; index: number; keys: LoadedBytes }[] = [];
    for (const state of missing) {
      for (let i = 0; i < state.cells.length; i++) {
        const { key, what } = this.#cells[i]!;
        first.get(key, state, NO_BYTES, what, state.cells[i]!);
      }
      for (let index = 0; index < state.multimaps.length; index++) {
        const keys = new LoadedBytes();
        const { keys: place, what } = this.#multimaps[index]!;
        first.get(place, state, NO_BYTES, what, keys);
        multimaps.push({ state, index, keys });
      }
    }
    await first.done();
    if (multimaps.length === 0) return;
    const second = channel.round(instructionId);
    for (const { state, index, keys } of multimaps) this.#loadValues(state, index, keys.bytes, second);
    await second.done();
  }

  /** Some runners name keys of which all values are gone. */
  #loadValues(state: KeyState, index: number, mapKeys: Buffer, round: StateRound): void {
    const { values, keyCoder, what } = this.#multimaps[index]!;
    const reader = new ByteReader(mapKeys);
    while (reader.remaining > 0) {
      const from = reader.position;
      keyCoder.decode(reader, "nested");
      const mapKey = mapKeys.subarray(from, reader.position);
      const cell = new Cell();
      state.multimaps[index]!.set(mapKey.toString("latin1"), cell);
      round.get(values, state, mapKey, what, cell);
    }
  }

  #round(): StateRound {
    return this.#bundle.channel().round(this.#bundle.instructionId);
  }

  /** For messages. */
  #reading(cellName: string): string {
    return `${this.name}: reading the state ${cellName}`;
  }

  #writeTimers(state: KeyState): void {
    for (let { timers: timer } = state; timer !== undefined; timer = timer.next) {
      this.#timerOutputs.get(timer.family)!.write(state, timer);
    }
    state.forgetTimers();
  }
}

/** Where a cell lies. */
interface CellPlace {
  readonly key: CellKey;
  /** For messages. */
  readonly what: string;
  readonly isLog: boolean;
}

/** Where a multimap lies. */
interface MultimapPlace {
  /** Of all its map keys. */
  readonly keys: CellKey;
  /** Of the values of one. */
  readonly values: CellKey;
  readonly keyCoder: Coder<unknown>;
  readonly what: string;
}

class LoadedBytes {
  bytes: Buffer = Buffer.alloc(0);

  load(bytes: Buffer, start: number, end: number): void {
    this.bytes = Buffer.from(bytes.subarray(start, end));
  }
}

const newCell = ({ isLog }: CellPlace): Cell => new Cell(isLog);

/** Brings the runner's copy of a cell to what it is here. */
function send(cell: Cell, place: CellKey, key: KeyBytes, part: Buffer, round: StateRound): void {
  const { bytes, start, sent, length } = cell;
  if (cell.mustClear) round.clear(place, key, part);
  if (length > sent) round.append(place, key, part, bytes, start + sent, start + length);
  cell.markSent();
}
