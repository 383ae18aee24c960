/**
 * The durable store by itself, on a disk that fails and forgets: whatever happens in the middle of whatever operation,
 * the next process finds the state behind some commit, and none before the last that was acknowledged.
 */
import assert from "node:assert/strict";
import { ByteReader, ByteWriter } from "../../beam/model/bytes.js";
import type { Changes } from "../../beam/store/changes.js";
import { DurableStore } from "../../beam/store/durable_store.js";
import type { Random } from "../../producers/random.js";
import { START_MS } from "./scenario.js";
import { EventLoop } from "./world/event_loop.js";
import { pick, randomFor } from "./world/seeded.js";
import { SimulatedDisk } from "./world/simulated_directory.js";
import { Machine, SimulatedProcess } from "./world/simulated_process.js";

const SEEDS = 300;
const LIVES = 6;
const TABLES = ["a", "b", "c"];
const KEYS = 12;
const STEPS_MAX = 100_000;

type Model = ReadonlyMap<string, string>;
/** A table's key, and its value; undefined: deleted. */
type Change = readonly [key: string, value: string | undefined];

class StoreRun {
  readonly #random: Random;
  readonly #loop: EventLoop;
  readonly #disk: SimulatedDisk;
  readonly #machine: Machine;
  /** Without syncs a power failure may take commits that were acknowledged, but nothing may take parts of one. */
  readonly #sync: boolean;
  readonly #snapshotLogBytes: number;
  /** The state behind each commit that was begun and is not known to be lost, by its number. */
  #states = new Map<number, Model>([[0, new Map()]]);
  #acknowledged = 0;
  crashes = 0;
  commits = 0;
  snapshots = 0;

  constructor(seed: number) {
    this.#random = randomFor(seed, "scenario");
    this.#loop = new EventLoop(START_MS, randomFor(seed, "order"));
    this.#disk = new SimulatedDisk(this.#loop, randomFor(seed, "disk"));
    this.#machine = new Machine(this.#loop, randomFor(seed, "process"));
    this.#sync = this.#random.chance(0.7);
    this.#snapshotLogBytes = pick(this.#random, [200, 2_000, 1 << 20]);
  }

