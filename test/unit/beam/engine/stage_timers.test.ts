import assert from "node:assert/strict";
import fc from "fast-check";
import { type DueTimer, StageTimers } from "../../../../beam/engine/stage_timers.js";
import { ByteWriter } from "../../../../beam/model/bytes.js";
import type { TimeDomain } from "../../../../beam/model/timer.js";
import { MAX_TIMESTAMP } from "../../../../beam/model/timestamps.js";
import { MemoryStore } from "../../../../beam/store/memory_store.js";

function keyOf(name: string): ByteWriter {
  const key = new ByteWriter(16);
  key.writeString(name);
  return key;
}

function describeTimer(transform: string, family: string, timer: DueTimer): string {
  const { identity, keyAndWindowLength, tag, fireTimestamp, outputTimestamp } = timer;
  const key = identity.buffer.toString("utf8", identity.position + 1, identity.position + keyAndWindowLength);
  return `${transform}/${family} ${key}#${tag} at ${fireTimestamp} out ${outputTimestamp}`;
}

function fireAll(timers: StageTimers, timeDomain: TimeDomain, limit: number, countMax = 1e9): string[] {
  const fired: string[] = [];
  timers.fireDue(timeDomain, limit, countMax, (transform, family, timer) => {
    fired.push(describeTimer(transform, family, timer));
  });
  return fired;
}

interface ModelTimer {
  readonly id: string;
  readonly timeDomain: TimeDomain;
  readonly fireAt: number;
  readonly output: number;
}

const FAMILIES = [
  { transform: "A", name: "x", timeDomain: "event" },
  { transform: "A", name: "y", timeDomain: "event" },
  { transform: "B", name: "x", timeDomain: "event" },
  { transform: "B", name: "p", timeDomain: "processing" },
] as const;

const timerStep = fc.record({
  kind: fc.constant("timer" as const),
  isClear: fc.constantFrom(false, false, true),
  family: fc.nat(FAMILIES.length - 1),
  key: fc.nat(2),
  tag: fc.constantFrom("", "a longer tag"),
  time: fc.nat(6_000),
  outputLead: fc.constantFrom(0, 0, 1, 500),
});
const fireStep = fc.record({
  kind: fc.constant("fire" as const),
  timeDomain: fc.constantFrom<TimeDomain>("event", "processing"),
  limit: fc.nat(6_000),
});
const stateStep = fc.record({
  kind: fc.constant("state" as const),
  isClear: fc.boolean(),
  key: fc.nat(8),
  length: fc.nat(60),
});

