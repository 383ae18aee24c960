/**
 * Event and processing times are plain numbers: whole milliseconds since the Unix epoch.
 *
 * Beam's three special instants do not fit a double exactly (|x| > 2^53), so each is represented by the nearest
 * double below; `writeInstant`/`readInstant` in the coders translate them to and from their exact wire value.
 * Source: beam_runner_api.proto, BeamConstants.
 */
export type TimestampMs = number;

/** Exact wire values, as 64-bit integers. */
export const MIN_TIMESTAMP_WIRE = -9223372036854775n;
export const MAX_TIMESTAMP_WIRE = 9223372036854775n;
export const GLOBAL_WINDOW_MAX_WIRE = 9223371950454775n;

/** Before every event: the watermark of a source that has not reported one yet. */
export const MIN_TIMESTAMP: TimestampMs = Number(MIN_TIMESTAMP_WIRE);
/** After every event: the watermark of a finished source. */
export const MAX_TIMESTAMP: TimestampMs = Number(MAX_TIMESTAMP_WIRE);
/** The last instant of the global window, one day before MAX_TIMESTAMP. */
export const GLOBAL_WINDOW_MAX: TimestampMs = Number(GLOBAL_WINDOW_MAX_WIRE);

/** For messages and logs: ISO-8601, or the name of a special instant. */
export function formatTimestamp(timestamp: TimestampMs): string {
  if (timestamp <= MIN_TIMESTAMP) return "-∞";
  if (timestamp >= MAX_TIMESTAMP) return "+∞";
  if (timestamp >= GLOBAL_WINDOW_MAX) return "end of the global window";
  const date = new Date(timestamp);
  return Number.isNaN(date.getTime()) ? `${timestamp} ms` : date.toISOString();
}

/** For messages: "1.5 s", "12 min", "3.0 h", "28 years". */
export function formatDuration(ms: number): string {
  const seconds = ms / 1_000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = seconds / 60;
  if (minutes < 120) return `${Math.round(minutes)} min`;
  const hours = minutes / 60;
  if (hours < 48) return `${hours.toFixed(1)} h`;
  const days = hours / 24;
  return days < 730 ? `${Math.round(days)} days` : `${Math.round(days / 365.25)} years`;
}
