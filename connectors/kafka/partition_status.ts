/** A partition that is being read, as whoever watches a run sees it. Nothing is asked of a broker for it. */
import type { TimestampMs } from "@order-payment-stream/beam";
import type { KeptSubscription } from "./kept_subscription.js";

/** Offsets are of the next record; durations are in milliseconds up to now. */
export interface PartitionStatus {
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  /** End of the log as last told, open transactions included. Undefined: not known yet. */
  readonly end: number | undefined;
  /** Records that this process has read of it. */
  readonly recordsRead: number;
  /** How far event time has come in it; -Infinity: nothing is known. */
  readonly watermark: TimestampMs;
  /** Everything up to the end has been read, so that the watermark goes on with the clock. */
  readonly isCaughtUp: boolean;
  /** Node id of the broker that it is fetched from; undefined: not known now. */
  readonly leader: number | undefined;
  /** How long an answer to a fetch has been waited for; 0: none is, or the client does not tell. */
  readonly unansweredMs: number;
  /** What no attempt has mended yet. */
  readonly failure: { readonly forMs: number; readonly message: string } | undefined;
  /** An open transaction hides what comes behind it. */
  readonly heldUp: { readonly forMs: number; readonly writer: string | undefined } | undefined;
  /** What the read has ended with. */
  readonly error: string | undefined;
}

/** @param nowMs by `Clock.elapsed` */
export function partitionStatus(
  { subscription, watermark, recordsRead }: KeptSubscription,
  nowMs: number,
): PartitionStatus {
  const { topic, partition, position, highWatermark, caughtUpAtMs, fetching, error } = subscription;
  const { leader = -1, failure, heldUp } = fetching ?? {};
  const answeredAtMs = fetching?.isBusy ? fetching.answeredAtMs : Number.POSITIVE_INFINITY;
  return {
    topic,
    partition,
    position,
    end: highWatermark < 0 ? undefined : highWatermark,
    recordsRead,
    watermark,
    isCaughtUp: caughtUpAtMs !== undefined,
    leader: leader < 0 ? undefined : leader,
    unansweredMs: Number.isFinite(answeredAtMs) ? Math.max(0, nowMs - answeredAtMs) : 0,
    failure: failure && { forMs: Math.max(0, nowMs - failure.sinceMs), message: failure.message },
    heldUp: heldUp && { forMs: Math.max(0, nowMs - heldUp.sinceMs), writer: heldUp.writer },
    error: error?.message,
  };
}
