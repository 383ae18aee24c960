/** Timers of one family that have fired, as they come from the runner. The grammar is in timer_coder.ts. */
import type { FiredTimer } from "../exec/operator.js";
import { ByteReader, ByteWriter, CorruptBytesError } from "../model/bytes.js";
import { readInstant } from "../model/coders/instant.js";
import { readPaneInfo } from "../model/coders/pane_info.js";
import type { TimerCoder } from "../model/coders/timer_coder.js";
import { readWindows } from "../model/coders/window_coders.js";
import { MIN_TIMESTAMP } from "../model/timestamps.js";

export class TimerInput {
  readonly #reader = new ByteReader();
  readonly #identity = new ByteWriter(256);
  readonly #timer: FiredTimer = {
    identity: new ByteReader(),
    keyAndWindowLength: 0,
    tag: "",
    fireTimestamp: MIN_TIMESTAMP,
    outputTimestamp: MIN_TIMESTAMP,
  };

  /** @param name for messages */
  constructor(
    private readonly name: string,
    private readonly coder: TimerCoder<unknown>,
    private readonly fire: (timer: FiredTimer) => void,
  ) {}

  /** Hands out each timer, once for each of its windows. */
  read(bytes: Buffer): void {
    this.#reader.reset(bytes);
    while (this.#reader.remaining > 0) this.#readOne(bytes);
  }

  #readOne(bytes: Buffer): void {
    const reader = this.#reader;
    const timer = this.#timer;
    const start = reader.position;
    let keyEnd: number;
    let windows: ReturnType<typeof readWindows>;
    try {
      this.coder.key.decode(reader, "nested");
      keyEnd = reader.position;
      timer.tag = reader.readString();
      windows = readWindows(this.coder.window, reader);
      if (reader.readByte() !== 0) throw new CorruptBytesError("a timer that is cleared has fired");
      timer.fireTimestamp = readInstant(reader);
      timer.outputTimestamp = readInstant(reader);
      readPaneInfo(reader);
    } catch (error) {
      throw new Error(
        `${this.name}: a timer cannot be decoded at byte ${start}: ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
    for (const window of windows) {
      const identity = this.#identity;
      identity.reset();
      identity.writeBytes(bytes, start, keyEnd);
      this.coder.window.encode(window, identity, "nested");
      timer.keyAndWindowLength = identity.length;
      timer.identity.reset(identity.buffer, 0, identity.length);
      this.fire(timer);
    }
  }
}
