/**
 * For runners that serve side inputs from their own state: one operator collects a side input by windows, another, in
 * the same stage, keeps elements back until the side inputs of their windows are complete. Over the Fn API the runner
 * does both, and these are never in a bundle.
 *
 * A side input is complete when its own watermark has passed the end of the window, however far the elements' is. That
 * is looked at again when the stage's watermark has passed the window, and every now and then until it has.
 */

import type { KeyedState, StateOfKey } from "../../exec/keyed_state.js";
import { type FiredTimer, Operator, type OperatorContext } from "../../exec/operator.js";
import type { Receiver, Windows } from "../../exec/receiver.js";
import type {
  CollectionWatermarkServices,
  KeyedStateServices,
  UserCodeServices,
} from "../../exec/services.js";
import { WindowMapping } from "../../exec/side_input_reader.js";
import { ByteReader, ByteWriter } from "../../model/bytes.js";
import type { Coder } from "../../model/coders/coder.js";
import { readInstant, writeInstant } from "../../model/coders/instant.js";
import { GlobalWindowCoder } from "../../model/coders/window_coders.js";
import { WindowedValueCoder } from "../../model/coders/windowed_value_coder.js";
import type { PaneInfo } from "../../model/pane.js";
import { MAX_TIMESTAMP, type TimestampMs } from "../../model/timestamps.js";
import type { BoundedWindow } from "../../model/windows.js";

export const COLLECT_SIDE_INPUT_URN = "beam:transform:ts:collect_side_input:v1";
export const AWAIT_SIDE_INPUTS_URN = "beam:transform:ts:await_side_inputs:v1";

/** For whom a side input is collected, as JSON in the payload of the collecting transform. */
export interface CollectPayload {
  readonly consumer: string;
  readonly name: string;
}
/** The collections that elements wait for, as JSON in the payload of the waiting transform. */
export interface AwaitPayload {
  readonly sides: readonly string[];
}

/** The cell of its consumer that holds the elements of a side input, by windows. */
export function sideInputCell(name: string): string {
  return `side:${name}`;
}

/** The key is never empty: a byte stands before the window. */
export function sideInputKey(window: ByteWriter, out: ByteWriter): ByteWriter {
  out.reset();
  out.writeByte(0);
  out.writeBytes(window.buffer, 0, window.length);
  return out;
}

const EXPIRY_FAMILY = "~side-input-expiry";
/** Behind the timers at the window's end, which still read it. */
const EXPIRY_DELAY_MS = 4;

export class CollectSideInputOperator extends Operator implements Receiver {
  override readonly input: Receiver = this;
  readonly #services: KeyedStateServices;
  readonly #coder: Coder<unknown>;
  readonly #mapping: WindowMapping;
  readonly #allowedLatenessMs: number;
  /** Of the consumer. */
  readonly #collected: KeyedState;
  readonly #cell: number;
  readonly #timers: KeyedState;
  readonly #expiry: number;
  readonly #window = new ByteWriter(32);
  readonly #key = new ByteWriter(32);
  readonly #value = new ByteWriter();

  constructor(context: OperatorContext<KeyedStateServices>) {
    super();
    const [input] = Object.values(context.transform.inputs);
    const { consumer, name }: CollectPayload = payloadOf(context);
    const windowing = context.windowing(input!);
    this.#services = context.services;
    this.#coder = context.coder(input!);
    this.#mapping = new WindowMapping(windowing);
    this.#allowedLatenessMs = windowing.allowedLatenessMs;
    this.#collected = context.services.keyedState(consumer);
    this.#cell = this.#collected.cell(sideInputCell(name));
    this.#timers = context.services.keyedState(context.transformId);
    this.#expiry = this.#timers.timers(EXPIRY_FAMILY, "event");
  }

