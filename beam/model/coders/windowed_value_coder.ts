/**
 * Elements on their way between runner and SDK. The hot path is `encodeParts` and `decodeInto`: they make no wrapper
 * for an element, and write or read the header of an element in the global window in one go.
 */
import type { ByteReader, ByteWriter } from "../bytes.js";
import { NO_FIRING, type PaneInfo } from "../pane.js";
import type { TimestampMs } from "../timestamps.js";
import type { WindowedValue } from "../windowed_value.js";
import { type BoundedWindow, GlobalWindow, IN_GLOBAL_WINDOW } from "../windows.js";
import { BytesCoder } from "./bytes_coder.js";
import type { Coder, CoderIds, Context } from "./coder.js";
import { coderProto } from "./coder_proto.js";
import { decodeFromBytes, encodeToBytes } from "./encode_to_bytes.js";
import { readInstant, writeInstant } from "./instant.js";
import { NO_FIRING_BYTE, readPaneInfo, writePaneInfo } from "./pane_info.js";
import { CoderUrn } from "./urns.js";
import { GlobalWindowCoder, readWindows, writeWindows } from "./window_coders.js";
import { wrongType } from "./wrong_type.js";

/** Takes elements in parts. Called once for each; the windows and the pane are shared and must not be changed. */
export interface WindowedValueSink<T> {
  accept(value: T, timestamp: TimestampMs, windows: readonly BoundedWindow[], pane: PaneInfo): void;
}

/** What `beam:runner:source:v1` and `beam:runner:sink:v1` need of their coder: either of the two below. */
export interface ElementCoder<T> extends Coder<WindowedValue<T>> {
  readonly value: Coder<T>;
  readonly window: Coder<BoundedWindow>;
  /** As `encode`, for the parts of an element. */
  encodeParts(
    value: T,
    timestamp: TimestampMs,
    windows: readonly BoundedWindow[],
    pane: PaneInfo,
    out: ByteWriter,
    context: Context,
  ): void;
  /** As `decode`, handing the parts to `sink`. The input stands behind the element when the sink is called. */
  decodeInto(input: ByteReader, context: Context, sink: WindowedValueSink<T>): void;
}

/**
 *     timestamp, an instant | windows, a sequence | pane | value, in the context of the whole
 */
export class WindowedValueCoder<T> implements ElementCoder<T> {
  readonly isDeterministic: boolean;
  private readonly isGlobal: boolean;

  constructor(
    readonly value: Coder<T>,
    readonly window: Coder<BoundedWindow>,
  ) {
    this.isDeterministic = value.isDeterministic && window.isDeterministic;
    this.isGlobal = window instanceof GlobalWindowCoder;
  }

  encode(element: WindowedValue<T>, out: ByteWriter, context: Context): void {
    if (typeof element !== "object" || element === null) {
      throw wrongType("windowed_value", "a WindowedValue", element);
    }
    this.encodeParts(element.value, element.timestamp, element.windows, element.pane, out, context);
  }

  encodeParts(
    value: T,
    timestamp: TimestampMs,
    windows: readonly BoundedWindow[],
    pane: PaneInfo,
    out: ByteWriter,
    context: Context,
  ): void {
    writeInstant(timestamp, out);
    if (
      pane === NO_FIRING &&
      this.isGlobal &&
      (windows === IN_GLOBAL_WINDOW || (windows?.length === 1 && windows[0] === GlobalWindow.INSTANCE))
    ) {
      out.reserve(5);
      const { buffer } = out;
      const at = out.length;
      buffer[at] = 0;
      buffer[at + 1] = 0;
      buffer[at + 2] = 0;
      buffer[at + 3] = 1;
      buffer[at + 4] = NO_FIRING_BYTE;
      out.length = at + 5;
    } else {
      writeWindows(windows, this.window, out);
      writePaneInfo(pane, out);
    }
    this.value.encode(value, out, context);
  }