describe("StageTimers", () => {
  it("equals a model, while other tables take over the memory of timers that are gone", () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 6, arbitrary: timerStep },
        { weight: 2, arbitrary: fireStep },
        { weight: 2, arbitrary: stateStep },
      ),
      { minLength: 80, maxLength: 150 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const store = new MemoryStore();
        const timers = new StageTimers(store);
        const families = FAMILIES.map(({ transform, name, timeDomain }) =>
          timers.family(transform, name, timeDomain, `${transform}/${name}`),
        );
        const state = store.table("stage/A/state:s");
        const model = new Map<string, ModelTimer>();
        for (const step of all) {
          if (step.kind === "state" && !step.isClear) {
            const value = new ByteWriter();
            value.writeBytes(Buffer.alloc(step.length, 0xff));
            state.put(keyOf(`s${step.key}`), value);
          } else if (step.kind === "state") {
            state.delete(keyOf(`s${step.key}`));
          } else if (step.kind === "fire") {
            const due = [...model.values()]
              .filter(({ timeDomain, fireAt }) => timeDomain === step.timeDomain && fireAt <= step.limit)
              .sort((a, b) => a.fireAt - b.fireAt);
            assert.ok(!(due.length > 0) || timers.hasDue(step.timeDomain, step.limit));
            const fired = fireAll(timers, step.timeDomain, step.limit);
            assert.deepEqual(
              [...fired].sort(),
              due.map(({ id, fireAt, output }) => `${id} at ${fireAt} out ${output}`).sort(),
            );
            const order = fired.map((text) => Number(/ at (\d+)/.exec(text)![1]));
            assert.deepEqual(
              order,
              [...order].sort((a, b) => a - b),
              "timers fire in the order of their times",
            );
            for (const { id } of due) model.delete(id);
            assert.equal(timers.hasDue(step.timeDomain, step.limit), false);
          } else {
            const { transform, name, timeDomain } = FAMILIES[step.family]!;
            const id = `${transform}/${name} k${step.key}#${step.tag}`;
            const family = families[step.family]!;
            if (step.isClear) {
              family.clear(keyOf(`k${step.key}`), step.tag);
              model.delete(id);
            } else {
              const output = step.time - step.outputLead;
              family.set(keyOf(`k${step.key}`), step.tag, step.time, output);
              model.set(id, { id, timeDomain, fireAt: step.time, output });
            }
          }
          const live = [...model.values()];
          for (const timeDomain of ["event", "processing"] as const) {
            const times = live.filter((timer) => timer.timeDomain === timeDomain).map(({ fireAt }) => fireAt);
            assert.equal(timers.count(timeDomain), times.length);
            assert.ok(
              timers.nextTime(timeDomain) <= Math.min(MAX_TIMESTAMP, ...times),
              "no timer is overslept",
            );
          }
          const held = live
            .filter(({ timeDomain, fireAt, output }) => timeDomain === "processing" || fireAt !== output)
            .map(({ output }) => output);
          assert.equal(timers.holds.min(), Math.min(MAX_TIMESTAMP, ...held));
        }
      }),
      { numRuns: 300 },
    );
  });

  it("fires a timer that was moved back at its new time, not at its old one", () => {
    const timers = new StageTimers(new MemoryStore());
    const family = timers.family("T", "f", "event", "T/f");
    family.set(keyOf("moved"), "", 100, 100);
    family.set(keyOf("other"), "", 150, 150);
    family.set(keyOf("moved"), "", 250, 250);
    assert.deepEqual(fireAll(timers, "event", 300), [
      "T/f other# at 150 out 150",
      "T/f moved# at 250 out 250",
    ]);
  });

  it("fires a timer that a callback sets in its place in the order", () => {
    const timers = new StageTimers(new MemoryStore());
    const family = timers.family("T", "f", "event", "T/f");
    family.set(keyOf("a"), "", 10, 10);
    family.set(keyOf("c"), "", 30, 30);
    const fired: string[] = [];
    timers.fireDue("event", 40, 100, (transform, name, timer) => {
      const text = describeTimer(transform, name, timer);
      fired.push(text);
      if (text.includes(" a#")) {
        family.set(keyOf("b"), "", 20, 20);
        family.set(keyOf("late"), "", 5, 5);
        family.set(keyOf("far"), "", 41, 41);
      }
      // The timer that is shown stays as it is while others are set.
      assert.equal(describeTimer(transform, name, timer), text);
    });
    assert.deepEqual(
      fired.map((text) => text.split(" ")[1]),
      ["a#", "late#", "b#", "c#"],
    );
    assert.equal(timers.count("event"), 1);
  });

  it("fires no more at once than it may", () => {
    const timers = new StageTimers(new MemoryStore());
    const family = timers.family("T", "f", "event", "T/f");
    for (let i = 0; i < 10; i++) family.set(keyOf(`k${i}`), "", i, i);
    assert.equal(fireAll(timers, "event", 100, 4).length, 4);
    assert.equal(timers.hasDue("event", 100), true);
    assert.equal(fireAll(timers, "event", 100, 100).length, 6);
    assert.equal(timers.hasDue("event", 100), false);
  });

  it("keeps the same family for the same transform and name", () => {
    const timers = new StageTimers(new MemoryStore());
    timers.family("T", "f", "event", "T/f").set(keyOf("k"), "", 5, 5);
    timers.family("T", "f", "event", "T/f").clear(keyOf("k"), "");
    assert.deepEqual(fireAll(timers, "event", 100), []);
  });

  for (const timeDomain of ["event", "processing"] as const) {
    it(`takes bounded memory when ${timeDomain}-time timers are set again and again`, () => {
      const store = new MemoryStore();
      const timers = new StageTimers(store);
      const family = timers.family("T", "f", timeDomain, "T/f");
      const keys = Array.from({ length: 10 }, (_, i) => keyOf(`k${i}`));
      for (let i = 0; i < 100_000; i++) family.set(keys[i % 10]!, "", 1_000_000 + i, 1_000_000 + i - (i % 2));
      assert.equal(timers.count(timeDomain), 10);
      assert.ok(timers.hints(timeDomain) <= 4_096, `${timers.hints(timeDomain)} hints for 10 timers`);
      assert.ok(
        timers.holds.remembered <= 4_096,
        `${timers.holds.remembered} entries of holds for 10 timers`,
      );
      assert.ok(store.reservedBytes <= 64 << 10);
      assert.equal(fireAll(timers, timeDomain, 2_000_000).length, 10);
    });

    it(`takes bounded memory when ${timeDomain}-time timers are set and cleared again and again`, () => {
      const timers = new StageTimers(new MemoryStore());
      const family = timers.family("T", "f", timeDomain, "T/f");
      family.set(keyOf("first"), "", 1, 0);
      for (let i = 0; i < 50_000; i++) {
        family.set(keyOf("k"), "", 1_000_000 + i, 999_000 + i);
        family.clear(keyOf("k"), "");
      }
      assert.ok(timers.hints(timeDomain) <= 4_096, `${timers.hints(timeDomain)} hints for one timer`);
      assert.ok(timers.holds.remembered <= 4_096);
      assert.deepEqual(fireAll(timers, timeDomain, 2_000_000), ["T/f first# at 1 out 0"]);
    });
  }
});
