import assert from "node:assert/strict";
import { unreadOf } from "../../../../pipeline/commands/run_local.js";

describe("run-local generates load once both topics are read", () => {
  const topics = ["orders", "payments"];

  it("waits for each of them", () => {
    assert.deepEqual(unreadOf(topics, []), topics);
    assert.deepEqual(unreadOf(topics, [{ topic: "orders" }, { topic: "orders" }]), ["payments"]);
    assert.deepEqual(unreadOf(topics, [{ topic: "others" }, { topic: "payments" }]), ["orders"]);
  });

  it("waits no longer", () => {
    assert.deepEqual(unreadOf(topics, [{ topic: "payments" }, { topic: "orders" }]), []);
  });
});
