import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeOrder } from "../../../schemas/decode.js";
import { JsonScanner } from "../../../schemas/json_scanner.js";
import { Malformed } from "../../../schemas/malformed.js";

const NAMES = ["a", "order_id", "b"];

function scan(text: string): {
  fault: Malformed | undefined;
  values: (string | undefined)[];
  repeated: number;
} {
  const scanner = new JsonScanner(NAMES);
  const bytes = Buffer.from(`xx${text}yy`);
  const fault = scanner.scan(bytes, 2, bytes.length - 2);
  const values = NAMES.map((_, i) => {
    const start = scanner.starts[i]!;
    return start < 0 ? undefined : bytes.toString("utf8", start, scanner.ends[i]!);
  });
  return { fault, values, repeated: scanner.repeated };
}

/** JSON, and what is nearly JSON. */
const objectText = fc
  .tuple(
    fc.dictionary(
      fc.oneof(fc.constantFrom(...NAMES, "__proto__"), fc.string({ unit: "binary" })),
      fc.jsonValue(),
    ),
    fc.nat(2),
    fc.oneof(
      fc.constant([]),
      fc.array(
        fc.tuple(
          fc.double({ min: 0, max: 1, noNaN: true }),
          fc.constantFrom(...'{}[]",:\\u0eE+-. \t\u0001x', ""),
        ),
      ),
    ),
  )
  .map(([value, indent, changes]) => {
    let text = JSON.stringify(value, undefined, indent);
    for (const [where, what] of changes.slice(0, 3)) {
      const at = 1 + Math.floor(where * (text.length - 1));
      text = text.slice(0, at) + what + text.slice(at + 1);
    }
    return text;
  })
  .filter((text) => text.startsWith("{") && !/\p{Surrogate}/u.test(text));

describe("the JSON scanner", () => {
  it("takes what JSON.parse takes, and finds the same values", function () {
    this.timeout(60_000);
    let valid = 0;
    fc.assert(
      fc.property(objectText, (text) => {
        let expected: Record<string, unknown> | undefined;
        try {
          expected = JSON.parse(text);
        } catch {
          // Nor may the scanner.
        }
        const { fault, values, repeated } = scan(text);
        assert.equal(fault === undefined, expected !== undefined, `${text}: ${fault?.message}`);
        if (expected === undefined) return;
        valid++;
        if (repeated >= 0) return;
        NAMES.forEach((name, i) => {
          assert.equal(values[i] !== undefined, Object.hasOwn(expected, name), text);
          if (values[i] !== undefined) assert.deepEqual(JSON.parse(values[i]), expected[name]);
        });
      }),
      { numRuns: 1_500 },
    );
    assert.ok(valid > 250, `${valid} of them valid`);
  });

  it("says where and in which field it stopped", () => {
    for (const [text, message] of [
      ['{"a":NaN}', 'not valid JSON at byte 5 in a: unexpected "NaN"'],
      ['{"a":-Infinity}', 'not valid JSON at byte 6 in a: unexpected "Infinity"'],
      ['{"a":01}', 'not valid JSON at byte 6: unexpected "1"'],
      ['{"b":[1,{"c":"\\x"}]}', "not valid JSON at byte 14 in b: an escape that JSON does not have"],
      ['{"b":"\\u12g4"}', "not valid JSON at byte 6 in b: an escape that is not four hexadecimal digits"],
      ['{"b":"\n"}', "not valid JSON at byte 6 in b: a control character, 0xa, in a string"],
      ['{"b":"', "not valid JSON at byte 6 in b: the text ends early"],
      ['{"z":1}{', "not valid JSON at byte 7: something follows the object"],
      ["{'a':1}", 'not valid JSON at byte 1: unexpected "\'"'],
    ] as const) {
      assert.equal(scan(text).fault?.message, message, text);
    }
  });

  it("goes 100 deep and no deeper, and reads nothing behind the value", () => {
    const nested = (depth: number) => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
    assert.equal(scan(nested(100)).fault, undefined);
    assert.match(scan(nested(101)).fault!.message, /in a: arrays and objects more than 100 deep/);
  });

  it("knows a field that is there twice, also where it is written otherwise", () => {
    assert.equal(scan('{"a":1,"z":1,"z":2}').repeated, -1);
    assert.equal(scan('{"a":1,"\\u0061":2}').repeated, 0);
    assert.equal(scan('{"z":{"a":1},"a":2}').repeated, -1);
  });
});

