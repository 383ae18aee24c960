/**
 * For runners that serve side inputs from their own state: one operator collects a side input by windows, another, in
 * the same stage, keeps elements back until the side inputs of their windows are complete. Over the Fn API the runner
 * does both, and these are never in a bundle.
 *
 * A side input is complete when its own watermark has passed the end of the window, however far the elements' is. That
 * is looked at again when the stage's watermark has passed the window, and every now and then until it has.
 */

import { type FiredTimer, Operator, type OperatorContext } from "../../exec/operator.js";
import type { Receiver, Windows } from "../../exec/receiver.js";
import type { ExecServices, StateTable, TimerTable } from "../../exec/services.js";
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

/** Where the elements of a side input lie, by windows. The key is never empty: a byte stands before the window. */
export function sideInputTable(services: ExecServices, consumer: string, name: string): StateTable {
  return services.stateTable(consumer, `side:${name}`);
}

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
  readonly #services: ExecServices;
  readonly #coder: Coder<unknown>;
  readonly #mapping: WindowMapping;
  readonly #allowedLatenessMs: number;
  readonly #table: StateTable;
  readonly #expiry: TimerTable;
  readonly #window = new ByteWriter(32);
  readonly #key = new ByteWriter(32);
  readonly #value = new ByteWriter();

  constructor(context: OperatorContext) {
    super();
    const [input] = Object.values(context.transform.inputs);
    const { consumer, name }: CollectPayload = payloadOf(context);
    const windowing = context.windowing(input!);
    this.#services = context.services;
    this.#coder = context.coder(input!);
    this.#mapping = new WindowMapping(windowing);
    this.#allowedLatenessMs = windowing.allowedLatenessMs;
    this.#table = sideInputTable(context.services, consumer, name);
    this.#expiry = context.services.timerTable(context.transformId, EXPIRY_FAMILY, "event");
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
      this.#table.append(key, this.#value);
      this.#expiry.set(key, "", gone, gone);
    }
  }

  override onTimer(_family: string, { identity, keyAndWindowLength }: FiredTimer): void {
    this.#key.reset();
    this.#key.writeBytes(identity.buffer, identity.position, identity.position + keyAndWindowLength);
    this.#table.delete(this.#key);
  }
}

const END_FAMILY = "~side-inputs-end";
const LOOK_FAMILY = "~side-inputs-look";
const LOOK_INTERVAL_MS = 20;

export class AwaitSideInputsOperator extends Operator implements Receiver {
  override readonly input: Receiver = this;
  readonly #services: ExecServices;
  readonly #output: Receiver;
  readonly #sides: readonly { readonly collection: string; readonly mapping: WindowMapping }[];
  readonly #windowCoder: Coder<BoundedWindow>;
  readonly #elementCoder: WindowedValueCoder<unknown>;
  /** Elements by their window, and the earliest of their timestamps, which holds the watermark. */
  readonly #waiting: StateTable;
  readonly #earliest: StateTable;
  readonly #end: TimerTable;
  readonly #look: TimerTable;
  readonly #key = new ByteWriter(32);
  readonly #writer = new ByteWriter();
  readonly #reader = new ByteReader();

  constructor(context: OperatorContext) {
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
    this.#waiting = services.stateTable(transformId, "waiting");
    this.#earliest = services.stateTable(transformId, "earliest");
    this.#end = services.timerTable(transformId, END_FAMILY, "event");
    this.#look = services.timerTable(transformId, LOOK_FAMILY, "processing");
  }

  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    for (const window of windows) {
      const completeAt = this.#completeAt(window);
      if (this.#isComplete(window)) {
        this.#output.accept(value, timestamp, [window], pane);
        continue;
      }
      this.#keyOf(window);
      let earliest = timestamp;
      if (this.#earliest.get(this.#key, this.#reader))
        earliest = Math.min(earliest, readInstant(this.#reader));
      this.#writer.reset();
      writeInstant(earliest, this.#writer);
      this.#earliest.put(this.#key, this.#writer);
      this.#writer.reset();
      this.#elementCoder.encode({ value, timestamp, windows: [window], pane }, this.#writer, "nested");
      this.#waiting.append(this.#key, this.#writer);
      this.#end.set(this.#key, "", completeAt, Math.min(earliest, completeAt));
      this.#look.set(this.#key, "", Math.ceil(this.#services.clock.now() + LOOK_INTERVAL_MS), earliest);
    }
  }

  override onTimer(_family: string, { identity, keyAndWindowLength, outputTimestamp }: FiredTimer): void {
    this.#key.reset();
    this.#key.writeBytes(identity.buffer, identity.position, identity.position + keyAndWindowLength);
    this.#reader.reset(this.#key.buffer, 1, this.#key.length);
    const window = this.#windowCoder.decode(this.#reader, "nested");
    if (!this.#isComplete(window)) {
      this.#look.set(
        this.#key,
        "",
        Math.ceil(this.#services.clock.now() + LOOK_INTERVAL_MS),
        outputTimestamp,
      );
      return;
    }
    this.#end.clear(this.#key, "");
    this.#look.clear(this.#key, "");
    if (!this.#waiting.get(this.#key, this.#reader)) return;
    const elements = [];
    while (this.#reader.remaining > 0) elements.push(this.#elementCoder.decode(this.#reader, "nested"));
    this.#waiting.delete(this.#key);
    this.#earliest.delete(this.#key);
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

  #keyOf(window: BoundedWindow): void {
    this.#key.reset();
    this.#key.writeByte(0);
    this.#windowCoder.encode(window, this.#key, "nested");
  }
}

function payloadOf(context: OperatorContext): any {
  return JSON.parse(Buffer.from(context.transform.spec!.payload).toString("utf8"));
}
