/**
 * Which firing an element came out of: part of windowed values and timers.
 *
 *     byte: first | last << 1 | timing << 2 | form << 4
 *     form 0: nothing more; both indexes are 0 (-1 the second, when EARLY)
 *     form 1: varint index; the second is the same (-1 when EARLY)
 *     form 2: varint index | varint non-speculative index
 *
 * The common NO_FIRING is the byte 0f. Other forms carry data that this version does not know, so they are refused.
 * Source: beam_runner_api.proto, StandardCoders WINDOWED_VALUE.
 */
import { type ByteReader, type ByteWriter, CorruptBytesError } from "../bytes.js";
import { NO_FIRING, type PaneInfo, Timing } from "../pane.js";
import { wrongType } from "./wrong_type.js";

/** The one byte that NO_FIRING is written as. */
export const NO_FIRING_BYTE = 0x0f;

const FORM_PLAIN = 0;
const FORM_ONE_INDEX = 1;
const FORM_TWO_INDEXES = 2;

export function writePaneInfo(pane: PaneInfo, out: ByteWriter): void {
  if (pane === NO_FIRING) {
    out.writeByte(NO_FIRING_BYTE);
    return;
  }
  if (typeof pane !== "object" || pane === null) throw wrongType("pane", "a PaneInfo", pane);
  const { index, nonSpeculativeIndex, timing } = pane;
  const flags = (pane.isFirst ? 1 : 0) | (pane.isLast ? 2 : 0) | (timing << 2);
  if (timing === Timing.UNKNOWN || (index === 0 && nonSpeculativeIndex === 0)) {
    out.writeByte(flags | (FORM_PLAIN << 4));
  } else if (timing === Timing.EARLY || index === nonSpeculativeIndex) {
    out.writeByte(flags | (FORM_ONE_INDEX << 4));
    out.writeVarint(index);
  } else {
    out.writeByte(flags | (FORM_TWO_INDEXES << 4));
    out.writeVarint(index);
    out.writeVarint(nonSpeculativeIndex);
  }
}

export function readPaneInfo(input: ByteReader): PaneInfo {
  const byte = input.readByte();
  const plain = PLAIN_PANES[byte & 0x0f]!;
  const form = byte >> 4;
  if (form === FORM_PLAIN) return plain;
  if (form === FORM_ONE_INDEX) {
    const index = readIndex(input, 0);
    return withIndexes(plain, index, plain.timing === Timing.EARLY ? -1 : index);
  }
  if (form === FORM_TWO_INDEXES) {
    const index = readIndex(input, 0);
    return withIndexes(plain, index, readIndex(input, -1));
  }
  throw new CorruptBytesError(`the pane byte 0x${byte.toString(16)} has an unknown form`);
}

function readIndex(input: ByteReader, least: number): number {
  const index = input.readVarint();
  if (index < least) throw new CorruptBytesError(`the pane index ${index}`);
  return index;
}

function withIndexes(pane: PaneInfo, index: number, nonSpeculativeIndex: number): PaneInfo {
  const { isFirst, isLast, timing } = pane;
  return { isFirst, isLast, timing, index, nonSpeculativeIndex };
}

/** The pane of each of the 16 bytes of form 0: shared by all elements. */
const PLAIN_PANES: readonly PaneInfo[] = Array.from({ length: 16 }, (_, flags) => {
  if (flags === NO_FIRING_BYTE) return NO_FIRING;
  const timing = (flags >> 2) as Timing;
  return Object.freeze({
    isFirst: (flags & 1) !== 0,
    isLast: (flags & 2) !== 0,
    timing,
    index: 0,
    nonSpeculativeIndex: timing === Timing.EARLY ? -1 : 0,
  });
});
