import assert from "node:assert/strict";
import { ByteWriter } from "../../../../beam/model/bytes.js";
import { MemoryStore } from "../../../../beam/store/memory_store.js";

describe("MemoryStore", () => {
  it("makes a table when it is first asked for, and tells the sizes of all", async () => {
    const store = new MemoryStore();
    const a = store.table("a");
    assert.equal(store.table("a"), a);
    const b = store.table("b");
    assert.notEqual(a.owner, b.owner);
    const key = new ByteWriter();
    key.writeString("k");
    a.put(key, key);
    await store.commit();
    assert.deepEqual(
      [...store.sizes()],
      [
        ["a", 1],
        ["b", 0],
      ],
    );
    assert.ok(store.reservedBytes > 0);
    await store.close();
  });
});