  async run(): Promise<void> {
    for (let life = 1; life <= LIVES; life++) await this.#live(life);
    // At last everything works, and a store that was closed in order is found as it was.
    Object.assign(this.#disk.conditions, { isFull: false, errors: 0 });
    const process = new SimulatedProcess(this.#machine, LIVES + 1);
    const store = await this.#finished(this.#open(process));
    this.#check(store);
    await this.#finished(store.close());
  }

  async #live(life: number): Promise<void> {
    const random = this.#random;
    const process = new SimulatedProcess(this.#machine, life);
    const { conditions } = this.#disk;
    conditions.errors = random.chance(0.2) ? 0.02 : 0;
    conditions.isFull = false;
    // Often while the store is being opened: what a process before left half done is mended there.
    const crashAt =
      this.#disk.operations + (random.chance(0.3) ? random.between(1, 15) : random.skewed(500, 2));
    const fullAt = random.chance(0.2)
      ? this.#disk.operations + random.skewed(60, 1)
      : Number.POSITIVE_INFINITY;
    let isCrashing = false;
    this.#disk.onOperation = () => {
      if (this.#disk.operations > fullAt) conditions.isFull = true;
      if (this.#disk.operations > crashAt) isCrashing = true;
    };
    let isOver = false;
    this.#work(process)
      .catch(assertIsOfTheDisk)
      .then(
        () => {
          isOver = true;
        },
        (error) => {
          isOver = true;
          this.#problem = error;
        },
      );
    while (!isOver && !isCrashing) await this.#step();
    for (let more = random.between(0, 3); isCrashing && !isOver && more > 0; more--) await this.#step();
    if (this.#problem !== undefined) throw this.#problem;
    process.die();
    if (isOver) {
      this.#disk.killProcess();
      return;
    }
    this.crashes++;
    if (random.chance(0.5)) {
      this.#disk.killProcess();
    } else {
      this.#disk.losePower();
      if (!this.#sync) this.#acknowledged = 0;
    }
  }

  #problem: unknown;

  #open(process: SimulatedProcess): Promise<DurableStore> {
    return DurableStore.open(this.#disk.open(process), {
      sync: this.#sync,
      snapshotLogBytes: this.#snapshotLogBytes,
      clock: process,
      onSnapshot: (problem) => {
        if (problem === undefined) this.snapshots++;
      },
    });
  }

  async #work(process: SimulatedProcess): Promise<void> {
    const random = this.#random;
    const store = await this.#open(process);
    const found = this.#check(store);
    let memory: Model = this.#states.get(found)!;
    let committing: Promise<void> | undefined;
    let failure: unknown;
    let last = found;
    let waiting: { readonly changes: Changes; readonly made: readonly Change[] }[] = [];
    let committedModel = memory;
    for (let turn = random.between(5, 150); turn > 0; turn--) {
      const changes = store.newChanges();
      const made = this.#change(store, changes, memory);
      memory = applied(memory, made);
      if (made.length === 0) store.discard(changes);
      else waiting.push({ changes, made });
      await this.#loop.wait(random.skewed(5, 2), process, "a turn");
      if (failure !== undefined) throw failure;
      if (committing !== undefined || waiting.length === 0 || random.chance(0.3)) continue;
      const turns = waiting;
      waiting = [];
      for (const { made } of turns) committedModel = applied(committedModel, made);
      const number = ++last;
      this.#states.set(number, committedModel);
      committing = store.commit(turns.map(({ changes }) => changes)).then(
        () => {
          this.commits++;
          this.#acknowledged = number;
          committing = undefined;
        },
        (error) => {
          failure = error;
        },
      );
      if (random.chance(0.5)) await committing;
    }
    await committing;
    await store.close();
  }

  /** A turn: some changes, noted in its list. */
  #change(store: DurableStore, changes: Changes, before: Model): Change[] {
    const random = this.#random;
    const made: Change[] = [];
    let state = before;
    store.noteIn(changes);
    for (let count = random.skewed(6, 2); count > 0; count--) {
      const table = pick(random, TABLES);
      const name = `k${random.between(0, KEYS)}`;
      const key = new ByteWriter();
      key.writeUtf8(name);
      const value = new ByteWriter();
      value.writeUtf8(String(random.next()).repeat(random.skewed(20, 3) + 1));
      const text = value.view().toString();
      const stored = state.get(`${table}/${name}`);
      const draw = random.uniform();
      let change: Change;
      if (draw < 0.5) {
        store.table(table).put(key, value);
        change = [`${table}/${name}`, text];
      } else if (draw < 0.75) {
        store.table(table).append(key, value);
        change = [`${table}/${name}`, (stored ?? "") + text];
      } else {
        if (stored === undefined) continue;
        store.table(table).delete(key);
        change = [`${table}/${name}`, undefined];
      }
      made.push(change);
      state = applied(state, [change]);
    }
    store.noteIn(undefined);
    return made;
  }

  /** What a new process finds. Returns the number of the commit that it stands behind. */
  #check(store: DurableStore): number {
    const number = store.lastCommit;
    assert.ok(
      number >= this.#acknowledged,
      `commit ${this.#acknowledged} was acknowledged; ${number} is there`,
    );
    const expected = this.#states.get(number);
    assert.ok(expected, `commit ${number} was never begun`);
    const found = new Map<string, string>();
    const reader = new ByteReader();
    for (const name of store.names()) {
      const table = store.table(name);
      table.forEach((address) => {
        table.readKey(address, reader);
        const key = reader.buffer.toString("utf8", reader.position, reader.limit);
        table.readValue(address, reader);
        found.set(`${name}/${key}`, reader.buffer.toString("utf8", reader.position, reader.limit));
      });
    }
    assert.deepEqual(new Map([...found].sort()), new Map([...expected].sort()), `behind commit ${number}`);
    for (const later of [...this.#states.keys()].filter((known) => known > number))
      this.#states.delete(later);
    this.#acknowledged = number;
    return number;
  }

  async #step(): Promise<void> {
    assert.ok(await this.#loop.step(), "it waits for nothing");
    assert.ok(this.#loop.steps < STEPS_MAX, "it takes too long");
  }

  async #finished<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = promise.finally(() => {
      isSettled = true;
    });
    settled.catch(() => undefined);
    await Promise.resolve();
    while (!isSettled) {
      if (!(await this.#loop.step())) await new Promise((resolve) => setImmediate(resolve));
      assert.ok(this.#loop.steps < STEPS_MAX, "it takes too long");
    }
    return settled;
  }
}

function applied(model: Model, changes: readonly Change[]): Model {
  const after = new Map(model);
  for (const [key, value] of changes) {
    if (value === undefined) after.delete(key);
    else after.set(key, value);
  }
  return after;
}

/** Anything else is a fault of the store. */
function assertIsOfTheDisk(error: unknown): void {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (["EIO", "ENOSPC"].includes((cause as NodeJS.ErrnoException).code ?? "")) return;
  }
  throw error;
}

describe("durable store on a failing disk", function () {
  this.timeout(60_000);

  it(`is found behind a commit after every crash, in ${SEEDS} seeds`, async function () {
    const totals = { crashes: 0, commits: 0, snapshots: 0 };
    for (let seed = 1; seed <= SEEDS; seed++) {
      const run = new StoreRun(seed);
      try {
        await run.run();
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
      }
      totals.crashes += run.crashes;
      totals.commits += run.commits;
      totals.snapshots += run.snapshots;
    }
    assert.ok(
      totals.crashes > SEEDS && totals.commits > SEEDS && totals.snapshots > SEEDS / 2,
      JSON.stringify(totals),
    );
    this.test!.title +=
      ` (${totals.crashes} crashes, ${totals.commits} commits, ${totals.snapshots} snapshots)`;
  });
});
