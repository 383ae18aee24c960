import type { ByteReader, ByteWriter } from "../bytes.js";
import type { TimerElement } from "../timer.js";
import type { BoundedWindow } from "../windows.js";
import { BoolCoder } from "./bool_coder.js";
import type { Coder, CoderIds, Context } from "./coder.js";
import { coderProto } from "./coder_proto.js";
import { readInstant, writeInstant } from "./instant.js";
import { readPaneInfo, writePaneInfo } from "./pane_info.js";
import { StringUtf8Coder } from "./string_utf8_coder.js";
import { CoderUrn } from "./urns.js";
import { readWindows, writeWindows } from "./window_coders.js";
import { wrongType } from "./wrong_type.js";

/**
 * Timers that are set, cleared or fired. Unlike in a windowed value, the key comes first and the windows come before
 * the timestamps.
 *
 *     key, nested | tag, string_utf8 nested | windows, a sequence | clear: 00 or 01
 *     when clear is 00: fire timestamp, an instant | hold timestamp, an instant | pane
 */
export class TimerCoder<K> implements Coder<TimerElement<K>> {
  readonly isDeterministic: boolean;

  constructor(
    readonly key: Coder<K>,
    readonly window: Coder<BoundedWindow>,
  ) {
    this.isDeterministic = key.isDeterministic && window.isDeterministic;
  }

  encode(timer: TimerElement<K>, out: ByteWriter, _context: Context): void {
    if (typeof timer !== "object" || timer === null) throw wrongType("timer", "a timer", timer);
    this.key.encode(timer.key, out, "nested");
    StringUtf8Coder.INSTANCE.encode(timer.tag, out, "nested");
    writeWindows(timer.windows, this.window, out);
    BoolCoder.INSTANCE.encode(timer.clear, out, "nested");
    if (!timer.clear) {
      writeInstant(timer.fireTimestamp, out);
      writeInstant(timer.holdTimestamp, out);
      writePaneInfo(timer.pane, out);
    }
  }

  decode(input: ByteReader, _context: Context): TimerElement<K> {
    const key = this.key.decode(input, "nested");
    const tag = StringUtf8Coder.INSTANCE.decode(input, "nested");
    const windows = readWindows(this.window, input);
    const clear = BoolCoder.INSTANCE.decode(input, "nested");
    if (clear) return { key, tag, windows, clear };
    const fireTimestamp = readInstant(input);
    const holdTimestamp = readInstant(input);
    return { key, tag, windows, clear, fireTimestamp, holdTimestamp, pane: readPaneInfo(input) };
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.TIMER, ids, [this.key, this.window]);
  }
}
