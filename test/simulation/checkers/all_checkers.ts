/** The invariants, by the names under which they are reported. */
import { aReplayWritesTheSame } from "./a_replay_writes_the_same.js";
import { booksBalance } from "./books_balance.js";
import { brokersAreAskedInModeration } from "./brokers_are_asked_in_moderation.js";
import type { CheckerFactory } from "./checker.js";
import { everyEventInOnePlace } from "./every_event_in_one_place.js";
import { expiryIsOnTime } from "./expiry_is_on_time.js";
import { failuresHaveACause } from "./failures_have_a_cause.js";
import { lostPositionsAreTold } from "./lost_positions_are_told.js";
import { noPairTwice } from "./no_pair_twice.js";
import { nothingBehindTheWatermark } from "./nothing_behind_the_watermark.js";
import { nothingExpiresBeforeItsTime } from "./nothing_expires_before_its_time.js";
import { nothingOutlivesItsExpiry } from "./nothing_outlives_its_expiry.js";
import { outputIsTheOracles } from "./output_is_the_oracles.js";
import { sinksWriteWhatIsCommitted } from "./sinks_write_what_is_committed.js";
import { stateIsEmpty } from "./state_is_empty.js";
import { watermarksNeverRetreat } from "./watermarks_never_retreat.js";
import { whatWasCommittedIsThere } from "./what_was_committed_is_there.js";

export const CHECKERS = {
  "watermarks never retreat": watermarksNeverRetreat,
  "what was committed is there": whatWasCommittedIsThere,
  "nothing behind the watermark": nothingBehindTheWatermark,
  "books balance": booksBalance,
  "nothing expires before its time": nothingExpiresBeforeItsTime,
  "expiry is on time": expiryIsOnTime,
  "nothing outlives its expiry": nothingOutlivesItsExpiry,
  "a replay writes the same": aReplayWritesTheSame,
  "no pair twice": noPairTwice,
  "every event in one place": everyEventInOnePlace,
  "sinks write what is committed": sinksWriteWhatIsCommitted,
  "lost positions are told": lostPositionsAreTold,
  "output is the oracle's": outputIsTheOracles,
  "state is empty": stateIsEmpty,
  "failures have a cause": failuresHaveACause,
  "brokers are asked in moderation": brokersAreAskedInModeration,
} satisfies Record<string, CheckerFactory>;

/** The driver's own: a run without faults comes to its end. */
export const LIVENESS = "it comes to an end";

export type CheckerName = keyof typeof CHECKERS | typeof LIVENESS;
