/**
 * The restriction of the Kafka read: offsets, and the log that they are of. The identity is a part of the restriction so
 * that it lives wherever the position does: in durable state, and on the wire of every runner.
 */
import {
  type ByteReader,
  type ByteWriter,
  type Coder,
  CorruptBytesError,
  type OffsetRange,
  OffsetRangeTracker,
  type RestrictionTracker,
  registerCoder,
  type Split,
} from "@order-payment-stream/beam";
import type { BatchMark, LogId } from "./client/log_id.js";
import type { Anchor, LogMark } from "./client/log_identity.js";

/** Offsets of one log. */
export interface LogRange extends OffsetRange {
  /** Undefined: in state from before it was kept. The first log that is met counts as the one meant. */
  readonly log: LogMark | undefined;
  /**
   * Of a range that a tracker hands out: the offset behind all that was claimed of it, which is where `log` is marked.
   * Between it and the end there is nothing to be read.
   */
  readonly readUpTo?: number;
}

/** A record to be read; a cursor will do. */
export interface LogPosition {
  readonly offset: number;
  /** The batch that the record is in. Undefined: what is claimed is no record. */
  readonly batch: BatchMark | undefined;
}

/** The claim of everything up to an offset that is no record of its own: the end of a range. */
export class EndOfRange implements LogPosition {
  readonly batch = undefined;

  constructor(readonly offset: number) {}
}

/** The claim of everything up to an offset of a batch that holds no records, or none that can be read. */
export class LastBatch implements LogPosition {
  constructor(
    readonly offset: number,
    readonly batch: BatchMark,
  ) {}
}

/** The claim to go on elsewhere: in the log that was found in place of the one meant, or of which was not known. */
export class OtherLog implements LogPosition {
  readonly batch = undefined;

  constructor(
    readonly log: LogId,
    /** First offset to read there. */
    readonly offset: number,
    /** Exclusive. */
    readonly end: number,
    /** The last batch read, where the log is the same. */
    readonly anchor: Anchor | undefined = undefined,
  ) {}
}

/** Hands out the offsets of a log. What is left over takes along which batch was read last. */
export class LogRangeTracker implements RestrictionTracker<LogRange, LogPosition> {
  #offsets: OffsetRangeTracker;
  #log: LogMark | undefined;
  /** Of the record that was claimed last; a reference, because a record must cost no object. */
  #lastOffset = -1;
  #lastBatch: BatchMark | undefined;
  #readUpTo: number;

  /** @param estimateEnd of the log, where it is known: what is left of a range without an end */
  constructor(
    range: LogRange,
    private readonly estimateEnd: () => number | undefined = () => undefined,
  ) {
    this.#offsets = new OffsetRangeTracker(range);
    this.#log = range.log;
    this.#readUpTo = range.start;
  }

