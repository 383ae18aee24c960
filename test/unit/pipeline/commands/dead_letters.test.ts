import assert from "node:assert/strict";
import { deadLetterText } from "../../../../pipeline/dead_letters/letter_text.js";

const RECORD = {
  _id: "orders:1:42",
  reason: "INVALID",
  message: "it is\nempty",
  field: "order_id",
  topic: "orders",
  partition: 1,
  offset: 42,
  timestamp: new Date("2026-01-31T12:00:00Z"),
  key: Buffer.from("o-1"),
  value: Buffer.from('{"order_id":""}'),
};

describe("deadLetterText", () => {
  it("shows a record that was refused", () => {
    assert.equal(
      deadLetterText(RECORD),
      [
        "INVALID  2026-01-31T12:00:00.000Z  orders, partition 1, offset 42",
        "  order_id: it is empty",
        "  key    o-1",
        '  value  {"order_id":""}',
      ].join("\n"),
    );
  });

  it("shows bytes that are no text in hexadecimal, and cuts what is long", () => {
    const text = deadLetterText({
      ...RECORD,
      key: Buffer.from([0xc3, 0x01]),
      value: Buffer.alloc(5_000, "x"),
    });
    assert.match(text, /key {4}0xc301 \(2 bytes\)/);
    assert(text.length < 500);
  });

  it("passes no control character on to the terminal", () => {
    const evil = "\x1b[2Jgone";
    const text = deadLetterText({ ...RECORD, message: evil, key: Buffer.from(evil), value: null });
    assert(!text.includes("\x1b"), text);
    assert(!text.includes("value"));
  });

  it("shows both versions of a conflict", () => {
    const text = deadLetterText({
      ...RECORD,
      reason: "CONFLICT",
      first: { amount: 1 },
      event: { amount: 2 },
    });
    assert.match(text, /first {2}\{"amount":1\}\n {2}this {3}\{"amount":2\}$/);
  });

  it("shows a document that its collection refused", () => {
    const text = deadLetterText({
      reason: "SINK_REJECTED",
      message: "failed validation",
      collection: "joined",
      code: 121,
      document: { _id: "x" },
    });
    assert.match(text, /^SINK_REJECTED {2}no time {2}collection joined, code 121\n/);
    assert.match(text, /document {2}\{"_id":"x"\}$/);
  });
});