describe("poison in JSON", () => {
  const event = (change: string, without = "") =>
    `{"order_id":"o-1","order_date":"2026-01-01","created_at":"2026-01-02","customer_id":"c",${without}${change}}`;
  const decoded = (text: string | Buffer) => {
    const bytes = Buffer.from(text as string);
    return decodeOrder(bytes, 0, bytes.length);
  };
  const refused = (text: string | Buffer): string => {
    const result = decoded(text);
    assert.ok(result instanceof Malformed, JSON.stringify(result));
    return `${result.reason}: ${result.message}`;
  };

  it("is refused for what was sent", () => {
    for (const [text, message] of [
      [event('"amount":1e400'), "INVALID: amount is 1e400, not a 32-bit integer"],
      [event('"amount":9007199254740993'), "INVALID: amount is 9007199254740993, not a 32-bit integer"],
      [event('"amount":1.5'), "INVALID: amount is 1.5, not a 32-bit integer"],
      [event('"amount":"1"'), 'INVALID: amount is "1", not a 32-bit integer'],
      [event('"amount":null'), "INVALID: amount is null"],
      [event('"amount":true'), "INVALID: amount is true, not a 32-bit integer"],
      [event('"amount":1,"amount":2'), "INVALID: amount is there twice"],
      [event('"amount":NaN'), 'UNDECODABLE: not valid JSON at byte 95 in amount: unexpected "NaN"'],
      [event('"customer_id":"\\ud800","amount":1'), "INVALID: customer_id is there twice"],
      [event('"__proto__":{"amount":1}'), "INVALID: amount is missing"],
      [`{"order_id":"${"\\ud800"}"`, "UNDECODABLE: not valid JSON at byte 20: the text ends early"],
    ] as const) {
      assert.equal(refused(text).replace(/at byte \d+ in amount/, "at byte 95 in amount"), message);
    }
    assert.ok(!(decoded(event('"amount":-0,"__proto__":null')) instanceof Malformed));
  });

  it("is told apart from text in another encoding", () => {
    const text = event('"amount":1');
    for (const [bytes, what] of [
      [Buffer.from(`\ufeff${text}`), /begins with a byte order mark/],
      [Buffer.from(text, "utf16le"), /JSON in UTF-16/],
      [Buffer.from(`\ufeff${text}`, "utf16le"), /text in UTF-16/],
      [Buffer.from(`\ufeff${text}`, "utf16le").swap16(), /text in UTF-16/],
      [Buffer.from(text, "utf16le").swap16(), /text in UTF-16/],
    ] as const) {
      assert.match(refused(bytes), what);
    }
  });

  it("of any size and shape takes no longer than its bytes do", function () {
    this.timeout(60_000);
    const megabytes = 10 * 1024 * 1024;
    for (const value of [
      "[".repeat(megabytes),
      '{"a":'.repeat(megabytes / 5),
      `"${"\\u0041".repeat(megabytes / 6)}"`,
    ]) {
      const bytes = Buffer.from(event(`"amount":1,"note":${value}`));
      const startedMs = performance.now();
      decoded(bytes);
      assert.ok(performance.now() - startedMs < 1_000, `${performance.now() - startedMs} ms`);
    }
    const keys = Array.from({ length: 300_000 }, (_, i) => `"k${i}":${i}`).join(",");
    assert.ok(!(decoded(event(`"amount":1,${keys}`)) instanceof Malformed));
    const huge = decoded(event(`"amount":1,"note":"${"x".repeat(megabytes)}"`));
    assert.ok(!(huge instanceof Malformed));
  });
});
