import assert from "node:assert/strict";
import { faultOf } from "../../../../bench/portable/round.js";

describe("faultOf", () => {
  const config = { elements: 200_000, keys: 1_000 };
  const right = { count: 1_000, sum: 200_000, min: 200, max: 200 };

  it("finds none in what is right, nor in fewer elements than keys", () => {
    assert.equal(faultOf(right, config), undefined);
    assert.equal(faultOf({ count: 1, sum: 1, min: 1, max: 1 }, { elements: 1, keys: 1_000 }), undefined);
  });

  it("tells keys that are missing from elements that are, and finds timers that fired twice", () => {
    assert.equal(
      faultOf({ ...right, count: 999, sum: 199_800 }, config),
      "199800 of 200000 elements were counted, in 999 of 1000 keys, 200 to 200 in a key",
    );
    assert.equal(
      faultOf({ ...right, sum: 199_840, min: 40 }, config),
      "199840 of 200000 elements were counted, in 1000 of 1000 keys, 40 to 200 in a key",
    );
    assert.match(faultOf({ ...right, count: 1_001, min: 100 }, config)!, /in 1001 of 1000 keys/);
  });
});