  decode(input: ByteReader, context: Context): WindowedValue<T> {
    const timestamp = readInstant(input);
    const isPlain = this.skipPlainHeader(input);
    const windows = isPlain ? IN_GLOBAL_WINDOW : readWindows(this.window, input);
    const pane = isPlain ? NO_FIRING : readPaneInfo(input);
    return { value: this.value.decode(input, context), timestamp, windows, pane };
  }

  decodeInto(input: ByteReader, context: Context, sink: WindowedValueSink<T>): void {
    const timestamp = readInstant(input);
    const isPlain = this.skipPlainHeader(input);
    const windows = isPlain ? IN_GLOBAL_WINDOW : readWindows(this.window, input);
    const pane = isPlain ? NO_FIRING : readPaneInfo(input);
    sink.accept(this.value.decode(input, context), timestamp, windows, pane);
  }

  /** Steps over "one window, NO_FIRING" if the windows are global and this is what comes. */
  private skipPlainHeader(input: ByteReader): boolean {
    if (!this.isGlobal || input.limit - input.position < 5) return false;
    const { buffer, position } = input;
    if (
      buffer[position + 4] !== NO_FIRING_BYTE ||
      buffer[position + 3] !== 1 ||
      buffer[position + 2] !== 0 ||
      buffer[position + 1] !== 0 ||
      buffer[position] !== 0
    ) {
      return false;
    }
    input.position = position + 5;
    return true;
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.WINDOWED_VALUE, ids, [this.value, this.window]);
  }
}

/** What all elements of a ParamWindowedValueCoder share. */
export type WindowedValueParams = Omit<WindowedValue<unknown>, "value">;

/**
 * Elements that all have one timestamp, one list of windows and one pane: these are in the coder's payload, and
 * whatever an element that is written says of them is dropped.
 *
 *     element: value, in the context of the whole
 *     payload: a windowed value whose value is an empty byte string, nested (one 00 byte)
 */
export class ParamWindowedValueCoder<T> implements ElementCoder<T> {
  readonly isDeterministic: boolean;

  constructor(
    readonly value: Coder<T>,
    readonly window: Coder<BoundedWindow>,
    readonly params: WindowedValueParams,
  ) {
    this.isDeterministic = value.isDeterministic;
  }

  /** Throws CorruptBytesError for a payload that is no windowed value. */
  static fromPayload<T>(value: Coder<T>, window: Coder<BoundedWindow>, payload: Uint8Array) {
    const constant = decodeFromBytes(new WindowedValueCoder(BytesCoder.INSTANCE, window), payload, "outer");
    const { timestamp, windows, pane } = constant;
    return new ParamWindowedValueCoder(value, window, { timestamp, windows, pane });
  }

  encode(element: WindowedValue<T>, out: ByteWriter, context: Context): void {
    if (typeof element !== "object" || element === null) {
      throw wrongType("param_windowed_value", "a WindowedValue", element);
    }
    this.value.encode(element.value, out, context);
  }

  encodeParts(
    value: T,
    _timestamp: TimestampMs,
    _windows: readonly BoundedWindow[],
    _pane: PaneInfo,
    out: ByteWriter,
    context: Context,
  ): void {
    this.value.encode(value, out, context);
  }

  decode(input: ByteReader, context: Context): WindowedValue<T> {
    const { timestamp, windows, pane } = this.params;
    return { value: this.value.decode(input, context), timestamp, windows, pane };
  }

  decodeInto(input: ByteReader, context: Context, sink: WindowedValueSink<T>): void {
    const { params } = this;
    sink.accept(this.value.decode(input, context), params.timestamp, params.windows, params.pane);
  }

  toProto(ids: CoderIds) {
    const { timestamp, windows, pane } = this.params;
    const constant = { value: new Uint8Array(0), timestamp, windows, pane };
    const payload = encodeToBytes(
      new WindowedValueCoder(BytesCoder.INSTANCE, this.window),
      constant,
      "nested",
    );
    return coderProto(
      CoderUrn.PARAM_WINDOWED_VALUE,
      ids,
      [this.value, this.window],
      Uint8Array.from(payload),
    );
  }
}
