/**
 * Runs a DoFn with state and timers. All it keeps is per key and window: the two encodings, one after the other, are
 * the key of every state table and the front of every timer's identity.
 */
import { ByteReader, ByteWriter } from "../model/bytes.js";
import type { Coder } from "../model/coders/coder.js";
import type { KV } from "../model/kv.js";
import { NO_FIRING, type PaneInfo } from "../model/pane.js";
import { MIN_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import { type BoundedWindow, IN_GLOBAL_WINDOW } from "../model/windows.js";
import type { StatefulDoFn } from "../sdk/do_fn.js";
import { DoFnOperator, mainInput, refusePromise } from "./do_fn_operator.js";
import { ElementContextCell } from "./element_context.js";
import type { FiredTimer, OperatorContext, Windowing } from "./operator.js";
import type { Receiver, Windows } from "./receiver.js";
import type { ExecServices, TimerTable } from "./services.js";
import { createCell, type StateCell } from "./user_state.js";
import { TimerHandle } from "./user_timers.js";

/** Family of the operator's own timers that drop the state of expired windows. No declared name can contain "~". */
const EXPIRY_FAMILY = "~window-expiry";

class StatefulContextCell extends ElementContextCell {
  state: Record<string, unknown> = {};
  timers: Record<string, TimerHandle> = {};
  tag = "";
  fireTimestamp: TimestampMs = 0;
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
  readonly #services: ExecServices;
  readonly #key = new ByteWriter(256);
  readonly #keyCoder: Coder<unknown>;
  readonly #windowing: Windowing;
  readonly #cells: StateCell[] = [];
  readonly #processingTimers = new Set<string>();
  readonly #expiry: TimerTable | undefined;
  readonly #ctx: StatefulContextCell;
  readonly #keyReader = new ByteReader();

  constructor(doFn: StatefulDoFn<any, any, any, any, any, any>, context: OperatorContext) {
    super(doFn, context);
    const input = mainInput(context.transform);
    this.#services = context.services;
    this.#keyCoder = context.kvCoders(input).key;
    this.#windowing = context.windowing(input);
    const ctx = this.ctx as StatefulContextCell;
    this.#ctx = ctx;
    ctx.keyCoder = this.#keyCoder;
    ctx.keyBytes = this.#key;
    for (const [name, spec] of Object.entries(doFn.state)) {
      const cell = createCell(spec as any, context.services.stateTable(context.transformId, name));
      this.#cells.push(cell);
      ctx.state[name] = cell;
    }
    for (const [name, spec] of Object.entries(doFn.timers)) {
      const { timeDomain } = spec as { timeDomain: "event" | "processing" };
      if (typeof doFn.onTimer[name] !== "function") {
        throw new Error(`${this.name}: timer ${name} has no callback in onTimer`);
      }
      if (timeDomain === "processing") this.#processingTimers.add(name);
      ctx.timers[name] = new TimerHandle(
        name,
        timeDomain,
        context.services.timerTable(context.transformId, name, timeDomain),
        this.#key,
        ctx,
        this.#windowing.allowedLatenessMs,
      );
    }
    if (this.#windowing.windowCoder !== undefined && !context.services.dropsExpiredState) {
      this.#expiry = context.services.timerTable(context.transformId, EXPIRY_FAMILY, "event");
    }
  }

  protected override newContext(context: OperatorContext): ElementContextCell {
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
    this.#bindWindow(window);
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
    this.#ctx.forgetKey();
    for (const cell of this.#cells) cell.bind(this.#key);
    if (family === EXPIRY_FAMILY) {
      for (const cell of this.#cells) {
        cell.clear();
        cell.flush();
      }
      return;
    }
    const isByClock = this.#processingTimers.has(family);
    const windows = this.#windowsOf(identity, keyAndWindowLength);
    // The clock may come to a timer whose window, and with it its state, is gone.
    if (isByClock && this.#windowing.windowCoder !== undefined && this.#isExpired(windows[0]!)) return;
    this.#ctx.enter(timer.outputTimestamp, windows, NO_FIRING);
    this.#ctx.eventTimerAt = isByClock ? MIN_TIMESTAMP : timer.fireTimestamp;
    this.#ctx.tag = timer.tag;
    this.#ctx.fireTimestamp = timer.fireTimestamp;
    const result: unknown = this.doFn.onTimer[family]!(this.#ctx as any);
    if (result !== undefined) refusePromise(this.name, result);
    this.#flush();
  }

  #bindWindow(window: BoundedWindow): void {
    this.#ctx.forgetKey();
    const { windowCoder, allowedLatenessMs } = this.#windowing;
    if (windowCoder !== undefined) {
      windowCoder.encode(window, this.#key, "nested");
      const gone = window.maxTimestamp + allowedLatenessMs + 1;
      this.#expiry?.set(this.#key, "", gone, gone);
    }
    for (const cell of this.#cells) cell.bind(this.#key);
  }

  #flush(): void {
    for (const cell of this.#cells) cell.flush();
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
