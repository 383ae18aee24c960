import assert from "node:assert/strict";
import fc from "fast-check";
import { HEADER_BYTES, Slab } from "../../../../beam/store/slab.js";

const sizes = fc.oneof(
  { weight: 6, arbitrary: fc.nat(200) },
  { weight: 3, arbitrary: fc.nat(70_000) },
  { weight: 1, arbitrary: fc.integer({ min: 2 ** 20 - 40, max: 2 ** 21 + 40 }) },
);

describe("Slab", () => {
  it("gives out blocks that never overlap and keep their lengths and owner", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(sizes, fc.boolean(), fc.nat(1_000)), { maxLength: 80 }), (steps) => {
        const slab = new Slab();
        const live: { address: number; length: number; owner: number }[] = [];
        steps.forEach(([length, isRelease, pick], step) => {
          if (isRelease && live.length > 0) {
            const [block] = live.splice(pick % live.length, 1);
            assert.ok(isFilled(slab, block!));
            slab.release(block!.address);
            assert.equal(slab.owner(block!.address), 0);
            return;
          }
          const block = {
            address: slab.allocate(step + 1, hashFor(step + 1), 0, length),
            length,
            owner: step + 1,
          };
          assert.notEqual(block.address, 0);
          assert.ok(slab.valueCapacity(block.address) >= length);
          assert.ok(slab.valueCapacity(block.address) <= (length + HEADER_BYTES) * 1.25 + 16);
          fill(slab, block);
          live.push(block);
        });
        for (const block of live) assert.ok(isFilled(slab, block));
        assert.equal(slab.usedBlocks, live.length);
      }),
      { numRuns: 60 },
    );
  });

  it("uses a released block again, for any size that has the same class", () => {
    const slab = new Slab();
    for (const length of [0, 1, 100, 1_008, 1_009, 5_000, 70_000, 2 ** 20, 3 * 2 ** 20]) {
      const address = slab.allocate(1, 7, 0, length);
      const { reservedBytes } = slab;
      slab.release(address);
      assert.equal(slab.allocate(2, 7, 0, length), address, `${length} bytes`);
      assert.equal(slab.owner(address), 2);
      assert.equal(slab.reservedBytes, reservedBytes);
    }
  });

  it("refuses what no block can hold", () => {
    const slab = new Slab();
    assert.throws(() => slab.allocate(1, 0, 0, 2 ** 26), /a record of 67108864 bytes is too large/);
    assert.throws(() => slab.allocate(1_024, 0, 0, 1), /more than 1023 tables in one store/);
    assert.equal(slab.usedBlocks, 0);
  });

  it("reserves little for little, and no more when the same sizes come and go", () => {
    const slab = new Slab();
    slab.allocate(1, 7, 10, 20);
    assert.ok(slab.reservedBytes <= 64 << 10);
    const round = (): void => {
      const addresses = Array.from({ length: 2_000 }, (_, i) => slab.allocate(1, 7, 10, (i * 37) % 3_000));
      for (const address of addresses) slab.release(address);
    };
    round();
    const { reservedBytes } = slab;
    for (let i = 0; i < 10; i++) round();
    assert.equal(slab.reservedBytes, reservedBytes);
  });
});

interface Block {
  readonly address: number;
  readonly length: number;
  readonly owner: number;
}

/** Any 32 bits. */
function hashFor(owner: number): number {
  return Math.imul(owner, 0x9e3779b1) >>> 0;
}

function fill(slab: Slab, { address, length, owner }: Block): void {
  const start = slab.keyAt(address);
  slab.bytes(address).fill(owner & 0xff, start, start + length);
}

function isFilled(slab: Slab, { address, length, owner }: Block): boolean {
  assert.equal(slab.owner(address), owner);
  assert.equal(slab.hash(address), hashFor(owner));
  assert.equal(slab.keyLength(address), 0);
  assert.equal(slab.valueLength(address), length);
  const start = slab.keyAt(address);
  return slab
    .bytes(address)
    .subarray(start, start + length)
    .every((byte) => byte === (owner & 0xff));
}
