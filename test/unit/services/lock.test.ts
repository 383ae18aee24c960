import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { withLock } from "../../../services/lock.js";

describe("services/lock", () => {
  let folder: string;
  let lock: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lock-test-"));
    lock = join(folder, "deep", "lock");
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("lets one in at a time", async () => {
    let inside = 0;
    const body = async () => {
      inside++;
      assert.equal(inside, 1);
      await turn();
      inside--;
      return "done";
    };
    const results = await Promise.all([1, 2, 3].map(() => withLock(lock, body)));
    assert.deepEqual(results, ["done", "done", "done"]);
    assert.deepEqual(readdirSync(join(folder, "deep")), []);
  });

  it("is released when the body fails", async () => {
    await assert.rejects(
      withLock(lock, () => Promise.reject(new Error("no"))),
      /no/,
    );
    assert.equal(existsSync(lock), false);
  });

  it("is taken over from a process that died", async () => {
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    lock = join(folder, "lock");
    writeFileSync(lock, `${pid} 1`);
    assert.equal(await withLock(lock, async () => "mine"), "mine");
  });

  it("tells once who holds it, and gives up when it takes too long", async () => {
    lock = join(folder, "lock");
    writeFileSync(lock, `${process.ppid} 1`);
    const owners: number[] = [];
    const options = { waitMs: 150, onWait: (pid: number) => owners.push(pid) };
    await assert.rejects(
      withLock(lock, async () => {}, options),
      new RegExp(`process ${process.ppid} still holds`),
    );
    assert.deepEqual(owners, [process.ppid]);
    assert.ok(existsSync(lock));
  });

  it("stops waiting on a signal", async () => {
    lock = join(folder, "lock");
    writeFileSync(lock, `${process.ppid} 1`);
    await assert.rejects(
      withLock(lock, async () => {}, { signal: AbortSignal.timeout(20) }),
      { name: "AbortError" },
    );
  });
});
