/**
 * Runs a DoFn with state and timers. All it keeps is per key and window: the two encodings, one after the other, are
 * the key of every state table and the front of every timer's identity.
 *
 * Where state is a round trip away, elements of keys that are not at hand, and all timers, are put aside until `settle`.
 */
import { ByteReader, ByteWriter } from "../model/bytes.js";
import type { Coder } from "../model/coders/coder.js";
import type { KV } from "../model/kv.js";
import { NO_FIRING, type PaneInfo } from "../model/pane.js";
import { MIN_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import { type BoundedWindow, IN_GLOBAL_WINDOW } from "../model/windows.js";
import type { StatefulDoFn } from "../sdk/do_fn.js";
import type { StateSpec } from "../sdk/state.js";
import { DoFnOperator, mainInput, refusePromise } from "./do_fn_operator.js";
import { ElementContextCell } from "./element_context.js";
import type { KeyedState, StateOfKey, TimerToFire } from "./keyed_state.js";
import type { CollectionWindowing, FiredTimer, OperatorContext } from "./operator.js";
import type { Receiver, Windows } from "./receiver.js";
import type { KeyedStateServices, UserCodeServices } from "./services.js";
import { createCell } from "./state_cells/create_cell.js";
import type { StateCell } from "./state_cells/state_cell.js";
import { type TimedCell, timedCellOf } from "./timed_cell.js";
import { TimerHandle } from "./user_timers.js";

/** Family of the operator's own timers that drop the state of expired windows. No declared name can contain "~". */
const EXPIRY_FAMILY = "~window-expiry";

/** Elements of keys that are not at hand, in the order of their arrival. */
class ElementsAside {
  values: unknown[] = [];
  timestamps: TimestampMs[] = [];
  windows: Windows[] = [];
  panes: PaneInfo[] = [];

  get length(): number {
    return this.values.length;
  }

  push(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    this.values.push(value);
    this.timestamps.push(timestamp);
    this.windows.push(windows);
    this.panes.push(pane);
  }
}

interface TimerAside {
  readonly family: string;
  readonly identity: Buffer;
  readonly tag: string;
  readonly fireTimestamp: TimestampMs;
  readonly outputTimestamp: TimestampMs;
}

/** A declared family of timers. */
interface TimerCallback {
  readonly isByClock: boolean;
  readonly fire: (ctx: any) => unknown;
}

class StatefulContextCell extends ElementContextCell {
  state: Record<string, unknown> = {};
  timers: Record<string, TimerHandle> = {};
  tag = "";
  fireTimestamp: TimestampMs = MIN_TIMESTAMP;
  eventTimerAt: TimestampMs = MIN_TIMESTAMP;
  keyCoder!: Coder<unknown>;
  keyBytes!: ByteWriter;
  readonly #reader = new ByteReader();
  #key: unknown;
  #hasKey = false;

  get key(): unknown {
    if (!this.#hasKey) {
      this.#key = this.keyCoder.decode(
        this.#reader.reset(this.keyBytes.buffer, 0, this.keyBytes.length),
        "nested",
      );
      this.#hasKey = true;
    }
    return this.#key;
  }

  forgetKey(): void {
    this.#hasKey = false;
  }
}

