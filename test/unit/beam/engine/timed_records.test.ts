/** State and timers that lie together: whatever is done to them, in whatever order, and wherever a process ends. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { StageTimers, type TimerFamily } from "../../../../beam/engine/stage_timers.js";
import { readFront } from "../../../../beam/engine/timed_records.js";
import { ByteReader, ByteWriter } from "../../../../beam/model/bytes.js";
import { MAX_TIMESTAMP } from "../../../../beam/model/timestamps.js";
import { DurableStore } from "../../../../beam/store/durable_store.js";
import { MemoryStore } from "../../../../beam/store/memory_store.js";
import { StoredState } from "../../../../beam/stored_state/stored_state.js";
import { MemoryDirectory } from "../../../fixtures/memory_directory.js";

const RECORDS = "timed/T/cell/f+g";
const FAMILIES = ["f", "g"];
const SLOTS = FAMILIES.length;

const slot = fc.nat(SLOTS - 1);

const change = fc.oneof(
  fc.record({ kind: fc.constant("put" as const), length: fc.nat(90) }),
  fc.record({ kind: fc.constant("append" as const), length: fc.nat(40) }),
  fc.constant({ kind: "delete" as const }),
  fc.record({ kind: fc.constant("set" as const), slot, time: fc.nat(60), lead: fc.constantFrom(0, 0, 3) }),
  fc.record({ kind: fc.constant("clear" as const), slot }),
  fc.record({ kind: fc.constant("set tagged" as const), time: fc.nat(60) }),
  fc.constant({ kind: "clear tagged" as const }),
);
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("visit" as const),
      key: fc.nat(5),
      changes: fc.array(change, { maxLength: 5 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("fire" as const),
      limit: fc.nat(60),
      changes: fc.array(change, { maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "snapshot" as const }) },
);

type Change = typeof change extends fc.Arbitrary<infer C> ? C : never;

interface ModelTimer {
  readonly fireAt: number;
  readonly output: number;
}

interface Model {
  state?: string;
  /** By slot; a tagged one is of the first family. */
  readonly timers: Map<number, ModelTimer>;
  tagged?: number;
}

function keyOf(number: number): ByteWriter {
  const key = new ByteWriter(16);
  key.writeString("k".repeat(number));
  return key;
}

function bytesOf(text: string): ByteWriter {
  const writer = new ByteWriter(16);
  writer.writeUtf8(text);
  return writer;
}

