import assert from "node:assert/strict";
import { type ByteWriter, CorruptBytesError } from "../../../../../beam/model/bytes.js";
import { BytesCoder } from "../../../../../beam/model/coders/bytes_coder.js";
import type { Coder, CoderIds, Context } from "../../../../../beam/model/coders/coder.js";
import { decodeFromBytes, encodeToBytes } from "../../../../../beam/model/coders/encode_to_bytes.js";
import { StringUtf8Coder } from "../../../../../beam/model/coders/string_utf8_coder.js";
import { VarintCoder } from "../../../../../beam/model/coders/varint_coder.js";

const STRING = StringUtf8Coder.INSTANCE;

/** Encodes a part of its value to bytes of its own first. */
class TwiceCoder implements Coder<string> {
  readonly isDeterministic = true;
  encode(value: string, out: ByteWriter, context: Context): void {
    out.writeString("before ");
    out.writeBytes(encodeToBytes(STRING, value, context));
  }
  decode(): string {
    throw new Error("not needed");
  }
  toProto(_ids: CoderIds): never {
    throw new Error("not needed");
  }
}

describe("encodeToBytes and decodeFromBytes", () => {
  it("gives bytes that later calls leave alone", () => {
    const first = encodeToBytes(STRING, "first", "nested");
    const second = encodeToBytes(STRING, "2", "nested");
    assert.deepEqual([first.toString(), second.toString()], ["\u0005first", "\u00012"]);
  });

  it("may be called by a coder that is being called", () => {
    assert.equal(encodeToBytes(new TwiceCoder(), "value", "outer").toString(), "\u0007before value");
  });

  it("starts anew after a failure, and after a large value", () => {
    assert.throws(() => encodeToBytes(new TwiceCoder(), 1 as never, "outer"), TypeError);
    assert.equal(encodeToBytes(STRING, "x", "outer").toString(), "x");
    const large = Buffer.alloc(3 << 20, 1);
    assert.deepEqual(encodeToBytes(BytesCoder.INSTANCE, large, "outer"), large);
    assert.equal(encodeToBytes(STRING, "y", "outer").toString(), "y");
  });

  it("reads a plain Uint8Array, also one that is part of a larger memory", () => {
    const memory = Uint8Array.of(9, 9, 2, 104, 105, 9);
    assert.equal(decodeFromBytes(STRING, memory.subarray(2, 5), "nested"), "hi");
  });

  it("refuses bytes that are left over", () => {
    assert.throws(
      () => decodeFromBytes(VarintCoder.INSTANCE, Uint8Array.of(1, 2), "outer"),
      CorruptBytesError,
    );
  });
});