export class StatefulParDoOperator
  extends DoFnOperator<StatefulDoFn<any, any, any, any, any, any>>
  implements Receiver
{
  override readonly input: Receiver = this;
  readonly #services: KeyedStateServices;
  readonly #key = new ByteWriter(256);
  readonly #keyCoder: Coder<unknown>;
  readonly #windowing: CollectionWindowing;
  readonly #cells: StateCell[] = [];
  readonly #callbacks = new Map<string, TimerCallback>();
  readonly #timers: TimerHandle[] = [];
  /** Of EXPIRY_FAMILY. */
  readonly #expiry: number | undefined;
  readonly #ctx: StatefulContextCell;
  readonly #keyReader = new ByteReader();
  readonly #states: KeyedState;
  #elementsAside = new ElementsAside();
  #timersAside: TimerAside[] = [];

  constructor(
    doFn: StatefulDoFn<any, any, any, any, any, any>,
    context: OperatorContext<UserCodeServices & KeyedStateServices>,
  ) {
    super(doFn, context);
    const input = mainInput(context.transform);
    this.#services = context.services;
    this.#states = context.services.keyedState(context.transformId);
    this.#keyCoder = context.kvCoders(input).key;
    this.#windowing = context.windowing(input);
    const ctx = this.ctx as StatefulContextCell;
    this.#ctx = ctx;
    ctx.keyCoder = this.#keyCoder;
    ctx.keyBytes = this.#key;
    for (const [name, spec] of Object.entries(doFn.state)) {
      const cell = createCell(name, spec as StateSpec, this.#states);
      this.#cells.push(cell);
      ctx.state[name] = cell;
    }
    const timed = timedCell(doFn);
    for (const [name, spec] of Object.entries(doFn.timers)) {
      const { timeDomain } = spec as { timeDomain: "event" | "processing" };
      const fire = doFn.onTimer[name];
      if (typeof fire !== "function") {
        throw new Error(`${this.name}: timer ${name} has no callback in onTimer`);
      }
      const isByClock = timeDomain === "processing";
      this.#callbacks.set(name, { isByClock, fire: fire.bind(doFn.onTimer) });
      const beside = timed?.families.includes(name) === true ? timed : undefined;
      const family = this.#states.timers(name, timeDomain, beside);
      const timer = new TimerHandle(name, timeDomain, family, ctx, this.#windowing.allowedLatenessMs);
      this.#timers.push(timer);
      ctx.timers[name] = timer;
    }
    if (this.#windowing.windowCoder !== undefined && !context.services.dropsExpiredState) {
      this.#expiry = this.#states.timers(EXPIRY_FAMILY, "event");
    }
  }

  protected override newContext(context: OperatorContext<UserCodeServices>): ElementContextCell {
    return new StatefulContextCell(context);
  }

  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    if (windows.length !== 1) {
      for (const window of windows) this.accept(value, timestamp, [window], pane);
      return;
    }
    const window = windows[0]!;
    if (this.#isExpired(window)) return;
    const element = value as KV<unknown, unknown>;
    this.#key.reset();
    this.#keyCoder.encode(element.key, this.#key, "nested");
    this.#windowing.windowCoder?.encode(window, this.#key, "nested");
    const state = this.#states.enter(this.#key);
    if (state === undefined) {
      this.#elementsAside.push(value, timestamp, windows, pane);
      return;
    }
    if (this.#expiry !== undefined) {
      const gone = window.maxTimestamp + this.#windowing.allowedLatenessMs + 1;
      state.setTimer(this.#expiry, "", gone, gone);
    }
    this.#bind(state);
    this.#ctx.enter(timestamp, windows, pane);
    this.#ctx.eventTimerAt = MIN_TIMESTAMP;
    const result: unknown = this.doFn.process(element, this.#ctx as any);
    if (result !== undefined) refusePromise(this.name, result);
    this.#flush();
  }

  override onTimer(family: string, timer: FiredTimer): void {
    const { identity, keyAndWindowLength } = timer;
    this.#key.reset();
    this.#key.writeBytes(identity.buffer, identity.position, identity.position + keyAndWindowLength);
    const state = this.#states.enter(this.#key);
    if (state !== undefined && this.#states.isAtHand) {
      this.#fire(family, timer, state);
      return;
    }
    const { tag, fireTimestamp, outputTimestamp } = timer;
    this.#timersAside.push({ family, identity: this.#key.toBytes(), tag, fireTimestamp, outputTimestamp });
  }

  override settle(): void | Promise<void> {
    if (this.#elementsAside.length === 0 && this.#timersAside.length === 0) return;
    const arriving = this.#states.arrive();
    if (arriving === undefined) this.#resume();
    else return arriving.then(() => this.#resume());
  }

  /** Elements as they came, then timers in the order of their times, which across families only this order gives. */
  #resume(): void {
    const elements = this.#elementsAside;
    const timers = this.#timersAside;
    this.#elementsAside = new ElementsAside();
    this.#timersAside = [];
    for (let i = 0; i < elements.length; i++) {
      this.accept(elements.values[i], elements.timestamps[i]!, elements.windows[i]!, elements.panes[i]!);
    }
    timers.sort((a, b) => a.fireTimestamp - b.fireTimestamp);
    for (const timer of timers) this.#fireDelivered(timer);
  }

  /**
   * A timer that this bundle has moved or cleared since does not fire; one that it has set to an earlier time fires
   * first, since the watermark has passed it too.
   */
  #fireDelivered(timer: TimerAside): void {
    const { family, identity } = timer;
    this.#key.reset();
    this.#key.writeBytes(identity);
    const state = this.#states.mustEnter(this.#key);
    if (state.isSuperseded(family, timer.tag)) return;
    if (!this.#callbacks.get(family)?.isByClock) {
      for (;;) {
        const earlier = state.takeTimerBefore(timer.fireTimestamp);
        if (earlier === undefined) break;
        this.#fire(earlier.family, this.#fired(earlier, identity), state);
      }
    }
    // What fired first may have moved this one.
    if (!state.isSuperseded(family, timer.tag)) this.#fire(family, this.#fired(timer, identity), state);
  }

  #fired({ tag, fireTimestamp, outputTimestamp }: TimerToFire, identity: Buffer): FiredTimer {
    return {
      identity: new ByteReader(identity),
      keyAndWindowLength: identity.length,
      tag,
      fireTimestamp,
      outputTimestamp,
    };
  }

  /** Fires a timer of the key in `#key`, whose state was entered. */
  #fire(family: string, timer: FiredTimer, state: StateOfKey): void {
    const { identity, keyAndWindowLength } = timer;
    this.#bind(state);
    const callback = this.#callbacks.get(family);
    if (callback === undefined) {
      // A runner that goes on with a graph of another version may know families that this one has not.
      if (family !== EXPIRY_FAMILY)
        throw new Error(`${this.name} declares no timer ${family}, which has fired`);
      for (const cell of this.#cells) {
        cell.clear();
        cell.flush();
      }
      this.#states.leave();
      return;
    }
    const { isByClock } = callback;
    const windows = this.#windowsOf(identity, keyAndWindowLength);
    // The clock may come to a timer whose window, and with it its state, is gone.
    if (isByClock && this.#windowing.windowCoder !== undefined && this.#isExpired(windows[0]!)) return;
    this.#ctx.enter(timer.outputTimestamp, windows, NO_FIRING);
    this.#ctx.eventTimerAt = isByClock ? MIN_TIMESTAMP : timer.fireTimestamp;
    this.#ctx.tag = timer.tag;
    this.#ctx.fireTimestamp = timer.fireTimestamp;
    const result = callback.fire(this.#ctx);
    if (result !== undefined) refusePromise(this.name, result);
    this.#flush();
  }

  /** Turns the context to the key in `#key`, whose state was entered. */
  #bind(state: StateOfKey): void {
    this.#ctx.forgetKey();
    for (const cell of this.#cells) cell.bind(state);
    for (const timer of this.#timers) timer.bind(state);
  }

  #flush(): void {
    for (const cell of this.#cells) cell.flush();
    this.#states.leave();
  }

  #isExpired(window: BoundedWindow): boolean {
    return window.maxTimestamp + this.#windowing.allowedLatenessMs < this.#services.inputWatermark();
  }

  #windowsOf(identity: ByteReader, keyAndWindowLength: number): Windows {
    const { windowCoder } = this.#windowing;
    if (windowCoder === undefined) return IN_GLOBAL_WINDOW;
    const start = identity.position;
    this.#keyReader.reset(identity.buffer, start, start + keyAndWindowLength);
    this.#keyCoder.decode(this.#keyReader, "nested");
    return [windowCoder.decode(this.#keyReader, "nested")];
  }
}

/** The cell that timers without a tag may be kept beside. */
function timedCell({ state, timers }: StatefulDoFn<any, any, any, any, any, any>): TimedCell | undefined {
  const cells = Object.entries(state).map(([name, spec]) => ({
    name,
    isMultimap: (spec as StateSpec).kind === "multimap",
  }));
  const families = Object.entries(timers).map(([name, spec]) => ({
    name,
    isEventTime: (spec as { timeDomain: string }).timeDomain === "event",
  }));
  return timedCellOf(cells, families);
}
