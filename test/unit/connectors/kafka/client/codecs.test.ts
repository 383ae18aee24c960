import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { compressFrameSync } from "lz4-napi";
import { compress } from "snappyjs";
import { unpack } from "../../../../../connectors/kafka/client/codecs.js";

const GZIP = 1;
const SNAPPY = 2;
const LZ4 = 3;
const ZSTD = 4;

/** One text, packed by the reference libraries (by way of Python's cramjam). */
const SNAPPY_GOLDEN =
  "tgdYb3JkZXIgMCBvZiBjdXN0b21lcl8wOyAJFwAxMhcAADERFwAyMhcAADIRFwAzMhcAADMRFwA0MhcAADQRFwA1MhcAADURFwA2MhcAADYRFwA3MhcAFaEAODIXABWhADkyFwAAMhFFADE25wAVogAxNugAFaMAMTbpABWkADE26gAVpQAxNusAFaYAMTbsABWnADE27QAAMhWoNu4AGag27wAZqDbwABWoADI28AAVqAAyNvAAFagEMjIyOAEVqAAyNvAAADIRqAAyNvAAFagAMjbwABWoADI28AAZqDbwABmoNvAAGag28AAVqAAzNvAAADIRqAAzNvAAFagAMzbwABWoADM28AAVqAAzNvAAFagAMzbwABWoADM28AAZqDbwAAAyFag28AAZqDbwAAg0OyA=";
const LZ4_GOLDEN =
  "BCJNGFRArgYBAADyCG9yZGVyIDAgb2YgY3VzdG9tZXJfMDsgFwAZMRcAFDEXABkyFwAUMhcAGTMXABQzFwAZNBcAFDQXABk1FwAUNRcAGTYXABQ2FwAfN6EAAx84oQADHzmhAAMvMTCiAAMvMTGjAAMvMTKkAAMvMTOlAAMvMTRHAQQfNacAAy8xNqgABB83qAAEHzioAAQfOagAAy8yMKgAAy8yMagAAy8yMvABBB8zqAADLzI0qAADLzI1qAADLzI2qAAEHzeoAAQfOKgABB85qAADLzMwmQIEHzGoAAMvMzKoAAMvMzOoAAMvMzSoAAMvMzWoAAMvMzaoAAQfN6gABB84qAAECPAAUHJfNDsgkTzSCwAAAAAuBFoj";
const ZSTD_GOLDEN =
  "KLUv/WC2AvUDAGLGERWgJ+mWIPh+J1S12u1ve2+ZbLP/aQJjVNvLUq/Wans5fdt1f07fxmI5SeLRWOUBAqi4M6tqnxyDBOUwEMQhMZgCGZpyEAoJTqgh/Pq/AcCj6hAUgSdhPQn3QfsJ94H2z5M8ETfw4527l7aDLZD1Z+rsUzmXijsQqaBVAQ==";
/** Four MiB of zeros, in a frame that does not tell so. */
const ZSTD_ZEROS =
  "KLUv/QBYVAAAEAAAAQD7/znAAgIAEAACABAAAgAQAAIAEAACABAAAgAQAAIAEAACABAAAgAQAAIAEAACABAAAgAQAAIAEAACABAAAgAQAAIAEAACABAAAgAQAAIAEAACABAAAgAQAAIAEAACABAAAgAQAAIAEAACABAAAgAQAAIAEAACABAAAgAQAAIAEAABAAA=";
/** A literals' Huffman table whose weights are coded by states that take no bits: a reader must count what it decodes. */
const ZSTD_BITLESS = (() => {
  const bytes = Buffer.from(ZSTD_GOLDEN, "base64");
  bytes[357 % bytes.length] = 118;
  bytes[286 % bytes.length] = 240;
  return bytes;
})();

const MIB = 1 << 20;
const from = (base64: string): Buffer => Buffer.from(base64, "base64");
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const xerial = (...blocks: Buffer[]): Buffer =>
  Buffer.concat([
    Buffer.from("82534e4150505900", "hex"),
    int32(1),
    int32(1),
    ...blocks.flatMap((block) => [int32(block.length), block]),
  ]);

