/** What is said, and what is done, when the position of a read is no place in the log that there is now. */

import { OffsetOutOfRangeError, type PositionLostError } from "./client/kafka_errors.js";
import { isSameLog, UNKNOWN_LOG } from "./client/log_identity.js";
import { type LogRange, OtherLog } from "./log_range.js";
import type { OffsetReset } from "./read_config.js";

/** What it means for the records, in one line. */
export function lossText(error: PositionLostError): string {
  const { topic, partition, wantedOffset, found } = error;
  const { earliestOffset, latestOffset } = found;
  const name = `${topic}[${partition}]`;
  if (!(error instanceof OffsetOutOfRangeError)) {
    return (
      `${error.message}; it was read up to offset ${wantedOffset}, the rest of it is gone, and the log ` +
      `that exists now holds offsets ${earliestOffset} to ${latestOffset}`
    );
  }
  if (wantedOffset < earliestOffset) {
    return (
      `${name} has lost offsets ${wantedOffset} to ${earliestOffset - 1} before they were read (retention, or records ` +
      `that were deleted): the log holds ${earliestOffset} to ${latestOffset}`
    );
  }
  return (
    `${name} was truncated or restored: it was read up to offset ${wantedOffset}, and the log holds ${earliestOffset} to ` +
    `${latestOffset}, so what it holds from there on was not read`
  );
}

/** Why the read ends here, and how it can go on. */
export class PositionRefusedError extends Error {
  override readonly name = "PositionRefusedError";

  constructor(error: PositionLostError) {
    const { earliestOffset, latestOffset } = error.found;
    super(
      `${lossText(error)}. Nothing was skipped: the read ends here. AUTO_OFFSET_RESET=earliest keeps the state and continues ` +
        `at offset ${earliestOffset}, AUTO_OFFSET_RESET=latest at offset ${latestOffset}`,
      { cause: error },
    );
  }
}

export interface NewPosition {
  readonly claim: OtherLog;
  /** How many offsets of the log that there is are left out. */
  readonly skipped: number;
}

/**
 * Where the read goes on.
 * @param range what was to be read
 * @throws PositionRefusedError
 */
export function newPosition(error: PositionLostError, range: LogRange, reset: OffsetReset): NewPosition {
  if (reset === "none") throw new PositionRefusedError(error);
  const { log, earliestOffset, latestOffset } = error.found;
  const start = reset === "earliest" ? earliestOffset : latestOffset;
  const isSame = error instanceof OffsetOutOfRangeError && isSameLog(range.log ?? UNKNOWN_LOG, log);
  const isOpen = range.end === Number.POSITIVE_INFINITY;
  const end = isOpen ? range.end : isSame ? Math.min(range.end, latestOffset) : latestOffset;
  const unreadFrom = isSame && error.wantedOffset <= latestOffset ? error.wantedOffset : earliestOffset;
  return {
    claim: new OtherLog(log, start, Math.max(start, end)),
    skipped: Math.max(0, start - unreadFrom),
  };
}
