/**
 * Windows. Each has a coder of its own; elements carry their windows as a sequence of them.
 */
import { type ByteReader, type ByteWriter, CorruptBytesError } from "../bytes.js";
import { type BoundedWindow, GlobalWindow, IN_GLOBAL_WINDOW, IntervalWindow } from "../windows.js";
import type { Coder, CoderIds, Context } from "./coder.js";
import { coderProto } from "./coder_proto.js";
import {
  instantFromWire,
  instantToWire,
  readInstant,
  readWireInstant,
  writeInstant,
  writeWireInstant,
} from "./instant.js";
import { readSequence, writeSequence } from "./sequence.js";
import { CoderUrn } from "./urns.js";
import { wrongType } from "./wrong_type.js";

/**
 *     no bytes
 */
export class GlobalWindowCoder implements Coder<GlobalWindow> {
  static readonly INSTANCE = new GlobalWindowCoder();
  readonly isDeterministic = true;

  encode(window: GlobalWindow, _out: ByteWriter, _context: Context): void {
    if (!(window instanceof GlobalWindow)) throw wrongType("global_window", "the global window", window);
  }

  decode(_input: ByteReader, _context: Context): GlobalWindow {
    return GlobalWindow.INSTANCE;
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.GLOBAL_WINDOW, ids);
  }
}

/**
 *     end, an instant | varint of milliseconds from start to end
 */
export class IntervalWindowCoder implements Coder<IntervalWindow> {
  static readonly INSTANCE = new IntervalWindowCoder();
  readonly isDeterministic = true;

  encode(window: IntervalWindow, out: ByteWriter, _context: Context): void {
    if (!(window instanceof IntervalWindow)) throw wrongType("interval_window", "an IntervalWindow", window);
    const { start, end } = window;
    const span = end - start;
    if (span < 0)
      throw wrongType("interval_window", "an IntervalWindow", window, "one that ends before it starts");
    if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && Number.isSafeInteger(span)) {
      writeInstant(end, out);
      out.writeVarint(span);
    } else {
      const endWire = instantToWire(end);
      const startWire = instantToWire(start);
      writeWireInstant(endWire, out);
      out.writeBigVarint(endWire - startWire);
    }
  }

  decode(input: ByteReader, _context: Context): IntervalWindow {
    const position = input.position;
    const end = readInstant(input);
    const span = input.tryReadVarint();
    if (span < 0) throw new CorruptBytesError(`an interval window of ${span} ms`);
    const start = end - span;
    if (Number.isSafeInteger(end) && Number.isSafeInteger(start)) return new IntervalWindow(start, end);
    // Near the ends of time, or too long for 53 bits: once more, exact.
    input.position = position;
    const endWire = readWireInstant(input);
    const spanWire = input.readBigVarint();
    if (spanWire < 0n) throw new CorruptBytesError(`an interval window of ${spanWire} ms`);
    return new IntervalWindow(instantFromWire(endWire - spanWire), instantFromWire(endWire));
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.INTERVAL_WINDOW, ids);
  }
}

/**
 * A window that the runner need not understand: it reads only when the window ends.
 *
 *     last instant of the window | window, in the context of the whole
 */
export class CustomWindowCoder<W extends BoundedWindow> implements Coder<W> {
  readonly isDeterministic: boolean;

  constructor(readonly window: Coder<W>) {
    this.isDeterministic = window.isDeterministic;
  }

  encode(window: W, out: ByteWriter, context: Context): void {
    if (typeof window !== "object" || window === null) throw wrongType("custom_window", "a window", window);
    if (window instanceof IntervalWindow && !Number.isSafeInteger(window.end)) {
      // One millisecond before a number beyond 2^53 may not be a number.
      writeWireInstant(instantToWire(window.end) - 1n, out);
    } else {
      writeInstant(window.maxTimestamp, out);
    }
    this.window.encode(window, out, context);
  }

  decode(input: ByteReader, context: Context): W {
    input.skip(8);
    return this.window.decode(input, context);
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.CUSTOM_WINDOW, ids, [this.window]);
  }
}

/** The windows of an element, as a sequence (see sequence.ts). */
export function writeWindows(
  windows: readonly BoundedWindow[],
  coder: Coder<BoundedWindow>,
  out: ByteWriter,
): void {
  if (!Array.isArray(windows)) throw wrongType("windowed_value", "an array of windows", windows);
  writeSequence(windows, coder, out);
}

/** Gives the shared IN_GLOBAL_WINDOW where it applies. */
export function readWindows(coder: Coder<BoundedWindow>, input: ByteReader): readonly BoundedWindow[] {
  const windows = readSequence(input, coder) as readonly BoundedWindow[];
  return windows.length === 1 && windows[0] === GlobalWindow.INSTANCE ? IN_GLOBAL_WINDOW : windows;
}
