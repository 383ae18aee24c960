/** What a store asks of a directory, for the disk of this machine and for the simulation's. */
import assert from "node:assert/strict";
import { type Directory, DirectoryInUseError, DirectoryLostError } from "../../beam/store/directory.js";

const bytes = (text: string): Buffer => Buffer.from(text);

async function content(directory: Directory, name: string): Promise<string> {
  const file = await directory.openForRead(name);
  const target = Buffer.alloc(file.length + 10);
  const count = await file.read(target, 0);
  assert.equal(count, file.length);
  await file.close();
  return target.toString("utf8", 0, count);
}

/**
 * @param open a process's view of one directory, empty before each test
 * @param another opens it for another process
 * @param removeLock as somebody does who removes old files
 */
export function testDirectory(
  open: () => Promise<Directory>,
  another: () => Promise<Directory>,
  removeLock: () => void,
): void {
  let directory: Directory;

  beforeEach(async () => {
    directory = await open();
  });

  afterEach(() => directory.close());

  it("appends in order, several buffers at once", async () => {
    const file = await directory.create("log");
    assert.equal(file.length, 0);
    await file.append([bytes("one "), bytes("two ")]);
    await file.append([bytes("three")]);
    assert.equal(file.length, 13);
    await file.sync();
    await file.close();
    assert.equal(await content(directory, "log"), "one two three");
  });

  it("opens a file for more, and says of one that is not there ENOENT", async () => {
    const first = await directory.create("log");
    await first.append([bytes("one ")]);
    await first.close();
    const again = await directory.openForAppend("log");
    assert.equal(again.length, 4);
    await again.append([bytes("two")]);
    await again.close();
    assert.equal(await content(directory, "log"), "one two");
    await assert.rejects(directory.openForAppend("none"), { code: "ENOENT" });
    await assert.rejects(directory.openForRead("none"), { code: "ENOENT" });
  });

  it("makes no file that is there", async () => {
    await (await directory.create("log")).close();
    await assert.rejects(directory.create("log"), { code: "EEXIST" });
  });

  it("cuts a file, and goes on behind the cut", async () => {
    const file = await directory.create("log");
    await file.append([bytes("one two")]);
    await file.truncate(4);
    assert.equal(file.length, 4);
    await file.append([bytes("three")]);
    await file.close();
    assert.equal(await content(directory, "log"), "one three");
  });

  it("reads from a position, and less only at the end", async () => {
    const file = await directory.create("log");
    await file.append([bytes("0123456789")]);
    await file.close();
    const reading = await directory.openForRead("log");
    const target = Buffer.alloc(4);
    assert.equal(await reading.read(target, 3), 4);
    assert.equal(target.toString(), "3456");
    assert.equal(await reading.read(target, 8), 2);
    assert.equal(target.toString("utf8", 0, 2), "89");
    assert.equal(await reading.read(target, 10), 0);
    await reading.close();
  });

  it("lists, renames over what is there, and removes", async () => {
    for (const name of ["a", "b", "c"]) {
      const file = await directory.create(name);
      await file.append([bytes(name)]);
      await file.close();
    }
    await directory.rename("a", "b");
    await directory.remove("c");
    await directory.sync();
    assert.deepEqual((await directory.list()).sort(), ["b"]);
    assert.equal(await content(directory, "b"), "a");
  });

  it("is one process's at a time", async () => {
    await directory.lock();
    const other = await another();
    await assert.rejects(other.lock(), (error) => error instanceof DirectoryInUseError);
    await directory.close();
    await other.lock();
    await other.close();
  });

  it("stays one process's when its lock is removed, and that one changes nothing more", async () => {
    await directory.lock();
    const log = await directory.create("log-2");
    await log.append([bytes("one ")]);
    directory.assertLocked();
    removeLock();
    const other = await another();
    await assert.rejects(other.lock(), (error) => error instanceof DirectoryInUseError);
    assert.throws(() => directory.assertLocked(), DirectoryLostError);
    for (const change of [
      () => log.append([bytes("two")]),
      () => log.truncate(1),
      () => directory.create("log-3"),
      () => directory.openForAppend("log-2"),
      () => directory.rename("log-2", "log-4"),
      () => directory.remove("log-2"),
    ]) {
      await assert.rejects(change, (error) => error instanceof DirectoryLostError);
    }
    assert.deepEqual((await directory.list()).sort(), ["log-2"]);
    await log.close();
    await directory.close();
    await other.lock();
    assert.equal(await content(other, "log-2"), "one ");
    await other.close();
  });
}
