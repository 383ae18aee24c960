import assert from "node:assert/strict";
import { ByteReader } from "../../../beam/model/bytes.js";
import { DurableStore } from "../../../beam/store/durable_store.js";
import { type ReplayTable, replay } from "../../../beam/store/journal.js";
import { Tables } from "../../../beam/store/tables.js";
import { readChangeStream } from "../../../bench/change_stream.js";
import { MemoryDirectory } from "../../fixtures/memory_directory.js";
import { changeAtRandom, contentsOf } from "./random_changes.js";

describe("readChangeStream", () => {
  it("cuts what a durable store wrote to bundles of one size, and leaves nothing out", async () => {
    const directory = new MemoryDirectory();
    const store = await DurableStore.open(directory);
    await changeAtRandom(store);
    const written = contentsOf(store);
    await store.close();

    const { bundles, names, changes } = await readChangeStream(directory, 7);

    const sizes = bundles.map(countChanges);
    assert.ok(sizes.length > 10);
    assert.deepEqual(new Set(sizes.slice(0, -1)), new Set([7]));
    assert.equal(
      sizes.reduce((sum, size) => sum + size),
      changes,
    );
    const tables = new Tables();
    for (const [number, name] of names) tables.nameTable(number, name);
    for (const bundle of bundles) replay(new ByteReader(bundle), tables);
    assert.deepEqual(contentsOf({ table: (name) => tables.get(name)! }), written);
  });
});

function countChanges(bundle: Buffer): number {
  let count = 0;
  const one = (): void => {
    count++;
  };
  const table: ReplayTable = { put: one, appendAt: one, patchOf: one, delete: one };
  replay(new ByteReader(bundle), { byNumber: () => table, nameTable: () => assert.fail("a name") });
  return count;
}
