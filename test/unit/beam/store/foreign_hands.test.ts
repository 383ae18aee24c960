/** What others do to a state directory: copies made while it is written, two that were mixed, files that were left out. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ByteWriter } from "../../../../beam/model/bytes.js";
import { LOCK_FILE } from "../../../../beam/store/directory_lock.js";
import { DurableStore } from "../../../../beam/store/durable_store.js";
import { LocalDirectory } from "../../../../beam/store/local_directory.js";
import { StoreError } from "../../../../beam/store/store_errors.js";
import { Random } from "../../../../producers/random.js";
import { tableTexts } from "../../../fixtures/table_texts.js";

const KEYS = 5;
const TRIES = 20;

function randomOf(seed: number): Random {
  const random = new Random();
  random.reseed(seed, 0);
  return random;
}

const bytesOf = (text: string): ByteWriter => {
  const writer = new ByteWriter(16);
  writer.writeUtf8(text);
  return writer;
};

describe("a state directory in other hands", function () {
  this.timeout(120_000);
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "foreign-hands-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const open = async (path: string): Promise<DurableStore> =>
    DurableStore.open(await LocalDirectory.open(path), { sync: false });

  /** Commit number n of this owner: each key has the number of the last commit that was its turn. */
  async function commit(store: DurableStore, owner: string): Promise<void> {
    const changes = store.newChanges();
    store.noteIn(changes);
    const n = store.lastCommit + 1;
    store.table("t").put(bytesOf(`k${n % KEYS}`), bytesOf(`${owner}${n}`));
    store.noteIn(undefined);
    await store.commit([changes]);
  }

  function expected(owner: string, commits: number): Record<string, string> {
    const all: Record<string, string> = {};
    for (let n = Math.max(1, commits - KEYS + 1); n <= commits; n++) all[`k${n % KEYS}`] = `${owner}${n}`;
    return all;
  }

  /** The number of the commit that the directory goes on from, or undefined when it is refused in one line. */
  async function goesOnFrom(path: string): Promise<{ owner: string; commit: number } | undefined> {
    let store: DurableStore;
    try {
      store = await open(path);
    } catch (error) {
      assert.ok(error instanceof StoreError, String((error as Error).stack));
      assert.ok(!error.message.includes("\n"));
      return undefined;
    }
    const found = tableTexts(store);
    const { lastCommit } = store;
    await store.close();
    if (lastCommit === 0) {
      assert.deepEqual(found, {});
      return { owner: "", commit: 0 };
    }
    const owner = Object.values(found)[0]![0]!;
    assert.deepEqual(found, expected(owner, lastCommit));
    return { owner, commit: lastCommit };
  }

  it("copied while it is written is a state of that time, or refused", async () => {
    const random = randomOf(1);
    let isWritten = true;
    const path = join(folder, "running");
    const store = await open(path);
    const writing = (async () => {
      while (isWritten) {
        await commit(store, "a");
        if (random.chance(0.05)) await store.snapshot();
      }
    })();
    let copies = 0;
    let usable = 0;
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const copy = join(folder, `copy-${attempt}`);
      mkdirSync(copy);
      const before = store.lastCommit;
      const names = readdirSync(path).filter((name) => name !== LOCK_FILE);
      // As rsync does, or a tool that takes them as they come.
      if (random.chance(0.5)) names.sort();
      else names.sort(() => (random.chance(0.5) ? 1 : -1));
      for (const name of names) {
        try {
          copyFileSync(join(path, name), join(copy, name));
        } catch (error) {
          // Gone meanwhile.
          assert.equal((error as NodeJS.ErrnoException).code, "ENOENT");
        }
        await new Promise((resolve) => setTimeout(resolve, random.between(0, 3)));
      }
      const after = store.lastCommit;
      const found = await goesOnFrom(copy);
      rmSync(copy, { recursive: true });
      copies++;
      if (found === undefined || found.commit === 0) continue;
      usable++;
      assert.ok(found.commit <= after, `${found.commit} of ${before} to ${after}`);
    }
    isWritten = false;
    await writing;
    await store.close();
    assert.ok(usable > copies / 3, `${usable} of ${copies} copies can be gone on from`);
  });

  it("mixed with another one is one of the two, or refused", async () => {
    const random = randomOf(2);
    const outcomes = { a: 0, b: 0, refused: 0 };
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const paths = { a: join(folder, `a-${attempt}`), b: join(folder, `b-${attempt}`) };
      for (const owner of ["a", "b"] as const) {
        const store = await open(paths[owner]);
        const snapshots = random.between(0, 2);
        for (let s = 0; s <= snapshots; s++) {
          for (let n = random.between(1, 8); n > 0; n--) await commit(store, owner);
          if (s < snapshots) await store.snapshot();
        }
        await store.close();
      }
      // Some files of the one over, or beside, those of the other.
      const mixed = join(folder, `mixed-${attempt}`);
      mkdirSync(mixed);
      for (const owner of ["a", "b"] as const) {
        for (const name of readdirSync(paths[owner])) {
          if (name === LOCK_FILE || (owner === "b" && random.chance(0.4))) continue;
          copyFileSync(join(paths[owner], name), join(mixed, name));
        }
      }
      const found = await goesOnFrom(mixed);
      if (found === undefined) outcomes.refused++;
      else outcomes[found.owner as "a" | "b"]++;
      for (const path of [...Object.values(paths), mixed]) rmSync(path, { recursive: true });
    }
    assert.ok(outcomes.a > 0 && outcomes.b > 0 && outcomes.refused > 0, JSON.stringify(outcomes));
  });

  it("with any one file left out is refused, or whole", async () => {
    const path = join(folder, "whole");
    const store = await open(path);
    for (let n = 0; n < 7; n++) await commit(store, "a");
    await store.snapshot();
    for (let n = 0; n < 3; n++) await commit(store, "a");
    const pinned = await store.checkpoint();
    for (let n = 0; n < 2; n++) await commit(store, "a");
    await store.close();
    await pinned.release();
    for (const left of readdirSync(path)) {
      const copy = join(folder, `without-${left}`);
      mkdirSync(copy);
      for (const name of readdirSync(path))
        if (name !== left) copyFileSync(join(path, name), join(copy, name));
      const found = await goesOnFrom(copy);
      assert.ok(found === undefined || found.commit === 12, `without ${left}: ${JSON.stringify(found)}`);
    }
  });
});
