/** The simulation's disk passes the suite of the real one; and what it leaves after crashes that no real one can be put to. */
import assert from "node:assert/strict";
import type { Directory } from "../../beam/store/directory.js";
import { testDirectory } from "../connector/directory_suite.js";
import { START_MS } from "./scenario.js";
import { RunningLoop } from "./world/running_loop.js";
import { randomFor } from "./world/seeded.js";
import { SimulatedDisk } from "./world/simulated_directory.js";
import { Machine, SimulatedProcess } from "./world/simulated_process.js";

describe("simulated directory", () => {
  let running: RunningLoop;
  let disk: SimulatedDisk;
  let processes = 0;

  const begin = (seed: number): void => {
    running?.end();
    running = new RunningLoop(START_MS, seed);
    disk = new SimulatedDisk(running.loop, randomFor(seed, "disk"));
  };
  const open = async (): Promise<Directory> => {
    const machine = new Machine(running.loop, randomFor(1, "process"));
    return disk.open(new SimulatedProcess(machine, ++processes));
  };

  beforeEach(() => begin(1));

  after(() => running.end());

  testDirectory(open, open, () => disk.removeLock());

  /** What is in a file; undefined when it is not there. */
  const content = (name: string): string | undefined => disk.names.get(name)?.current.toString();

  it("keeps what was synced through a power failure, and any beginning of the rest", async () => {
    const left = new Set<string>();
    for (let seed = 1; seed <= 200; seed++) {
      begin(seed);
      const directory = await open();
      const file = await directory.create("log");
      await directory.sync();
      await file.append([Buffer.from("abc")]);
      await file.sync();
      await file.append([Buffer.from("de")]);
      await file.append([Buffer.from("fg")]);
      disk.losePower();
      const text = content("log")!;
      assert.ok("abcdefg".startsWith(text) && text.length >= 3, text);
      left.add(text);
    }
    assert.deepEqual([...left].sort(), ["abc", "abcd", "abcde", "abcdef", "abcdefg"]);
  });

  it("keeps everything that was done when only the process is killed", async () => {
    const directory = await open();
    const file = await directory.create("log");
    await file.append([Buffer.from("abc")]);
    await directory.rename("log", "kept");
    disk.killProcess();
    assert.equal(content("kept"), "abc");
  });

  it("may lose a rename that was not synced, and never half of it", async () => {
    const left = new Set<string>();
    for (let seed = 1; seed <= 100; seed++) {
      begin(seed);
      const directory = await open();
      for (const name of ["old", "new"]) {
        const file = await directory.create(name);
        await file.append([Buffer.from(name)]);
        await file.sync();
      }
      await directory.sync();
      await directory.rename("new", "old");
      disk.losePower();
      left.add(JSON.stringify([content("old"), content("new")]));
    }
    assert.deepEqual([...left].sort(), ['["new",null]', '["old","new"]']);
  });

  it("does part of what is under way at a crash", async () => {
    const left = new Set<string>();
    for (let seed = 1; seed <= 100; seed++) {
      begin(seed);
      disk.conditions.latencyMaxMs = 1_000;
      const directory = await open();
      const file = await directory.create("log");
      running.end();
      file.append([Buffer.from("ab")]).catch(() => undefined);
      disk.killProcess();
      left.add(content("log")!);
    }
    assert.deepEqual([...left].sort(), ["", "a", "ab"]);
  });

  it("says when it is full, and leaves a torn tail at most", async () => {
    const directory = await open();
    const file = await directory.create("log");
    await file.append([Buffer.from("abc")]);
    disk.conditions.isFull = true;
    await assert.rejects(file.append([Buffer.from("def")]), { code: "ENOSPC" });
    assert.match(content("log")!, /^abc/);
    disk.conditions.isFull = false;
    await file.truncate(3);
    await file.append([Buffer.from("def")]);
    assert.equal(content("log"), "abcdef");
  });

  it("fails at times, as disks do", async () => {
    const directory = await open();
    disk.conditions.errors = 1;
    await assert.rejects(directory.create("log"), { code: "EIO" });
  });
});
