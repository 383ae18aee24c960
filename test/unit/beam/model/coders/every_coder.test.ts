/** What holds for every coder: round trips, self-delimiting bytes, and no harm from bytes that are cut or forged. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader, ByteWriter, CorruptBytesError } from "../../../../../beam/model/bytes.js";
import type { Coder, Context } from "../../../../../beam/model/coders/coder.js";
import { decodeFromBytes, encodeToBytes } from "../../../../../beam/model/coders/encode_to_bytes.js";
import { EVERY_CODER } from "./every_coder.js";

const CONTEXTS: readonly Context[] = ["nested", "outer"];
const context = fc.constantFrom(...CONTEXTS);

function decodesOrIsCorrupt(coder: Coder<unknown>, bytes: Uint8Array, context: Context): void {
  try {
    decodeFromBytes(coder, bytes, context);
  } catch (error) {
    if (!(error instanceof CorruptBytesError)) throw error;
  }
}

for (const { name, coder, values } of EVERY_CODER) {
  describe(`the ${name} coder`, () => {
    it("gives back every value, in both contexts", () => {
      fc.assert(
        fc.property(values, context, (value, context) => {
          assert.deepEqual(decodeFromBytes(coder, encodeToBytes(coder, value, context), context), value);
        }),
      );
    });

    it("tells nested values apart that follow one another", () => {
      fc.assert(
        fc.property(fc.array(values, { maxLength: 5 }), (several) => {
          const out = new ByteWriter(1);
          for (const value of several) coder.encode(value, out, "nested");
          const reader = new ByteReader(out.toBytes());
          assert.deepEqual(
            several.map(() => coder.decode(reader, "nested")),
            several,
          );
          assert.equal(reader.remaining, 0);
        }),
      );
    });

    it("reads only what lies between its position and limit", () => {
      fc.assert(
        fc.property(values, context, (value, context) => {
          const bytes = encodeToBytes(coder, value, context);
          const framed = Buffer.concat([Buffer.from([255, 255]), bytes, Buffer.from([255, 255, 255])]);
          const reader = new ByteReader(framed, 2, 2 + bytes.length);
          assert.deepEqual(coder.decode(reader, context), value);
          assert.equal(reader.position, 2 + bytes.length);
        }),
        { numRuns: 30 },
      );
    });

    it("takes cut bytes for corrupt", () => {
      fc.assert(
        fc.property(values, fc.nat(), (value, at) => {
          const bytes = encodeToBytes(coder, value, "nested");
          if (bytes.length === 0) return;
          const cut = bytes.subarray(0, at % bytes.length);
          assert.throws(() => decodeFromBytes(coder, cut, "nested"), CorruptBytesError);
          decodesOrIsCorrupt(coder, cut, "outer");
        }),
      );
    });

    it("takes any other bytes for a value or for corrupt, and ends", () => {
      const noise = fc.oneof(
        fc.uint8Array({ maxLength: 64, size: "max" }),
        fc
          .array(fc.constantFrom(0, 1, 2, 15, 127, 128, 255), { maxLength: 40, size: "max" })
          .map((array) => Uint8Array.from(array)),
      );
      fc.assert(
        fc.property(noise, context, (bytes, context) => decodesOrIsCorrupt(coder, bytes, context)),
        { numRuns: 300 },
      );
      const changed = fc.tuple(values, fc.nat(), fc.nat(255));
      fc.assert(
        fc.property(changed, context, ([value, at, byte], context) => {
          const bytes = encodeToBytes(coder, value, context);
          if (bytes.length > 0) bytes[at % bytes.length] = byte;
          decodesOrIsCorrupt(coder, bytes, context);
        }),
        { numRuns: 300 },
      );
    });

    it("refuses a value of another type, and names the coder and the type", () => {
      for (const wrong of [undefined, Symbol("wrong"), () => 0]) {
        if (wrong === undefined && name === "nullable") continue;
        for (const context of CONTEXTS) {
          assert.throws(
            () => coder.encode(wrong, new ByteWriter(), context),
            (error) =>
              error instanceof TypeError &&
              /the [a-z0-9_ :]+ coder writes .+, not /.test(error.message) &&
              error.message.includes(typeof wrong),
          );
        }
      }
    });
  });
}