describe("TimedRecords", () => {
  it("equal a model of state and timers, through restarts and snapshots", async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60, size: "max" }), async (steps) => {
        const directory = new MemoryDirectory();
        let store = await DurableStore.open(directory);
        let timers!: StageTimers;
        let families!: readonly TimerFamily[];
        const begin = (): void => {
          timers = new StageTimers(store);
          families = FAMILIES.map((name, slot) =>
            timers.family("T", name, "event", `timers/T/${name}`, { tableName: RECORDS, slots: SLOTS, slot }),
          );
        };
        begin();
        const model = new Map<number, Model>();
        let texts = 0;

        const apply = (number: number, changes: readonly Change[]) => {
          const records = families[0]!.records!;
          const key = keyOf(number);
          const is: Model = model.get(number) ?? { timers: new Map() };
          model.set(number, is);
          for (const one of changes) {
            const text = String.fromCharCode(97 + (texts++ % 26));
            if (one.kind === "put") {
              is.state = text.repeat(one.length);
              records.put(key, bytesOf(is.state));
            } else if (one.kind === "append") {
              is.state = (is.state ?? "") + text.repeat(one.length);
              records.append(key, bytesOf(text.repeat(one.length)));
            } else if (one.kind === "delete") {
              delete is.state;
              records.delete(key);
            } else if (one.kind === "set") {
              is.timers.set(one.slot, { fireAt: one.time, output: one.time - one.lead });
              families[one.slot]!.set(key, "", one.time, one.time - one.lead);
            } else if (one.kind === "clear") {
              is.timers.delete(one.slot);
              families[one.slot]!.clear(key, "");
            } else if (one.kind === "set tagged") {
              is.tagged = one.time;
              families[0]!.set(key, "tag", one.time, one.time);
            } else {
              delete is.tagged;
              families[0]!.clear(key, "tag");
            }
            const out = new ByteReader();
            assert.equal(records.get(key, out), is.state !== undefined);
            if (is.state !== undefined) assert.equal(out.readUtf8(out.remaining), is.state);
          }
          records.leave(key);
        };

        const check = (): void => {
          const found: Record<number, Model> = {};
          const table = store.table(RECORDS);
          const [key, value] = [new ByteReader(), new ByteReader()];
          table.forEach((address) => {
            table.readKey(address, key);
            table.readValue(address, value);
            const hasState = (value.buffer[value.position]! & 2) !== 0;
            const set = readFront(value, SLOTS).map(
              ({ slot, fireAt, outputTimestamp }) => [slot, { fireAt, output: outputTimestamp }] as const,
            );
            const state = value.readUtf8(value.remaining);
            found[key.readString().length] = { ...(hasState ? { state } : {}), timers: new Map(set) };
          });
          const expected: Record<number, Model> = {};
          for (const [number, { state, timers }] of model) {
            if (state === undefined && timers.size === 0) continue;
            expected[number] = { ...(state === undefined ? {} : { state }), timers };
          }
          assert.deepEqual(found, expected);
          const set = [...model.values()].flatMap(({ timers }) => [...timers.values()]);
          const tagged = [...model.values()].flatMap((one) => one.tagged ?? []);
          assert.equal(timers.count("event"), set.length + tagged.length);
          const earliest = Math.min(MAX_TIMESTAMP, ...set.map(({ fireAt }) => fireAt), ...tagged);
          assert.ok(timers.nextTime("event") <= earliest, "no timer is overslept");
          const held = set.filter(({ fireAt, output }) => fireAt !== output).map(({ output }) => output);
          assert.equal(timers.holds.min(), Math.min(MAX_TIMESTAMP, ...held));
        };

        const within = async (work: () => void): Promise<void> => {
          const changes = store.newChanges();
          store.noteIn(changes);
          work();
          store.noteIn(undefined);
          await store.commit([changes]);
        };

        for (const one of steps) {
          if (one.kind === "restart") {
            await store.close();
            store = await DurableStore.open(directory);
            begin();
          } else if (one.kind === "snapshot") {
            await store.snapshot();
          } else if (one.kind === "visit") {
            await within(() => apply(one.key, one.changes));
          } else {
            await within(() => {
              let left = one.changes;
              const seen: number[] = [];
              timers.fireDue(
                "event",
                one.limit,
                40,
                (_transform, family, { identity, keyAndWindowLength, tag, fireTimestamp }) => {
                  const key = new ByteReader(
                    identity.buffer,
                    identity.position,
                    identity.position + keyAndWindowLength,
                  );
                  const number = key.readString().length;
                  const is = model.get(number)!;
                  const slot = FAMILIES.indexOf(family);
                  assert.equal(fireTimestamp, tag === "" ? is.timers.get(slot)?.fireAt : is.tagged);
                  if (tag === "") is.timers.delete(slot);
                  else delete is.tagged;
                  seen.push(fireTimestamp);
                  // A callback that says nothing leaves what it did not touch as it is.
                  apply(number, left);
                  left = [];
                },
              );
              if (one.changes.length === 0) {
                assert.deepEqual(
                  seen,
                  [...seen].sort((a, b) => a - b),
                );
                for (const { timers, tagged } of model.values()) {
                  const left = [...[...timers.values()].map(({ fireAt }) => fireAt), tagged ?? Infinity];
                  assert.ok(Math.min(...left) > one.limit);
                }
              }
            });
          }
          check();
        }
        await store.close();
      }),
      { numRuns: 60 },
    );
  });

  it("tell of a key that was not left, since its change would be lost without a word", () => {
    const store = new MemoryStore();
    const timers = new StageTimers(store);
    const state = new StoredState({
      table: (cell) => store.table(cell),
      timers: (name, domain, beside) =>
        timers.family(
          "T",
          name,
          domain,
          `timers/${name}`,
          beside && {
            tableName: RECORDS,
            slots: beside.families.length,
            slot: beside.families.indexOf(name),
          },
        ),
    });
    state.cell("cell");
    const family = state.timers("f", "event", { cell: "cell", families: ["f"] });
    state.enter(keyOf(1)).setTimer(family, "", 5, 5);
    assert.throws(() => state.enter(keyOf(2)), /still at work, and another key was entered/);
    state.leave();
    state.enter(keyOf(2));
    assert.equal(timers.count("event"), 1);
  });
});