  accept(value: unknown, _timestamp: TimestampMs, windows: Windows, _pane: PaneInfo): void {
    for (const window of windows) {
      const gone = window.maxTimestamp + this.#allowedLatenessMs + EXPIRY_DELAY_MS;
      if (gone < this.#services.inputWatermark()) continue;
      this.#window.reset();
      this.#mapping.encode(window, this.#window);
      this.#value.reset();
      this.#coder.encode(value, this.#value, "nested");
      const key = sideInputKey(this.#window, this.#key);
      this.#collected.mustEnter(key).append(this.#cell, this.#value);
      this.#timers.mustEnter(key).setTimer(this.#expiry, "", gone, gone);
    }
  }

  override onTimer(_family: string, { identity, keyAndWindowLength }: FiredTimer): void {
    this.#key.reset();
    this.#key.writeBytes(identity.buffer, identity.position, identity.position + keyAndWindowLength);
    this.#collected.mustEnter(this.#key).delete(this.#cell);
  }
}

const END_FAMILY = "~side-inputs-end";
const LOOK_FAMILY = "~side-inputs-look";
const LOOK_INTERVAL_MS = 20;

type AwaitServices = KeyedStateServices & CollectionWatermarkServices & Pick<UserCodeServices, "clock">;

export class AwaitSideInputsOperator extends Operator implements Receiver {
  override readonly input: Receiver = this;
  readonly #services: AwaitServices;
  readonly #output: Receiver;
  readonly #sides: readonly { readonly collection: string; readonly mapping: WindowMapping }[];
  readonly #windowCoder: Coder<BoundedWindow>;
  readonly #elementCoder: WindowedValueCoder<unknown>;
  readonly #states: KeyedState;
  /** Elements by their window, and the earliest of their timestamps, which holds the watermark. */
  readonly #waiting: number;
  readonly #earliest: number;
  readonly #end: number;
  readonly #look: number;
  readonly #key = new ByteWriter(32);
  readonly #writer = new ByteWriter();
  readonly #reader = new ByteReader();

  constructor(context: OperatorContext<AwaitServices>) {
    super();
    const { services, transform, transformId } = context;
    const [input] = Object.values(transform.inputs);
    const [output] = Object.keys(transform.outputs);
    const { sides }: AwaitPayload = payloadOf(context);
    this.#services = services;
    this.#output = context.output(output!);
    this.#sides = sides.map((collection) => ({
      collection,
      mapping: new WindowMapping(context.windowing(collection)),
    }));
    this.#windowCoder = context.windowing(input!).windowCoder ?? (GlobalWindowCoder.INSTANCE as Coder<any>);
    this.#elementCoder = new WindowedValueCoder(context.coder(input!), this.#windowCoder);
    this.#states = services.keyedState(transformId);
    this.#waiting = this.#states.cell("waiting");
    this.#earliest = this.#states.cell("earliest");
    this.#end = this.#states.timers(END_FAMILY, "event");
    this.#look = this.#states.timers(LOOK_FAMILY, "processing");
  }

  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    for (const window of windows) {
      const completeAt = this.#completeAt(window);
      if (this.#isComplete(window)) {
        this.#output.accept(value, timestamp, [window], pane);
        continue;
      }
      const state = this.#enter(window);
      let earliest = timestamp;
      if (state.get(this.#earliest, this.#reader)) earliest = Math.min(earliest, readInstant(this.#reader));
      this.#writer.reset();
      writeInstant(earliest, this.#writer);
      state.put(this.#earliest, this.#writer);
      this.#writer.reset();
      this.#elementCoder.encode({ value, timestamp, windows: [window], pane }, this.#writer, "nested");
      state.append(this.#waiting, this.#writer);
      state.setTimer(this.#end, "", completeAt, Math.min(earliest, completeAt));
      state.setTimer(this.#look, "", Math.ceil(this.#services.clock.now() + LOOK_INTERVAL_MS), earliest);
    }
  }

  override onTimer(_family: string, { identity, keyAndWindowLength, outputTimestamp }: FiredTimer): void {
    this.#key.reset();
    this.#key.writeBytes(identity.buffer, identity.position, identity.position + keyAndWindowLength);
    this.#reader.reset(this.#key.buffer, 1, this.#key.length);
    const window = this.#windowCoder.decode(this.#reader, "nested");
    const state = this.#states.mustEnter(this.#key);
    if (!this.#isComplete(window)) {
      state.setTimer(
        this.#look,
        "",
        Math.ceil(this.#services.clock.now() + LOOK_INTERVAL_MS),
        outputTimestamp,
      );
      return;
    }
    state.clearTimer(this.#end, "");
    state.clearTimer(this.#look, "");
    if (!state.get(this.#waiting, this.#reader)) return;
    const elements = [];
    while (this.#reader.remaining > 0) elements.push(this.#elementCoder.decode(this.#reader, "nested"));
    state.delete(this.#waiting);
    state.delete(this.#earliest);
    for (const { value, timestamp, windows, pane } of elements) {
      this.#output.accept(value, timestamp, windows, pane);
    }
  }

  /** When the last side input of an element's window is complete. */
  #completeAt(window: BoundedWindow): TimestampMs {
    let last = window.maxTimestamp;
    for (const { mapping } of this.#sides) last = Math.max(last, mapping.map(window).maxTimestamp);
    return Math.min(last + 1, MAX_TIMESTAMP);
  }

  #isComplete(window: BoundedWindow): boolean {
    return this.#sides.every(
      ({ collection, mapping }) =>
        this.#services.collectionWatermark(collection) > mapping.map(window).maxTimestamp,
    );
  }

  #enter(window: BoundedWindow): StateOfKey {
    this.#key.reset();
    this.#key.writeByte(0);
    this.#windowCoder.encode(window, this.#key, "nested");
    return this.#states.mustEnter(this.#key);
  }
}

function payloadOf(context: OperatorContext): any {
  return JSON.parse(Buffer.from(context.transform.spec!.payload).toString("utf8"));
}