  get restriction(): LogRange {
    const { start, end } = this.#offsets.restriction;
    const readUpTo = this.#readUpTo;
    return { start, end, log: this.#markAt(readUpTo), readUpTo };
  }

  tryClaim(position: LogPosition): boolean {
    const { batch, offset } = position;
    if (batch === undefined && position instanceof OtherLog) {
      this.#goTo(position);
      return true;
    }
    if (!this.#offsets.tryClaim(offset)) return false;
    this.#readUpTo = offset + 1;
    if (batch !== undefined) {
      this.#lastOffset = offset;
      this.#lastBatch = batch;
    }
    return true;
  }

  trySplit(fractionOfRemainder: number): Split<LogRange> | undefined {
    const split = this.#offsets.trySplit(fractionOfRemainder);
    if (split === undefined) return undefined;
    const { primary, residual } = split;
    return {
      primary: { start: primary.start, end: primary.end, log: this.#log },
      residual: { start: residual.start, end: residual.end, log: this.#markAt(residual.start) },
    };
  }

  checkDone(): void {
    this.#offsets.checkDone();
  }

  /** In records. A range without an end is never cut by it: a partition is read in one piece. */
  progress(): { completed: number; remaining: number } {
    const { start, end } = this.#offsets.restriction;
    if (end !== Number.POSITIVE_INFINITY) return this.#offsets.progress();
    const logEnd = this.estimateEnd() ?? this.#readUpTo;
    return { completed: this.#readUpTo - start, remaining: Math.max(0, logEnd - this.#readUpTo) };
  }

  #goTo({ log, offset, end, anchor }: OtherLog): void {
    this.#offsets = new OffsetRangeTracker({ start: offset, end });
    this.#log = { clusterId: log.clusterId, topicId: log.topicId, anchor };
    this.#lastOffset = -1;
    this.#lastBatch = undefined;
    this.#readUpTo = offset;
  }

  /** The batch must be one right in front of the offset: what lies between it and a later one would be read again. */
  #markAt(offset: number): LogMark | undefined {
    const log = this.#log;
    if (log === undefined) return undefined;
    const { clusterId, topicId } = log;
    const batch = this.#lastBatch;
    if (batch === undefined) {
      return offset === this.#offsets.restriction.start ? log : { clusterId, topicId, anchor: undefined };
    }
    if (offset !== this.#lastOffset + 1) return { clusterId, topicId, anchor: undefined };
    const { baseOffset, leaderEpoch, checksum } = batch;
    return { clusterId, topicId, anchor: { offset: this.#lastOffset, baseOffset, leaderEpoch, checksum } };
  }
}

const URN = "beam:coder:ts:kafka_log_range:v1";
/** What was written before the log was kept: `varint start | 0, or 1 varint end`. */
const OFFSET_RANGE_URN = "beam:coder:ts:offset_range:v1";

const HAS_END = 1;
const HAS_LOG = 2;
const HAS_ANCHOR = 4;
const UINT32 = 2 ** 32;

/**
 *     varint start | flags | varint end, if it has one | cluster string, topic id string, if the log is known
 *       | if there is an anchor: varint start less its offset, varint its offset less the first of its batch,
 *         varint leader epoch + 1, varint checksum
 *     flags: 1 has an end, 2 the log is known, 4 has an anchor
 */
export const logRangeCoder: Coder<LogRange> = {
  isDeterministic: true,
  encode({ start, end, log }: LogRange, out: ByteWriter) {
    const hasEnd = end !== Number.POSITIVE_INFINITY;
    const anchor = log?.anchor;
    out.writeVarint(start);
    out.writeByte(
      (hasEnd ? HAS_END : 0) | (log === undefined ? 0 : HAS_LOG) | (anchor === undefined ? 0 : HAS_ANCHOR),
    );
    if (hasEnd) out.writeVarint(end);
    if (log === undefined) return;
    out.writeString(log.clusterId);
    out.writeString(log.topicId);
    if (anchor === undefined) return;
    out.writeVarint(start - anchor.offset);
    out.writeVarint(anchor.offset - anchor.baseOffset);
    out.writeVarint(anchor.leaderEpoch + 1);
    out.writeVarint(anchor.checksum);
  },
  decode(input: ByteReader) {
    const start = input.readVarint();
    const flags = input.readByte();
    if (flags > (HAS_END | HAS_LOG | HAS_ANCHOR) || (flags & (HAS_LOG | HAS_ANCHOR)) === HAS_ANCHOR) {
      throw new CorruptBytesError(`flags ${flags} of a range of offsets`);
    }
    const end = (flags & HAS_END) === 0 ? Number.POSITIVE_INFINITY : input.readVarint();
    if ((flags & HAS_LOG) === 0) return { start, end, log: undefined };
    const clusterId = input.readString();
    const topicId = input.readString();
    return { start, end, log: { clusterId, topicId, anchor: readAnchor(start, flags, input) } };
  },
  toProto: () => ({ spec: { urn: URN, payload: new Uint8Array() }, componentCoderIds: [] }),
};

function readAnchor(start: number, flags: number, input: ByteReader): Anchor | undefined {
  if ((flags & HAS_ANCHOR) === 0) return undefined;
  const offset = start - input.readVarint();
  const baseOffset = offset - input.readVarint();
  const leaderEpoch = input.readVarint() - 1;
  const checksum = input.readVarint();
  if (baseOffset < 0 || checksum >= UINT32) throw new CorruptBytesError("the mark of a batch");
  return { offset, baseOffset, leaderEpoch, checksum };
}

registerCoder(URN, () => logRangeCoder, OFFSET_RANGE_URN);