describe("codecs", () => {
  for (const [name, codec, golden] of [
    ["snappy", SNAPPY, SNAPPY_GOLDEN],
    ["lz4", LZ4, LZ4_GOLDEN],
    ["zstd", ZSTD, ZSTD_GOLDEN],
  ] as const) {
    it(`reads what the reference library writes: ${name}`, () => {
      const text = unpack(codec, from(golden), MIB);
      assert.equal(text.length, 950);
      assert.equal(createHash("sha256").update(text).digest("hex").slice(0, 16), "6fd0cfb44cbc47e6");
    });
  }

  it("reads what the packers write, whatever it is", () => {
    const compressible = fc
      .tuple(fc.string({ minLength: 1 }), fc.nat(3_000))
      .map(([text, count]) => Buffer.from(text.repeat(count)));
    const noise = fc.uint8Array({ maxLength: 100_000 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(compressible, noise), (bytes) => {
        assert.ok(unpack(GZIP, gzipSync(bytes), MIB).equals(bytes));
        if (bytes.length > 0) {
          assert.ok(unpack(SNAPPY, compress(bytes), MIB).equals(bytes));
          const half = bytes.length >> 1;
          const blocks = [bytes.subarray(0, half), bytes.subarray(half)].filter(({ length }) => length > 0);
          assert.ok(unpack(SNAPPY, xerial(...blocks.map(compress)), MIB).equals(bytes));
          assert.ok(unpack(LZ4, compressFrameSync(bytes), MIB).equals(bytes));
        }
      }),
      { numRuns: 50 },
    );
  });

  it("unpacks no more than it may", () => {
    const zeros = Buffer.alloc(4 * MIB);
    const halves = [compress(zeros.subarray(0, 2 * MIB)), compress(zeros.subarray(2 * MIB))];
    for (const [codec, bytes] of [
      [GZIP, gzipSync(zeros)],
      [SNAPPY, compress(zeros)],
      [SNAPPY, xerial(...halves)],
      [LZ4, compressFrameSync(zeros)],
      [ZSTD, from(ZSTD_ZEROS)],
    ] as const) {
      assert.throws(() => unpack(codec, bytes, 3 * MIB), /larger than 3145728 bytes/);
      assert.equal(unpack(codec, bytes, 4 * MIB).length, 4 * MIB);
    }
  });

  it("refuses a zstd frame that ends early, whether it tells its size or not", () => {
    for (const golden of [ZSTD_GOLDEN, ZSTD_ZEROS]) {
      const whole = from(golden);
      for (const length of [whole.length - 1, whole.length >> 1, 7])
        assert.throws(() => unpack(ZSTD, whole.subarray(0, length), 4 * MIB), Error, `${length} bytes`);
    }
  });

  it("refuses a zstd frame that is damaged", () => {
    assert.throws(() => unpack(ZSTD, ZSTD_BITLESS, MIB), /zstd|corruption/i);
  });

  it("allocates nothing for sizes that are made up", () => {
    const before = process.memoryUsage().arrayBuffers;
    const snappy = from(SNAPPY_GOLDEN);
    const claimed = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0x1f]), snappy.subarray(2)]);
    assert.throws(() => unpack(SNAPPY, claimed, 2 ** 30), /shorter than it says/);
    const zstd = from(ZSTD_ZEROS);
    zstd[5] = 21 << 3; // a window of 2 GiB
    assert.throws(() => unpack(ZSTD, zstd, 2 ** 30), /window/);
    assert.ok(process.memoryUsage().arrayBuffers - before < 16 * MIB);
  });

  it("ends on any bytes: with some, or with an error", function () {
    this.timeout(60_000);
    const goldens = [gzipSync("some text"), from(SNAPPY_GOLDEN), from(LZ4_GOLDEN), from(ZSTD_GOLDEN)];
    const edits = fc.array(fc.tuple(fc.nat(1_000), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), edits, fc.nat(1_000), (codec, changes, cut) => {
        const bytes = Buffer.from(goldens[codec - 1]!);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        try {
          assert.ok(unpack(codec, bytes.subarray(0, cut < 800 ? bytes.length : cut), MIB).length <= MIB);
        } catch (error) {
          assert.ok(error instanceof Error);
          assert.notEqual(error.name, "AssertionError");
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
