/** The durable store's state in an emulator of Google Cloud Storage, and from there on another disk. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ByteReader, ByteWriter } from "../../beam/model/bytes.js";
import { systemClock } from "../../beam/platform/clock.js";
import { CheckpointRepository } from "../../beam/store/checkpoint/checkpoint_repository.js";
import { CheckpointUploader } from "../../beam/store/checkpoint/checkpoint_uploader.js";
import { CheckpointWriter } from "../../beam/store/checkpoint/checkpoint_writer.js";
import { restoreCheckpoint } from "../../beam/store/checkpoint/restore_checkpoint.js";
import { DurableStore } from "../../beam/store/durable_store.js";
import { LocalDirectory } from "../../beam/store/local_directory.js";
import { GcsObjectStore } from "../../connectors/gcs/gcs_object_store.js";
import { gcsFixture } from "../fixtures/services.js";

const TABLE = "numbers";

describe("checkpoints of a durable store", function () {
  this.timeout(30_000);
  const gcs = gcsFixture();
  let folder: string;
  let open: DurableStore[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "order-payment-stream-checkpoints-"));
    open = [];
  });
  afterEach(async () => {
    for (const store of open) await store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function openStore(name: string): Promise<DurableStore> {
    const directory = await LocalDirectory.open(join(folder, name));
    const store = await DurableStore.open(directory, { sync: false, snapshotLogBytes: 20_000 });
    open.push(store);
    return store;
  }

  async function put(store: DurableStore, from: number, to: number): Promise<void> {
    const [key, value] = [new ByteWriter(), new ByteWriter()];
    const table = store.table(TABLE);
    for (let number = from; number < to; number++) {
      const changes = store.newChanges();
      store.noteIn(changes);
      key.reset();
      key.writeVarint(number);
      value.reset();
      value.writeString(`value ${number} `.repeat(20));
      table.put(key, value);
      store.noteIn(undefined);
      await store.commit([changes]);
    }
  }

  function assertHolds(store: DurableStore, count: number): void {
    const [key, value] = [new ByteWriter(), new ByteReader()];
    const table = store.table(TABLE);
    assert.equal(table.size, count);
    for (let number = 0; number < count; number++) {
      key.reset();
      key.writeVarint(number);
      assert.ok(table.get(key, value));
      assert.equal(value.readString(), `value ${number} `.repeat(20));
    }
  }

  it("are restored on another disk, while the first goes on, and go on there", async () => {
    const bucket = await gcs.newBucket();
    const objects = await GcsObjectStore.open({ bucket, prefix: "x" }, { apiEndpoint: gcs.apiEndpoint() });
    const options = { keptMax: 3, clock: systemClock, host: "test" };
    const first = await openStore("first");
    await put(first, 0, 300);
    const writer = await CheckpointWriter.open(objects, first.directory, { ...options, sessionId: "1" });
    const uploader = new CheckpointUploader({ source: first, writer, clock: systemClock, intervalMs: 50 });
    // Snapshots and new logs come about meanwhile.
    await put(first, 300, 1_500);
    await uploader.stop();
    await put(first, 1_500, 1_600);

    const repository = new CheckpointRepository(objects);
    const directory = await LocalDirectory.open(join(folder, "second"));
    const { commit } = await restoreCheckpoint(repository, "latest", directory);
    assert.equal(commit, 1_500);
    const second = await openStore("second");
    assert.equal(second.lastCommit, 1_500);
    assertHolds(second, 1_500);
    await put(second, 1_500, 1_700);
    const heir = await CheckpointWriter.open(objects, second.directory, { ...options, sessionId: "2" });
    await new CheckpointUploader({
      source: second,
      writer: heir,
      clock: systemClock,
      intervalMs: 60_000,
    }).stop();

    const third = await LocalDirectory.open(join(folder, "third"));
    await restoreCheckpoint(repository, "latest", third);
    assertHolds(await openStore("third"), 1_700);
    assertHolds(first, 1_600);
  });
});
