/**
 * Parses the timestamps of JSON events. Unlike Date.parse it reads a time without offset as UTC, refuses
 * impossible dates (February 30) and takes what Python's str(datetime) writes.
 *
 *   timestamp = date [ ("T" | " ") hh ":" mm [ ":" ss [ ("." | ",") digit+ ] ] [ offset ] ]
 *   date      = (yyyy | ("+" | "-") yyyyyy) "-" mm "-" dd
 *   offset    = "Z" | ("+" | "-") hh [ [ ":" ] mm ]
 */

const PATTERN =
  /^(\d{4}|[+-]\d{6})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)?)?$/;

const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** The instants that a Date, and so a BSON Date, can hold. */
export const TIMESTAMP_MAX_MS = 8.64e15;

/** ms since the epoch, a finer fraction cut off; undefined when the text is no timestamp. */
export function parseIsoTimestamp(text: string): number | undefined {
  const parts = PATTERN.exec(text);
  if (parts === null) return undefined;
  const year = Number(parts[1]);
  const month = Number(parts[2]);
  const day = Number(parts[3]);
  const hour = Number(parts[4] ?? 0);
  const minute = Number(parts[5] ?? 0);
  const second = Number(parts[6] ?? 0);
  const offsetHour = Number(parts[9] ?? 0);
  const offsetMinute = Number(parts[10] ?? 0);
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59) return undefined;

  const fraction = parts[7];
  const millisecond = fraction === undefined ? 0 : Number(fraction.slice(0, 3).padEnd(3, "0"));
  const offsetMinutes = (parts[8] === "-" ? -1 : 1) * (offsetHour * 60 + offsetMinute);
  const minutes = (daysSinceEpoch(year, month, day) * 24 + hour) * 60 + minute - offsetMinutes;
  const timestampMs = (minutes * 60 + second) * 1000 + millisecond;
  return Math.abs(timestampMs) <= TIMESTAMP_MAX_MS ? timestampMs : undefined;
}

function daysInMonth(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && isLeap ? 29 : DAYS_IN_MONTH[month - 1]!;
}

/** Proleptic Gregorian calendar, counted in years that begin on 1 March so that the leap day comes last. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const marchYear = month > 2 ? year : year - 1;
  const monthFromMarch = (month + 9) % 12;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  const dayOfYear = Math.floor((153 * monthFromMarch + 2) / 5) + day - 1;
  return marchYear * 365 + leapDays + dayOfYear - 719_468;
}
