import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ByteWriter } from "../../../../beam/model/bytes.js";
import { LOCK_FILE } from "../../../../beam/store/directory_lock.js";
import { DurableStore, type DurableStoreOptions } from "../../../../beam/store/durable_store.js";
import { LocalDirectory } from "../../../../beam/store/local_directory.js";
import { tableTexts } from "../../../fixtures/table_texts.js";

const bytesOf = (text: string): ByteWriter => {
  const writer = new ByteWriter(16);
  writer.writeUtf8(text);
  return writer;
};

describe("DurableStore", () => {
  let path: string;
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), "durable-store-"));
  });
  afterEach(() => rmSync(path, { recursive: true, force: true }));

  const open = async (options: Partial<DurableStoreOptions> = {}) =>
    DurableStore.open(await LocalDirectory.open(path), { sync: false, ...options });

  /** One commit that does this to the table. */
  async function commit(store: DurableStore, change: (table: ReturnType<DurableStore["table"]>) => void) {
    const changes = store.newChanges();
    store.noteIn(changes);
    change(store.table("t"));
    store.noteIn(undefined);
    await store.commit([changes]);
  }

  /** Name and content of each file but the lock's. */
  const files = () =>
    Object.fromEntries(
      readdirSync(path)
        .filter((name) => name !== LOCK_FILE)
        .map((name) => [name, readFileSync(join(path, name)).toString("hex")]),
    );

  async function reopened(options?: Partial<DurableStoreOptions>): Promise<Record<string, string>> {
    const store = await open(options);
    const found = tableTexts(store);
    await store.close();
    return found;
  }

  /** Two commits: a = 1 and b = 2; then a is gone and b has grown. */
  async function writeTwoCommits(): Promise<void> {
    const store = await open();
    await commit(store, (table) => {
      table.put(bytesOf("a"), bytesOf("1"));
      table.put(bytesOf("b"), bytesOf("2"));
    });
    await commit(store, (table) => {
      table.delete(bytesOf("a"));
      table.append(bytesOf("b"), bytesOf("34"));
    });
    await store.close();
  }

  it("gives back what was committed, and nothing else", async () => {
    await writeTwoCommits();
    const store = await open();
    const changes = store.newChanges();
    store.noteIn(changes);
    store.table("t").put(bytesOf("c"), bytesOf("never committed"));
    await store.close();
    assert.deepEqual(await reopened(), { b: "234" });
  });

  it("refuses a change that belongs to no commit", async () => {
    const store = await open();
    assert.throws(() => store.table("t").put(bytesOf("a"), bytesOf("1")), /outside of a bundle/);
    await store.close();
  });

  it("drops a tail that a crash has torn, at every length", async () => {
    await writeTwoCommits();
    const log = join(path, "log-00000001");
    const whole = readFileSync(log);
    for (let length = whole.length - 1; length > whole.length - 20; length--) {
      writeFileSync(log, whole.subarray(0, length));
      assert.deepEqual(await reopened(), { a: "1", b: "2" }, `${length} of ${whole.length} bytes`);
    }
  });

  it("refuses a damaged log, wherever a byte of it is wrong, and changes nothing", async () => {
    await writeTwoCommits();
    const log = join(path, "log-00000001");
    const whole = readFileSync(log);
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 0x40;
      writeFileSync(log, damaged);
      const before = files();
      await assert.rejects(open(), /is damaged|newer version/, `byte ${at}`);
      assert.deepEqual(files(), before);
    }
  });

  it("refuses a damaged snapshot, and one whose log is gone", async () => {
    const store = await open();
    await commit(store, (table) => void table.put(bytesOf("a"), bytesOf("1")));
    await store.snapshot();
    await store.close();
    const snapshot = join(path, "snapshot-00000002");
    const whole = readFileSync(snapshot);
    for (const at of [30, whole.length - 1]) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 1;
      writeFileSync(snapshot, damaged);
      await assert.rejects(open(), /snapshot-00000002.*checksum/);
    }
    writeFileSync(snapshot, whole);
    assert.deepEqual(await reopened(), { a: "1" });
    rmSync(join(path, "log-00000002"));
    await assert.rejects(open(), /needs the log/);
  });

  for (const [version, format, message] of [
    ["a newer", 3, /newer version: log-00000001 has format 3/],
    ["an earlier", 1, /earlier version: log-00000001 has format 1, and this version reads 2/],
  ] as const) {
    it(`refuses the format of ${version} version by name`, async () => {
      await writeTwoCommits();
      const log = join(path, "log-00000001");
      const bytes = readFileSync(log);
      bytes.writeUInt32BE(format, 12);
      const { crc32 } = await import("node:zlib");
      bytes.writeUInt32BE(crc32(bytes.subarray(0, 16)), 16);
      writeFileSync(log, bytes);
      const before = files();
      await assert.rejects(open(), message);
      assert.deepEqual(files(), before);
    });
  }

  it("refuses a directory of somebody else, and leaves it as it is", async () => {
    writeFileSync(join(path, "photo.jpg"), "…");
    await assert.rejects(open(), /not a state directory: it holds photo\.jpg/);
    assert.deepEqual(readdirSync(path), ["photo.jpg"]);
  });

  it("refuses a second user of a directory, until the first is gone", async () => {
    const first = await open();
    await assert.rejects(open(), /in use by another process/);
    await first.close();
    await (await open()).close();
  });

  it("lets the log go with each snapshot, while commits go on", async () => {
    const store = await open({ snapshotLogBytes: 2_000 });
    const expected: Record<string, string> = {};
    for (let i = 0; i < 3_000; i++) {
      const [key, value] = [`k${i % 50}`, `v${i}`];
      expected[key] = value;
      await commit(store, (table) => void table.put(bytesOf(key), bytesOf(value)));
      if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await store.snapshot();
    await store.close();
    const bytes = Object.values(files()).reduce((sum, hex) => sum + hex.length / 2, 0);
    assert.ok(bytes < 20_000, `${bytes} bytes`);
    assert.deepEqual(await reopened(), expected);
  });

  it("pins a consistent copy that outlives later commits and snapshots", async () => {
    const store = await open();
    await commit(store, (table) => void table.put(bytesOf("a"), bytesOf("1")));
    const pinned = await store.checkpoint();
    await commit(store, (table) => void table.put(bytesOf("a"), bytesOf("2")));
    await store.snapshot();
    const copy = mkdtempSync(join(tmpdir(), "durable-store-copy-"));
    for (const { name, length } of pinned.files) {
      writeFileSync(join(copy, name), readFileSync(join(path, name)).subarray(0, length));
    }
    await pinned.release();
    await store.close();
    rmSync(path, { recursive: true });
    cpSync(copy, path, { recursive: true });
    rmSync(copy, { recursive: true });
    assert.deepEqual(await reopened(), { a: "1" });
  });
});
