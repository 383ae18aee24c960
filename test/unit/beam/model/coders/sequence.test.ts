import assert from "node:assert/strict";
import { ByteWriter, CorruptBytesError } from "../../../../../beam/model/bytes.js";
import { decodeFromBytes, encodeToBytes } from "../../../../../beam/model/coders/encode_to_bytes.js";
import { IterableCoder, StateBackedIterableCoder } from "../../../../../beam/model/coders/iterable_coder.js";
import { VarintCoder } from "../../../../../beam/model/coders/varint_coder.js";
import { GlobalWindowCoder } from "../../../../../beam/model/coders/window_coders.js";

const VARINT = VarintCoder.INSTANCE;
const numbers = new IterableCoder(VARINT);
const UNKNOWN_LENGTH = "ffffffff";
const MINUS_ONE = "ffffffffffffffffff01";

function* upTo(count: number): Generator<number> {
  for (let i = 0; i < count; i++) yield i;
}

describe("sequences", () => {
  it("writes an array or a set with its length, anything else in chunks", () => {
    assert.equal(encodeToBytes(numbers, [7, 8], "nested").toString("hex"), "000000020708");
    assert.equal(encodeToBytes(numbers, new Set([7, 8]), "nested").toString("hex"), "000000020708");
    assert.equal(encodeToBytes(numbers, upTo(2), "nested").toString("hex"), `${UNKNOWN_LENGTH}02000100`);
    assert.equal(encodeToBytes(numbers, upTo(0), "nested").toString("hex"), `${UNKNOWN_LENGTH}00`);
  });

  it("reads what it wrote in chunks, of any number", () => {
    for (const count of [0, 1, 126, 127, 128, 254, 255, 1000]) {
      const bytes = encodeToBytes(numbers, upTo(count), "nested");
      assert.deepEqual(decodeFromBytes(numbers, bytes, "nested"), [...upTo(count)]);
    }
  });

  it("refuses what is no iterable, text included", () => {
    for (const wrong of ["12", 12, null, { length: 1 }]) {
      assert.throws(() => numbers.encode(wrong as never, new ByteWriter(), "nested"), TypeError);
    }
  });

  it("takes counts that are forged for corrupt, without making room for them", () => {
    const windows = new IterableCoder(GlobalWindowCoder.INSTANCE);
    const cases: [IterableCoder<any>, string][] = [
      [numbers, "7fffffff01"],
      [numbers, "fffffffe"],
      [numbers, `${UNKNOWN_LENGTH}ffffffff7f01`],
      [numbers, `${UNKNOWN_LENGTH}feffffffffffffffff01`],
      [windows, "7fffffff"],
      [windows, `${UNKNOWN_LENGTH}ffffffffffff0f`],
      // Many small chunks instead of one large one.
      [windows, `${UNKNOWN_LENGTH}${"ffff03".repeat(10)}00`],
    ];
    for (const [coder, hex] of cases) {
      const bytes = Buffer.from(hex, "hex");
      assert.throws(() => decodeFromBytes(coder, bytes, "nested"), CorruptBytesError, hex);
    }
  });

  describe("that go on in state", () => {
    const bytes = Buffer.from(`${UNKNOWN_LENGTH}0105${MINUS_ONE}026162`, "hex");

    it("ask once for what goes on, and give it in each iteration", () => {
      const tokens: string[] = [];
      const coder = new StateBackedIterableCoder<number>(VARINT, (token, element) => {
        assert.equal(element, VARINT);
        tokens.push(Buffer.from(token).toString());
        return [6, 7] as never;
      });
      const values = decodeFromBytes(coder, bytes, "nested");
      assert.deepEqual(tokens, ["ab"], "before anybody iterates");
      assert.deepEqual([...values], [5, 6, 7]);
      assert.deepEqual([...values], [5, 6, 7]);
      assert.deepEqual(tokens, ["ab"]);
      assert.equal(encodeToBytes(coder, values, "nested").toString("hex"), `${UNKNOWN_LENGTH}0305060700`);
    });

    it("are an error of the program where no tail can be fetched", () => {
      for (const coder of [new StateBackedIterableCoder(VARINT), numbers]) {
        assert.throws(
          () => decodeFromBytes(coder, bytes, "nested"),
          (error) => error instanceof Error && !(error instanceof CorruptBytesError),
        );
      }
    });
  });
});
