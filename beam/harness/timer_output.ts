/**
 * Timers of one family on their way to the runner.
 *
 *     key | tag: varint count of bytes, UTF-8 | int32 1 | window | clear: 00 or 01
 *     when clear is 00: fire timestamp | hold timestamp | pane
 *
 * Source: beam_runner_api.proto, StandardCoders TIMER; the general form is in timer_coder.ts.
 */
import { ByteWriter } from "../model/bytes.js";
import { writeInstant } from "../model/coders/instant.js";
import { NO_FIRING_BYTE } from "../model/coders/pane_info.js";
import type { ChangedTimer, KeyBytes } from "./key_state.js";
import { PIECE_BYTES } from "./piece_bytes.js";

export class TimerOutput {
  readonly writer = new ByteWriter();

  constructor(
    readonly transformId: string,
    readonly family: string,
    /** Of the timers' endpoint. */
    readonly url: string,
    private readonly sendPiece: (output: TimerOutput) => void,
  ) {}

  write({ id, keyLength }: KeyBytes, timer: ChangedTimer): void {
    const { writer } = this;
    writer.writeLatin1(id, 0, keyLength);
    writer.writeString(timer.tag);
    writer.writeInt32(1);
    writer.writeLatin1(id, keyLength, id.length);
    writer.writeByte(timer.isSet ? 0 : 1);
    if (timer.isSet) {
      writeInstant(timer.fireTimestamp, writer);
      writeInstant(timer.outputTimestamp, writer);
      writer.writeByte(NO_FIRING_BYTE);
    }
    if (writer.length >= PIECE_BYTES) this.sendPiece(this);
  }
}
