/** Checkpoints in an emulator of Google Cloud Storage: what the object store promises, and outages of it. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../beam/platform/clock.js";
import { crc32c } from "../../beam/platform/crc32c.js";
import { OtherWriterError } from "../../beam/store/checkpoint/checkpoint_errors.js";
import { CheckpointRepository } from "../../beam/store/checkpoint/checkpoint_repository.js";
import { CheckpointWriter } from "../../beam/store/checkpoint/checkpoint_writer.js";
import {
  ABSENT,
  bodyOf,
  ObjectNotFoundError,
  type ObjectStore,
  PreconditionFailedError,
} from "../../beam/store/checkpoint/object_store.js";
import { restoreCheckpoint } from "../../beam/store/checkpoint/restore_checkpoint.js";
import { GcsRefusedError, GcsUnavailableError } from "../../connectors/gcs/gcs_errors.js";
import { GcsObjectStore } from "../../connectors/gcs/gcs_object_store.js";
import { createBucket, type LocalServer, RequirementMissing, startFakeGcs } from "../../services/index.js";
import { MemoryDirectory } from "../fixtures/memory_directory.js";
import { gcsFixture } from "../fixtures/services.js";
import { skipBecause } from "../fixtures/skip.js";

async function bytesOf(objects: ObjectStore, name: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await objects.get(name)).bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function namesIn(objects: ObjectStore, prefix?: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of objects.list(prefix)) names.push(name);
  return names;
}

describe("Google Cloud Storage", function () {
  this.timeout(30_000);
  const gcs = gcsFixture();
  let bucket: string;
  const open = (prefix = "a/b"): Promise<GcsObjectStore> =>
    GcsObjectStore.open({ bucket, prefix }, { apiEndpoint: gcs.apiEndpoint() });

  beforeEach(async () => {
    bucket = await gcs.newBucket();
  });

  it("gives back small, large and empty objects, with length, checksum and generation", async () => {
    const objects = await open();
    for (const length of [0, 1, 100_000, 20_000_000]) {
      const bytes = randomBytes(length);
      const name = `object-${length}`;
      const info = await objects.put(name, bodyOf(bytes), ABSENT);
      assert.deepEqual([info.name, info.length, info.crc32c], [name, length, crc32c(bytes)]);
      assert.deepEqual((await objects.get(name)).info, info);
      assert.ok((await bytesOf(objects, name)).equals(bytes), `${length} bytes`);
      assert.ok(Math.abs(info.updatedMs - Date.now()) < 60_000, String(info.updatedMs));
    }
  });

  it("puts only over the generation that is expected, small and large alike", async () => {
    const objects = await open();
    for (const length of [10, 10_000_000]) {
      const name = `object-${length}`;
      const first = await objects.put(name, bodyOf(Buffer.alloc(length, "a")), ABSENT);
      const put = (content: string, ifGeneration: string) =>
        objects.put(name, bodyOf(Buffer.alloc(length, content)), ifGeneration);
      await assert.rejects(put("b", ABSENT), PreconditionFailedError);
      const second = await put("c", first.generation);
      await assert.rejects(put("d", first.generation), PreconditionFailedError);
      assert.notEqual(second.generation, first.generation);
      assert.equal((await bytesOf(objects, name))[0], "c".charCodeAt(0));
    }
  });

  it("lists what is under its prefix alone, over pages, and deletes", async () => {
    const objects = await open();
    const [above, beside] = [await open(""), await open("a/bc")];
    await beside.put("x", bodyOf(Buffer.from("x")), ABSENT);
    const names = Array.from({ length: 1_050 }, (_, i) => `f/${String(i).padStart(4, "0")}`);
    for (let i = 0; i < names.length; i += 50) {
      await Promise.all(
        names.slice(i, i + 50).map((name) => objects.put(name, bodyOf(Buffer.from("x")), ABSENT)),
      );
    }
    await objects.put("g", bodyOf(Buffer.from("x")), ABSENT);
    assert.deepEqual(await namesIn(objects, "f/"), names);
    assert.equal((await namesIn(above)).length, names.length + 2);
    await objects.delete("g");
    await objects.delete("g");
    assert.deepEqual(await namesIn(objects, "g"), []);
    await assert.rejects(objects.get("g"), ObjectNotFoundError);
  });

  it("says what is wrong with a bucket that is not there", async () => {
    await assert.rejects(
      GcsObjectStore.open({ bucket: "nobodys-bucket", prefix: "x" }, { apiEndpoint: gcs.apiEndpoint() }),
      (error: Error) => {
        assert.ok(error instanceof GcsRefusedError, String(error));
        assert.match(error.message, /^gs:\/\/nobodys-bucket does not exist: .*gcloud storage buckets create/);
        return true;
      },
    );
  });

  it("says soon that nobody answers", async () => {
    const startedMs = performance.now();
    await assert.rejects(
      GcsObjectStore.open({ bucket, prefix: "" }, { apiEndpoint: "http://127.0.0.1:1" }),
      (error: Error) =>
        error instanceof GcsUnavailableError &&
        /^gs:\/\/.* cannot be reached: .*ECONNREFUSED/.test(error.message),
    );
    assert.ok(performance.now() - startedMs < 10_000);
  });

  it("holds checkpoints: published, restored, pruned, and for one writer", async () => {
    const objects = await open("checkpoints");
    const options = { keptMax: 2, clock: systemClock, sessionId: "one", host: "test" };
    const directory = new MemoryDirectory();
    const writer = await CheckpointWriter.open(objects, directory, options);
    const big = randomBytes(9_000_000);
    const ids: string[] = [];
    for (let commit = 1; commit <= 3; commit++) {
      directory.files.set("big", big);
      directory.files.set("log", randomBytes(1_000 * commit));
      const files = [
        { name: "big", length: big.length },
        { name: "log", length: 1_000 * commit - 1 },
      ];
      ids.push((await writer.publish({ files, commit })).id);
      await writer.prune();
    }
    const repository = new CheckpointRepository(objects);
    assert.deepEqual(await repository.ids(), ids.slice(1).reverse());
    const restored = new MemoryDirectory("/restored");
    const { id } = await restoreCheckpoint(repository, "latest", restored);
    assert.equal(id, ids[2]);
    assert.ok(restored.files.get("big")?.equals(big));
    assert.ok(restored.files.get("log")?.equals(directory.files.get("log")!.subarray(0, 2_999)));

    const other = await CheckpointWriter.open(objects, restored, { ...options, sessionId: "two" });
    await other.publish({ files: [{ name: "log", length: 10 }], commit: 4 });
    await assert.rejects(
      writer.publish({ files: [{ name: "log", length: 10 }], commit: 4 }),
      OtherWriterError,
    );
    assert.equal((await repository.ids()).length, 3);
  });
});

describe("Google Cloud Storage that goes away", function () {
  this.timeout(60_000);
  let server: LocalServer;
  let dataDir: string;

  before(async function () {
    this.timeout(300_000);
    dataDir = mkdtempSync(join(tmpdir(), "order-payment-stream-gcs-outage-"));
    try {
      server = await startFakeGcs({ dataDir, log: console.error });
    } catch (error) {
      if (error instanceof RequirementMissing) skipBecause(this, error.message);
      throw error;
    }
    await createBucket(server.address, "outage");
  });
  after(async () => {
    await server?.stop();
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
  });

  it("is waited for over moments, while it is restarted", async () => {
    const objects = await GcsObjectStore.open(
      { bucket: "outage", prefix: "a" },
      { apiEndpoint: server.address },
    );
    await server.kill();
    const bytes = randomBytes(1_000);
    const put = objects.put("x", bodyOf(bytes), ABSENT);
    put.catch(() => undefined);
    await sleep(300);
    await server.start();
    await put;
    assert.ok((await bytesOf(objects, "x")).equals(bytes));
  });

  it("breaks connections half-way: a download goes on where it was", async () => {
    let cuts = 2;
    const ranges: (string | undefined)[] = [];
    const proxy = createServer((incoming, outgoing) => {
      const isMedia = incoming.url?.includes("alt=media") === true;
      if (isMedia) ranges.push(incoming.headers.range);
      const headers = { ...incoming.headers, host: server.address.slice("http://".length) };
      const forward = request(`${server.address}${incoming.url}`, { method: incoming.method, headers });
      incoming.pipe(forward);
      forward.on("error", () => incoming.destroy());
      forward.on("response", (answer) => {
        outgoing.writeHead(answer.statusCode!, answer.headers);
        let bytes = 0;
        answer.on("data", (chunk: Buffer) => {
          outgoing.write(chunk);
          bytes += chunk.length;
          if (isMedia && bytes > 200_000 && cuts > 0) {
            cuts--;
            answer.destroy();
            setTimeout(() => outgoing.destroy(), 50);
          }
        });
        answer.on("end", () => outgoing.end());
      });
    }).listen(0, "127.0.0.1");
    await once(proxy, "listening");
    try {
      const { port } = proxy.address() as AddressInfo;
      const objects = await GcsObjectStore.open(
        { bucket: "outage", prefix: "c" },
        { apiEndpoint: `http://127.0.0.1:${port}`, stallMs: 2_000 },
      );
      const bytes = randomBytes(3_000_000);
      await objects.put("x", bodyOf(bytes), ABSENT);
      assert.ok((await bytesOf(objects, "x")).equals(bytes));
      assert.equal(cuts, 0);
      const starts = ranges.map((range) => Number(/^bytes=(\d+)-/.exec(range!)![1]));
      assert.ok(
        starts.length === 3 && starts[0] === 0 && starts[1]! > 0 && starts[2]! > starts[1]!,
        String(starts),
      );
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });

  it("is given up on when it hangs, and used again when it does not any more", async () => {
    const objects = await GcsObjectStore.open(
      { bucket: "outage", prefix: "b" },
      { apiEndpoint: server.address, stallMs: 500 },
    );
    await objects.put("x", bodyOf(Buffer.from("x")), ABSENT);
    process.kill(server.pid!, "SIGSTOP");
    try {
      const startedMs = performance.now();
      await assert.rejects(objects.put("y", bodyOf(Buffer.from("y")), ABSENT), GcsUnavailableError);
      await assert.rejects(objects.get("x"), /no answer for/);
      assert.ok(performance.now() - startedMs < 20_000);
    } finally {
      process.kill(server.pid!, "SIGCONT");
    }
    assert.equal((await bytesOf(objects, "x")).toString(), "x");
    await objects.put("z", bodyOf(Buffer.from("z")), ABSENT);
  });
});
