/** Writing, pruning and restoring checkpoints, with a crash between any two steps and with two writers. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { VirtualClock } from "../../../../../beam/platform/clock.js";
import {
  DamagedCheckpointError,
  NewerCheckpointError,
  NoSuchCheckpointError,
  OtherWriterError,
  RestoreRefusedError,
  RestoreWriteError,
  UnfinishedRestoreError,
  UploadMismatchError,
} from "../../../../../beam/store/checkpoint/checkpoint_errors.js";
import { CheckpointRepository } from "../../../../../beam/store/checkpoint/checkpoint_repository.js";
import type { PinnedFiles } from "../../../../../beam/store/checkpoint/checkpoint_source.js";
import {
  CheckpointWriter,
  type CheckpointWriterOptions,
} from "../../../../../beam/store/checkpoint/checkpoint_writer.js";
import { LINEAGE_FILE } from "../../../../../beam/store/checkpoint/lineage.js";
import { MemoryObjectStore } from "../../../../../beam/store/checkpoint/memory_object_store.js";
import {
  ABSENT,
  bodyOf,
  type ObjectBody,
  type ObjectInfo,
  type ObjectStore,
  type OpenObject,
} from "../../../../../beam/store/checkpoint/object_store.js";
import {
  refuseUnfinishedRestore,
  restoreCheckpoint,
} from "../../../../../beam/store/checkpoint/restore_checkpoint.js";
import type { AppendFile, Directory } from "../../../../../beam/store/directory.js";
import { MemoryDirectory } from "../../../../fixtures/memory_directory.js";

const START = Date.parse("2026-11-25T11:00:00Z");

class Crash extends Error {}

/** Fails from operation `left` on: before it has an effect, or behind it. */
class Failing {
  left = Number.POSITIVE_INFINITY;
  operations = 0;

  constructor(private readonly hasEffect = false) {}

  async step<T>(operation: () => Promise<T>): Promise<T> {
    this.operations++;
    if (this.left < 0) throw new Crash();
    if (this.left-- === 0) {
      if (this.hasEffect) await operation();
      throw new Crash();
    }
    return operation();
  }
}

class FailingObjects implements ObjectStore {
  constructor(
    private readonly inner: ObjectStore,
    private readonly fault: Failing,
  ) {}

  get path(): string {
    return this.inner.path;
  }
  put(name: string, body: ObjectBody, ifGeneration: string): Promise<ObjectInfo> {
    return this.fault.step(() => this.inner.put(name, body, ifGeneration));
  }
  get(name: string): Promise<OpenObject> {
    return this.fault.step(() => this.inner.get(name));
  }
  async *list(prefix?: string): AsyncIterable<ObjectInfo> {
    await this.fault.step(async () => {});
    yield* this.inner.list(prefix);
  }
  delete(name: string): Promise<void> {
    return this.fault.step(() => this.inner.delete(name));
  }
}

function failingDirectory(inner: Directory, fault: Failing): Directory {
  const step =
    <A extends unknown[], R>(method: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> =>
      fault.step(() => method.apply(inner, args));
  return {
    path: inner.path,
    list: step(inner.list),
    create: async (name) => {
      const file = await fault.step(() => inner.create(name));
      return {
        get length() {
          return file.length;
        },
        append: (buffers) => fault.step(() => file.append(buffers)),
        sync: () => fault.step(() => file.sync()),
        truncate: (length) => file.truncate(length),
        close: () => file.close(),
      };
    },
    openForAppend: step(inner.openForAppend),
    openForRead: step(inner.openForRead),
    rename: step(inner.rename),
    remove: step(inner.remove),
    sync: step(inner.sync),
    lock: step(inner.lock),
    assertLocked: () => inner.assertLocked(),
    close: () => inner.close(),
  };
}

/** What a store would write: a file that does not change, and one that grows behind what is pinned. */
function commitTo(directory: MemoryDirectory, commit: number): Omit<PinnedFiles, "release"> {
  directory.files.set(`snapshot-${commit}`, randomBytes(3_000));
  directory.files.set(
    "log",
    Buffer.concat([directory.files.get("log") ?? Buffer.alloc(0), randomBytes(100)]),
  );
  const length = directory.files.get("log")!.length;
  directory.files.set("log", Buffer.concat([directory.files.get("log")!, randomBytes(10)]));
  return {
    files: [
      { name: `snapshot-${commit}`, length: 3_000 },
      { name: "log", length },
      { name: "empty", length: 0 },
    ],
    commit,
    identity: { graph: "v1" },
  };
}

/** The bytes that a checkpoint must give back. */
function contents(
  directory: MemoryDirectory,
  { files }: Omit<PinnedFiles, "release">,
): ReadonlyMap<string, string> {
  return new Map(
    files.map(({ name, length }) => [name, directory.files.get(name)!.subarray(0, length).toString("hex")]),
  );
}

function restored(directory: MemoryDirectory): ReadonlyMap<string, string> {
  const files = [...directory.files].filter(([name]) => name !== LINEAGE_FILE);
  return new Map(files.map(([name, bytes]) => [name, bytes.toString("hex")]));
}

function sorted(map: ReadonlyMap<string, string>): [string, string][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

function newDirectory(path?: string): MemoryDirectory {
  const directory = new MemoryDirectory(path);
  directory.files.set("empty", Buffer.alloc(0));
  return directory;
}

async function namesIn(objects: ObjectStore): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of objects.list()) names.push(name);
  return names;
}

