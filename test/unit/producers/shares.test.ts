import assert from "node:assert/strict";
import { completeShares, DEFAULT_SHARES } from "../../../producers/shares.js";

describe("completeShares", () => {
  it("keeps what is given and fills in the rest", () => {
    assert.deepEqual(completeShares({ late: 0.5 }), { ...DEFAULT_SHARES, late: 0.5 });
    assert.deepEqual(completeShares(), DEFAULT_SHARES);
  });

  it("refuses what is no share, by name", () => {
    assert.throws(() => completeShares({ json: 1.1 }), /share json is 1.1/);
    assert.throws(() => completeShares({ late: -0.1 }), /share late/);
    assert.throws(() => completeShares({ early: Number.NaN }), RangeError);
    const none = { paid: 0, multiplePayments: 0, early: 0, delayed: 0, missing: 0 };
    assert.throws(() => completeShares(none), /no outcome/);
  });
});
