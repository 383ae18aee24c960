/** Elements on their way to the runner: encoded one behind the other, and handed over in large pieces. */
import type { Receiver, Windows } from "../exec/receiver.js";
import { ByteWriter } from "../model/bytes.js";
import type { ElementCoder } from "../model/coders/windowed_value_coder.js";
import type { PaneInfo } from "../model/pane.js";
import type { TimestampMs } from "../model/timestamps.js";
import { PIECE_BYTES } from "./piece_bytes.js";
import { SampledSizes } from "./sampled_sizes.js";

export class ElementOutput implements Receiver {
  readonly writer = new ByteWriter();
  readonly sizes = new SampledSizes();

  constructor(
    readonly transformId: string,
    /** Of the data endpoint. */
    readonly url: string,
    private readonly coder: ElementCoder<unknown>,
    private readonly sendPiece: (output: ElementOutput) => void,
  ) {}

  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    const before = this.writer.length;
    this.coder.encodeParts(value, timestamp, windows, pane, this.writer, "nested");
    this.sizes.add(this.writer.length - before);
    if (this.writer.length >= PIECE_BYTES) this.sendPiece(this);
  }
}