describe("checkpoints", () => {
  const clock = new VirtualClock(START);
  let sessions = 0;
  const open = (
    objects: ObjectStore,
    directory: Directory,
    options: Partial<CheckpointWriterOptions> = {},
  ): Promise<CheckpointWriter> =>
    CheckpointWriter.open(objects, directory, {
      keptMax: 2,
      clock,
      sessionId: `session-${++sessions}`,
      host: "test-host",
      ...options,
    });
  const restore = async (objects: ObjectStore, wanted: string): Promise<MemoryDirectory> => {
    const directory = new MemoryDirectory("/restored");
    await restoreCheckpoint(new CheckpointRepository(objects), wanted, directory);
    return directory;
  };

  it("give back the files as they were pinned, by id and as the latest", async () => {
    const objects = new MemoryObjectStore();
    const directory = newDirectory();
    const writer = await open(objects, directory);
    const one = commitTo(directory, 1);
    const { id } = await writer.publish(one);
    const expected = contents(directory, one);
    const two = commitTo(directory, 2);
    await writer.publish(two);
    assert.deepEqual(sorted(restored(await restore(objects, id))), sorted(expected));
    assert.deepEqual(sorted(restored(await restore(objects, "latest"))), sorted(contents(directory, two)));
    const manifest = await new CheckpointRepository(objects).find("latest");
    assert.deepEqual(
      [manifest.commit, manifest.identity, manifest.author.host],
      [2, { graph: "v1" }, "test-host"],
    );
    assert.deepEqual(await new CheckpointRepository(objects).ids(), [manifest.id, id]);
  });

  for (const hasEffect of [false, true]) {
    it(`a crash ${hasEffect ? "behind" : "before"} any step leaves whole checkpoints, and the next run goes on`, async () => {
      let crashes = 0;
      for (let step = 0; ; step++) {
        const objects = new MemoryObjectStore();
        const directory = newDirectory();
        const fault = new Failing(hasEffect);
        const writer = await open(new FailingObjects(objects, fault), directory);
        fault.left = step;
        const taken = new Map<number, ReadonlyMap<string, string>>();
        let acknowledged = 0;
        let hasCrashed = false;
        try {
          for (let commit = 1; commit <= 4; commit++) {
            const pinned = commitTo(directory, commit);
            taken.set(commit, contents(directory, pinned));
            clock.advanceTo(clock.now() + 700);
            await writer.publish(pinned);
            acknowledged = commit;
            await writer.prune();
          }
        } catch (error) {
          assert.ok(error instanceof Crash, String(error));
          hasCrashed = true;
          crashes++;
        }
        const repository = new CheckpointRepository(objects);
        const ids = await repository.ids();
        for (const id of ids) {
          const { commit } = await repository.find(id);
          assert.deepEqual(sorted(restored(await restore(objects, id))), sorted(taken.get(commit)!));
        }
        if (acknowledged > 0) {
          assert.ok((await repository.find("latest")).commit >= acknowledged, `crash at step ${step}`);
        }
        const next = await open(objects, directory, { leftoverGraceMs: -1 });
        const pinned = commitTo(directory, 9);
        const { id } = await next.publish(pinned);
        await next.prune();
        assert.deepEqual(
          sorted(restored(await restore(objects, "latest"))),
          sorted(contents(directory, pinned)),
        );
        const kept = await repository.ids();
        assert.equal(kept[0], id);
        assert.ok(kept.length <= 2);
        const allowed = new Set(kept);
        const strays = (await namesIn(objects)).filter(
          (name) => name !== "latest.json" && !allowed.has(name.split("/")[0]!),
        );
        assert.deepEqual(strays, []);
        if (!hasCrashed) break;
      }
      assert.ok(crashes > 20, `${crashes} crashes`);
    });
  }

  it("goes on when an outage hides that the pointer was moved", async () => {
    const objects = new MemoryObjectStore();
    const directory = newDirectory();
    const put = objects.put.bind(objects);
    const writer = await open(objects, directory);
    let isHiding = true;
    objects.put = async (name, body, ifGeneration) => {
      const info = await put(name, body, ifGeneration);
      if (name === "latest.json" && isHiding) throw new Error("connection lost");
      return info;
    };
    await assert.rejects(writer.publish(commitTo(directory, 1)), /connection lost/);
    isHiding = false;
    const { id } = await writer.publish(commitTo(directory, 2));
    assert.equal((await new CheckpointRepository(objects).pointer()).pointer?.checkpoint, id);
  });

  describe("of two writers", () => {
    it("the one that publishes second loses, takes its own back, and stays out", async () => {
      const objects = new MemoryObjectStore();
      const directory = newDirectory();
      const first = await open(objects, directory);
      // The same directory twice, as after copying it to another machine.
      const copy = newDirectory();
      copy.files.set(LINEAGE_FILE, directory.files.get(LINEAGE_FILE)!);
      const second = await open(objects, copy);
      const { id } = await first.publish(commitTo(directory, 1));
      await assert.rejects(second.publish(commitTo(copy, 1)), OtherWriterError);
      await assert.rejects(second.publish(commitTo(copy, 2)), OtherWriterError);
      await second.prune();
      assert.deepEqual(await new CheckpointRepository(objects).ids(), [id]);
      assert.deepEqual(
        new Set((await namesIn(objects)).map((name) => name.split("/")[0])),
        new Set([id, "latest.json"]),
      );
      await first.publish(commitTo(directory, 2));
    });

    it("one of another directory is refused before it has written anything", async () => {
      const objects = new MemoryObjectStore();
      const directory = newDirectory();
      await (await open(objects, directory)).publish(commitTo(directory, 1));
      await assert.rejects(open(objects, newDirectory("/other")), (error: Error) => {
        assert.ok(error instanceof OtherWriterError);
        assert.match(error.message, /^memory: holds .*test-host.*2026-11-25T.*in place of \/other/);
        assert.ok(!error.message.includes("\n"));
        return true;
      });
    });

    it("the one that was restored takes over, and the one before is refused then", async () => {
      const objects = new MemoryObjectStore();
      const directory = newDirectory();
      const before = await open(objects, directory);
      await before.publish(commitTo(directory, 1));
      const other = await restore(objects, "latest");
      other.files.set("empty", Buffer.alloc(0));
      const after = await open(objects, other);
      await after.publish(commitTo(other, 2));
      await after.publish(commitTo(other, 3));
      await assert.rejects(before.publish(commitTo(directory, 2)), OtherWriterError);
      await assert.rejects(open(objects, directory), OtherWriterError);
      await open(objects, other);
    });
  });

  describe("from before the latest", () => {
    /** Three checkpoints of one directory, and a writer for a directory that the oldest was restored into. */
    async function restoredOldest() {
      const objects = new MemoryObjectStore();
      const directory = newDirectory();
      const before = await open(objects, directory, { keptMax: 3 });
      const { id } = await before.publish(commitTo(directory, 1));
      for (const commit of [2, 3]) await before.publish(commitTo(directory, commit));
      const other = await restore(objects, id);
      other.files.set("empty", Buffer.alloc(0));
      return { objects, directory, before, other, id };
    }

    it("are gone on from, and become the latest; the directory before is refused then", async () => {
      const { objects, directory, before, other, id } = await restoredOldest();
      // Opened twice: what is known of the restore outlives a restart.
      await open(objects, other);
      const after = await open(objects, other, { keptMax: 3 });
      const pinned = commitTo(other, 2);
      const first = await after.publish(pinned);
      await after.prune();
      const ids = await new CheckpointRepository(objects).ids();
      assert.equal(ids[0], first.id);
      assert.ok(!ids.includes(id), "the oldest of four");
      assert.deepEqual(sorted(restored(await restore(objects, "latest"))), sorted(contents(other, pinned)));
      await assert.rejects(before.publish(commitTo(directory, 4)), OtherWriterError);
      await assert.rejects(open(objects, directory), OtherWriterError);
      await after.publish(commitTo(other, 3));
      await open(objects, other);
    });

    it("are not, once the directory before has published again", async () => {
      const { objects, directory, before, other } = await restoredOldest();
      const after = await open(objects, other);
      await before.publish(commitTo(directory, 4));
      await assert.rejects(after.publish(commitTo(other, 2)), OtherWriterError);
      await assert.rejects(open(objects, other), OtherWriterError);
      await open(objects, directory);
    });

    it("are restored by id where the pointer was deleted; where it is damaged, the advice is to do so", async () => {
      const { objects, id } = await restoredOldest();
      await objects.delete("latest.json");
      await objects.put("latest.json", bodyOf(Buffer.from("{")), ABSENT);
      await assert.rejects(
        restore(objects, id),
        /latest\.json is no JSON\. .*delete it, restore one by its id/,
      );
      await objects.delete("latest.json");
      const other = await restore(objects, id);
      other.files.set("empty", Buffer.alloc(0));
      await (await open(objects, other)).publish(commitTo(other, 2));
      await restore(objects, "latest");
    });
  });

  describe("that are old", () => {
    it("go, but for the last ones, what the pointer names, what is not ours, and young leftovers", async () => {
      let nowMs = 0;
      const objects = new MemoryObjectStore(() => nowMs);
      const directory = newDirectory();
      const writer = await open(objects, directory, { leftoverGraceMs: 1_000, keptMax: 3 });
      const put = (name: string) => objects.put(name, bodyOf(Buffer.from("x")), ABSENT);
      await put("readme.txt");
      await put("notes/20000101T000000Z-00000001.txt");
      await put("20000101T000000Z-00000001/snapshot");
      nowMs = 1_500;
      await put("20000101T000001Z-00000002/snapshot");
      const ids: string[] = [];
      for (let commit = 1; commit <= 5; commit++) {
        clock.advanceTo(clock.now() + 1_000);
        ids.push((await writer.publish(commitTo(directory, commit))).id);
        await writer.prune();
      }
      assert.deepEqual(await new CheckpointRepository(objects).ids(), ids.slice(-3).reverse());
      const folders = new Set((await namesIn(objects)).map((name) => name.split("/")[0]));
      assert.deepEqual(
        folders,
        new Set(["readme.txt", "notes", "latest.json", "20000101T000001Z-00000002", ...ids.slice(-3)]),
      );
    });

    it("never are what the pointer names, though newer ones were published beside it", async () => {
      const objects = new MemoryObjectStore();
      const directory = newDirectory();
      const writer = await open(objects, directory, { keptMax: 1 });
      const { id } = await writer.publish(commitTo(directory, 1));
      const manifest = await objects.get(`${id}/manifest.json`);
      const chunks: Uint8Array[] = [];
      for await (const chunk of manifest.bytes) chunks.push(chunk);
      await objects.put("20991231T000000Z-00000001/manifest.json", bodyOf(Buffer.concat(chunks)), ABSENT);
      await writer.prune();
      await restore(objects, "latest");
    });
  });

  describe("are not restored", () => {
    const published = async (): Promise<{ objects: MemoryObjectStore; id: string }> => {
      const objects = new MemoryObjectStore();
      const directory = newDirectory();
      const { id } = await (await open(objects, directory)).publish(commitTo(directory, 1));
      return { objects, id };
    };
    const replace = async (objects: MemoryObjectStore, name: string, content: string): Promise<void> => {
      await objects.delete(name);
      await objects.put(name, bodyOf(Buffer.from(content)), ABSENT);
    };

    it("when there are none, or none of that name: what there is is listed", async () => {
      await assert.rejects(restore(new MemoryObjectStore(), "latest"), {
        name: NoSuchCheckpointError.name,
        message: "memory: holds no checkpoint",
      });
      const { objects, id } = await published();
      await assert.rejects(restore(objects, "20000101T000000Z-00000001"), {
        message: `memory: holds no checkpoint 20000101T000000Z-00000001: there is ${id}`,
      });
    });

    it("over state", async () => {
      const { objects } = await published();
      const directory = newDirectory("/precious");
      await assert.rejects(
        restoreCheckpoint(new CheckpointRepository(objects), "latest", directory),
        (error: Error) => error instanceof RestoreRefusedError && /\/precious.*\(empty\)/.test(error.message),
      );
      assert.deepEqual([...directory.files.keys()], ["empty"]);
    });

    it("when bytes are not what they were, and leave nothing that looks like state", async () => {
      const { objects, id } = await published();
      const object = `${id}/snapshot-1`;
      for (const content of ["short", "x".repeat(3_000), "x".repeat(4_000)]) {
        await replace(objects, object, content);
        const directory = new MemoryDirectory();
        await assert.rejects(
          restoreCheckpoint(new CheckpointRepository(objects), id, directory),
          (error: Error) => error instanceof DamagedCheckpointError && error.message.includes(object),
        );
        await assert.rejects(refuseUnfinishedRestore(directory), UnfinishedRestoreError);
      }
      await objects.delete(object);
      await assert.rejects(restore(objects, id), /snapshot-1 is missing/);
    });

    it("when the disk is full, and say which", async () => {
      const { objects } = await published();
      const directory = new MemoryDirectory("/small");
      const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      const small: Directory = Object.assign(Object.create(directory), {
        create: async (name: string): Promise<AppendFile> => {
          const file = await directory.create(name);
          return Object.assign(Object.create(file), { append: () => Promise.reject(full) });
        },
      });
      await assert.rejects(restoreCheckpoint(new CheckpointRepository(objects), "latest", small), {
        name: "RestoreWriteError",
        message:
          "the checkpoint cannot be written to /small: the disk is full (ENOSPC: no space left on device, write). Restore it again once this is fixed",
      });
    });

    it("when a newer version wrote them, or nobody of ours", async () => {
      const { objects, id } = await published();
      const manifest = `${id}/manifest.json`;
      await replace(objects, manifest, '{"format": 2, "whatever": 1}');
      await assert.rejects(restore(objects, id), NewerCheckpointError);
      for (const text of [
        "",
        "[]",
        "{}",
        '{"format":1}',
        JSON.stringify({
          format: 1,
          id,
          commit: 1,
          created_at: "2026-01-01T00:00:00Z",
          author: { directoryId: "a", sessionId: "b", host: "c" },
          files: [{ name: "../../etc/passwd", length: 1, crc32c: "00000000" }],
        }),
      ]) {
        await replace(objects, manifest, text);
        await assert.rejects(restore(objects, id), DamagedCheckpointError, text);
      }
    });

    for (const hasEffect of [false, true]) {
      it(`by half: a crash ${hasEffect ? "behind" : "before"} any step is noticed, and a repeat gives the whole`, async () => {
        const objects = new MemoryObjectStore();
        const from = newDirectory();
        const pinned = commitTo(from, 1);
        await (await open(objects, from)).publish(pinned);
        const repository = new CheckpointRepository(objects);
        let crashes = 0;
        for (let step = 0; ; step++) {
          const directory = new MemoryDirectory();
          directory.files.set("lost+found", Buffer.alloc(0));
          const fault = new Failing(hasEffect);
          fault.left = step;
          try {
            await restoreCheckpoint(repository, "latest", failingDirectory(directory, fault));
            break;
          } catch (error) {
            const cause = error instanceof RestoreWriteError ? error.cause : error;
            assert.ok(cause instanceof Crash, String(error));
            crashes++;
          }
          const state = [...directory.files.keys()].filter((name) =>
            pinned.files.some((f) => f.name === name),
          );
          const isRefused = await refuseUnfinishedRestore(directory).then(
            () => false,
            (error) => error instanceof UnfinishedRestoreError,
          );
          const isWhole = state.length === pinned.files.length && directory.files.has(LINEAGE_FILE);
          assert.ok(
            isRefused || isWhole || state.length === 0,
            `step ${step}: ${[...directory.files.keys()]}`,
          );
          if (!isRefused && isWhole) continue;
          await restoreCheckpoint(repository, "latest", directory);
          directory.files.delete("lost+found");
          assert.deepEqual(sorted(restored(directory)), sorted(contents(from, pinned)));
        }
        assert.ok(crashes > 15, `${crashes} crashes`);
      });
    }
  });

  it("are not published when a file arrives as another", async () => {
    const objects = new MemoryObjectStore();
    const directory = newDirectory();
    const writer = await open(objects, directory);
    const put = objects.put.bind(objects);
    objects.put = (name, body, ifGeneration) =>
      put(
        name,
        name.endsWith("snapshot-1")
          ? {
              length: body.length,
              async *open() {
                for await (const chunk of body.open()) yield Buffer.from(chunk).reverse();
              },
            }
          : body,
        ifGeneration,
      );
    await assert.rejects(writer.publish(commitTo(directory, 1)), UploadMismatchError);
    assert.deepEqual(await namesIn(objects), []);
  });
});
