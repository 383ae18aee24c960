import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "lmdb";
import { LmdbCommits, LmdbRecords } from "../../../bench/subjects/lmdb_store.js";
import { changeAtRandom, contentsOf } from "./random_changes.js";

describe("the stores that are compared", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lmdb-store-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("with records in LMDB keep each record of their tables, and no other", async () => {
    const path = join(folder, "records");
    const store = new LmdbRecords(path);
    await changeAtRandom(store);
    const { count } = store;
    await store.close();

    const db = open<Buffer, Buffer>({ path, noSubdir: true, encoding: "binary", keyEncoding: "binary" });
    const kept = [...db.getRange()].map(
      ({ key, value }) => [`${key[0]}/${key.subarray(1)}`, value.toString()] as const,
    );
    await db.close();
    assert.deepEqual(new Map(kept), contentsOf(store));
    assert.equal(count, kept.length);
  });

  it("with commits in LMDB keep what restores their tables", async () => {
    const store = new LmdbCommits(join(folder, "commits"));
    await changeAtRandom(store);
    const restored = store.restore();
    await store.close();
    assert.deepEqual(contentsOf({ table: (name) => restored.get(name)! }), contentsOf(store));
  });
});
