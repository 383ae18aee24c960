import assert from "node:assert/strict";
import { Random } from "../../../producers/random.js";

function draws(seed: number, stream: number, count = 8): number[] {
  const random = new Random();
  random.reseed(seed, stream);
  return Array.from({ length: count }, () => random.next());
}

describe("Random", () => {
  it("is reproducible, and differs by seed and by stream", () => {
    assert.deepEqual(draws(1, 2), draws(1, 2));
    assert.notDeepEqual(draws(1, 2), draws(2, 2));
    assert.notDeepEqual(draws(1, 2), draws(1, 3));
    assert.notDeepEqual(draws(1, 2), draws(1, 2 + 2 ** 32));
    assert.notDeepEqual(draws(1, 2), draws(2, 1));
  });

  it("follows sfc32", () => {
    // The reference algorithm in BigInt, seeded and warmed up in the same way.
    const mask = 0xffffffffn;
    let [a, b, c, counter] = [7n, 9n, 0n, 1n];
    const next = () => {
      const result = (a + b + counter++) & mask;
      a = b ^ (b >> 9n);
      b = (c + (c << 3n)) & mask;
      c = ((((c << 21n) | (c >> 11n)) & mask) + result) & mask;
      return result;
    };
    for (let i = 0; i < 12; i++) next();
    const expected = Array.from({ length: 50 }, () => Number(BigInt.asIntN(32, next())));
    assert.deepEqual(draws(7, 9, 50), expected);
  });

  it("draws evenly over streams and within one", () => {
    const random = new Random();
    const buckets = new Array<number>(10).fill(0);
    for (let stream = 0; stream < 20_000; stream++) {
      random.reseed(42, stream);
      buckets[Math.floor(random.uniform() * 10)]!++;
      buckets[Math.floor(random.uniform() * 10)]!++;
    }
    for (const count of buckets) assert.ok(Math.abs(count - 4000) < 350, String(buckets));
  });

  it("keeps to its bounds", () => {
    const random = new Random();
    random.reseed(1, 1);
    const seen = new Set<number>();
    for (let i = 0; i < 1000; i++) {
      seen.add(random.between(3, 6));
      const skewed = random.skewed(10, 3);
      assert.ok(Number.isInteger(skewed) && skewed >= 0 && skewed <= 10);
    }
    assert.deepEqual([...seen].sort(), [3, 4, 5, 6]);
    assert.equal(random.between(5, 4), 5);
    assert.equal(random.chance(0), false);
    assert.equal(random.chance(1), true);
  });
});
