import assert from "node:assert/strict";
import fc from "fast-check";
import { parseIsoTimestamp } from "../../../schemas/iso_timestamp.js";

const BASE = Date.UTC(2026, 0, 2, 3, 4, 5);

describe("parseIsoTimestamp", () => {
  const accepted: [string, number][] = [
    ["2026-01-02T03:04:05", BASE],
    ["2026-01-02T03:04:05Z", BASE],
    ["2026-01-02t03:04:05z", BASE],
    ["2026-01-02 03:04:05", BASE],
    ["2026-01-02 03:04:05.678901+00:00", BASE + 678],
    ["2026-01-02T05:04:05+02:00", BASE],
    ["2026-01-02T05:04:05+0200", BASE],
    ["2026-01-02T05:04:05+02", BASE],
    ["2026-01-01T21:34:05-05:30", BASE],
    ["2026-01-02T03:04:05-00:00", BASE],
    ["2026-01-02T03:04", BASE - 5000],
    ["2026-01-02T03:04Z", BASE - 5000],
    ["2026-01-02", Date.UTC(2026, 0, 2)],
    ["2026-01-02T03:04:05.6", BASE + 600],
    ["2026-01-02T03:04:05,06", BASE + 60],
    ["2026-01-02T03:04:05.9999999999999999999", BASE + 999],
    ["2026-01-02T03:04:05.0009Z", BASE],
    ["1969-12-31T23:59:59.9999Z", -1],
    ["2024-02-29", Date.UTC(2024, 1, 29)],
    ["2000-02-29", Date.UTC(2000, 1, 29)],
    ["0000-01-01", -62167219200000],
    ["0099-12-31", Date.parse("0099-12-31T00:00:00Z")],
    ["9999-12-31T23:59:59.999Z", Date.parse("9999-12-31T23:59:59.999Z")],
    ["+275760-09-13T00:00:00Z", 8.64e15],
    ["-271821-04-20T00:00:00Z", -8.64e15],
  ];
  for (const [text, expected] of accepted) {
    it(`reads ${text}`, () => assert.equal(parseIsoTimestamp(text), expected));
  }

  const refused = [
    "",
    "now",
    "1767323045000",
    "2026",
    "2026-01",
    "2026-1-2",
    "20260102",
    "2026-00-10",
    "2026-13-10",
    "2026-01-00",
    "2026-01-32",
    "2026-02-30",
    "2026-02-29",
    "1900-02-29",
    "2026-04-31",
    "2026-01-02T24:00:00",
    "2026-01-02T03:60:00",
    "2026-01-02T03:04:60",
    "2026-01-02T03:04:05.",
    "2026-01-02T03:04:05+24:00",
    "2026-01-02T03:04:05+02:60",
    "2026-01-02T03:04:05+2",
    "2026-01-02T03:04:05 Z",
    " 2026-01-02",
    "2026-01-02\n",
    "2026-01-02T",
    "2026-01-02Z",
    "2026-01-02T03",
    "٢٠٢٦-01-02",
    "+275760-09-13T00:00:00.001Z",
    "-271821-04-19T23:59:59.999Z",
    "+999999-01-01",
  ];
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseIsoTimestamp(text), undefined));
  }

  it("is the inverse of Date.toISOString for every instant a Date can hold", () => {
    fc.assert(
      fc.property(fc.integer({ min: -8.64e15, max: 8.64e15 }), (timestampMs) => {
        assert.equal(parseIsoTimestamp(new Date(timestampMs).toISOString()), timestampMs);
      }),
      { numRuns: 2000 },
    );
  });

  it("knows the length of every month", () => {
    for (const year of [1900, 2000, 2023, 2024]) {
      for (let month = 1; month <= 12; month++) {
        const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
        const prefix = `${year}-${String(month).padStart(2, "0")}-`;
        assert.equal(parseIsoTimestamp(`${prefix}${days}`), Date.UTC(year, month - 1, days));
        assert.equal(parseIsoTimestamp(`${prefix}${days + 1}`), undefined);
      }
    }
  });
});
