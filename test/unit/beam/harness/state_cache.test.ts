import assert from "node:assert/strict";
import { Cell, KeyState } from "../../../../beam/harness/key_state.js";
import { StateCache } from "../../../../beam/harness/state_cache.js";

function key(id: string, bytes: number): KeyState {
  const cell = new Cell();
  cell.load(Buffer.alloc(bytes), 0, bytes);
  return new KeyState(id, id.length, [cell], []);
}

describe("state cache", () => {
  it("gives a key to one bundle at a time", () => {
    const cache = new StateCache(1 << 20);
    cache.put("t/", key("a", 10));
    assert.equal(cache.take("t/", "a")!.id, "a");
    assert.equal(cache.take("t/", "a"), undefined);
    assert.equal(cache.bytes, 0);
  });

  it("tells scopes apart", () => {
    const cache = new StateCache(1 << 20);
    cache.put("t/", key("a", 10));
    assert.equal(cache.take("u/", "a"), undefined);
  });

  it("drops what was put back longest ago, and no more than it must", () => {
    const cache = new StateCache(10_000);
    for (const id of ["a", "b", "c"]) cache.put("t/", key(id, 2_500));
    cache.put("t/", cache.take("t/", "a")!);
    cache.put("t/", key("d", 2_500));
    assert.equal(cache.take("t/", "b"), undefined);
    for (const id of ["a", "c", "d"]) assert.equal(cache.take("t/", id)?.id, id);
  });

  it("drops keys of which nothing is stored first", () => {
    const cache = new StateCache(7_000);
    for (const id of ["a", "b"]) cache.put("t/", key(id, 2_500));
    cache.put("t/", key("empty", 0));
    cache.put("t/", key("c", 800));
    assert.equal(cache.take("t/", "empty"), undefined);
    for (const id of ["a", "b", "c"]) assert.equal(cache.take("t/", id)?.id, id);
  });

  it("keeps shards of keys whatever they take, and of each the one of the last token", () => {
    const cache = new StateCache(1_000);
    const shard = (id: string): KeyState => {
      const cell = new Cell(true);
      cell.remember({ made: "of its log" });
      return new KeyState(id, id.length, [cell], []);
    };
    for (const token of ["t", "u", "v"]) {
      for (const id of ["a", "b"]) cache.put(`${token}\0step\0`, shard(id));
      cache.put(`${token}\0another\0`, shard("a"));
    }
    cache.put("v\0step\0", key("large", 5_000));
    assert.equal(cache.size, 3);
    assert.equal(cache.bytes, 0);
    assert.equal(cache.take("u\0step\0", "a"), undefined);
    assert.equal(cache.take("v\0step\0", "a")?.id, "a");
    assert.equal(cache.take("v\0step\0", "a"), undefined);
    cache.put("w\0step\0", shard("a"));
    assert.equal(cache.size, 3);
  });

  it("holds nothing that is larger than itself", () => {
    const cache = new StateCache(1_000);
    cache.put("t/", key("a", 5_000));
    assert.equal(cache.size, 0);
    assert.equal(cache.bytes, 0);
  });
});
