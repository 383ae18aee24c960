/**
 * Which log an offset is of. Offsets begin at 0 again in a topic that was deleted and made again, and a log that was cut
 * or restored has other records at the same offsets; so a position is kept with the ids of its cluster and topic and
 * with a mark of the last batch that was read. Whoever goes on from it fetches that batch once more and compares.
 */
import { RecordFormatError } from "./kafka_errors.js";
import type { BatchMark, LogId } from "./log_id.js";

/** The batch that was read last, and an offset in it. */
export interface Anchor extends BatchMark {
  readonly offset: number;
}

/** What is known of the log that a position is in. */
export interface LogMark extends LogId {
  /** Undefined: nothing was read yet. */
  readonly anchor: Anchor | undefined;
}

/** The header of a batch, as far as it tells logs apart. */
export interface BatchHeader extends BatchMark {
  readonly lastOffset: number;
  readonly recordCount: number;
}

export const UNKNOWN_LOG: LogId = { clusterId: "", topicId: "" };

/** What one side does not know is no difference. */
export function isSameLog(a: LogId, b: LogId): boolean {
  const differ = (x: string, y: string): boolean => x !== "" && y !== "" && x !== y;
  return !differ(a.clusterId, b.clusterId) && !differ(a.topicId, b.topicId);
}

/** The same log, with what either side knows of it. */
export function mergedLog(a: LogId, b: LogId): LogId {
  return { clusterId: a.clusterId || b.clusterId, topicId: a.topicId || b.topicId };
}

/**
 * Whether the log still holds what was read at the anchor.
 * @param first the batch that a fetch at the anchor's offset begins with
 *
 * Compaction keeps the first and the last offset of a batch, and its epoch, but takes records out, or the whole batch.
 * Only it leaves gaps in the offsets of a log, so a gap is the proof of it.
 */
export function holdsAnchor(first: BatchHeader, anchor: Anchor): boolean {
  if (first.baseOffset > anchor.offset) return first.leaderEpoch >= anchor.leaderEpoch;
  if (first.lastOffset < anchor.offset) {
    throw new RecordFormatError(
      `a fetch at offset ${anchor.offset} was answered with offsets up to ${first.lastOffset}`,
    );
  }
  if (first.baseOffset !== anchor.baseOffset) return false;
  if (first.checksum === anchor.checksum) return true;
  const isCompacted = first.recordCount <= first.lastOffset - first.baseOffset;
  return isCompacted && first.leaderEpoch === anchor.leaderEpoch;
}
