import assert from "node:assert/strict";
import fc from "fast-check";
import { ElementBatch } from "../../../../beam/engine/element_batch.js";
import { StuckError } from "../../../../beam/engine/engine.js";
import { endOfDelay } from "../../../../beam/engine/stage.js";
import type { ScriptedEvent, StageSpec } from "../../../../beam/engine/stage_spec.js";
import { ByteWriter } from "../../../../beam/model/bytes.js";
import { NO_FIRING } from "../../../../beam/model/pane.js";
import { MAX_TIMESTAMP, MIN_TIMESTAMP } from "../../../../beam/model/timestamps.js";
import { IN_GLOBAL_WINDOW } from "../../../../beam/model/windows.js";
import { VirtualClock } from "../../../../beam/platform/clock.js";
import { MemoryStore } from "../../../../beam/store/memory_store.js";
import {
  type Behaviour,
  type BundleHandle,
  fakeStage,
  newEngine,
  seed,
  turns,
  turnsUntil,
} from "./fake_stage.js";

function keyOf(name: string): ByteWriter {
  const key = new ByteWriter(16);
  key.writeString(name);
  return key;
}

/** A source whose restriction N gives element N and leaves N + 1 behind, up to `end`; the watermark follows. */
function counting(end: number, onBundle: () => void = () => undefined): Behaviour {
  return {
    restriction(residual, claims, bundle) {
      onBundle();
      let at = residual.value as number;
      for (let left = claims; left > 0 && at < end; left--, at++) bundle.emit(at, at);
      if (at < end) bundle.defer(at, at);
    },
  };
}

function scripted(name: string, output: string, script: readonly ScriptedEvent[]): StageSpec {
  return {
    name,
    kind: "scripted",
    inputs: [],
    outputs: [output],
    script,
    newProcessor: () => assert.fail("a scripted stage runs no bundles"),
  };
}

function elements(...timestamps: number[]): ScriptedEvent {
  const batch = new ElementBatch();
  for (const timestamp of timestamps) batch.accept(timestamp, timestamp, IN_GLOBAL_WINDOW, NO_FIRING);
  return { kind: "elements", elements: batch };
}

const watermark = (timestamp: number): ScriptedEvent => ({ kind: "watermark", watermark: timestamp });

describe("Engine", () => {
  describe("runs", () => {
    it("elements from a source through stages to the end, each once and in order", async () => {
      const seen: unknown[] = [];
      const engine = newEngine(
        [
          fakeStage("source", "splittable", "impulse", "numbers", counting(1_000)),
          fakeStage("double", "ordinary", "numbers", "doubled", {
            element: (value, timestamp, bundle) => bundle.emit(value * 2, timestamp),
          }),
          fakeStage("sink", "ordinary", "doubled", "", { element: (value) => void seen.push(value) }),
        ],
        { bundleSizeMax: 64 },
      );
      seed(engine, "impulse", 0);
      await engine.run();
      assert.deepEqual(
        seen,
        Array.from({ length: 1_000 }, (_, i) => i * 2),
      );
      for (const stage of engine.stages) {
        assert.equal(stage.outputWatermark, MAX_TIMESTAMP);
        assert.ok(stage.isDone);
      }
      assert.equal(engine.stages[2]!.elementsIn, 1_000);
      assert.ok(engine.stages[2]!.bundles >= 1_000 / 64);
    });

    it("gives a collection to each of its consumers", async () => {
      const seen: string[] = [];
      const engine = newEngine([
        fakeStage("source", "splittable", "impulse", "numbers", counting(3)),
        fakeStage("a", "ordinary", "numbers", "", { element: (value) => void seen.push(`a${value}`) }),
        fakeStage("b", "ordinary", "numbers", "", { element: (value) => void seen.push(`b${value}`) }),
      ]);
      seed(engine, "impulse", 0);
      await engine.run();
      assert.deepEqual(seen.sort(), ["a0", "a1", "a2", "b0", "b1", "b2"]);
    });

    it("bundles whose start and finish wait, and delivers what they give once they have ended", async () => {
      const events: string[] = [];
      const engine = newEngine([
        fakeStage("source", "splittable", "impulse", "numbers", counting(3)),
        fakeStage("waits", "ordinary", "numbers", "results", {
          async startBundle() {
            events.push("start");
            await turns(5);
            events.push("started");
          },
          element: (value) => void events.push(`element ${value}`),
          async finishBundle(bundle) {
            await turns(5);
            bundle.emit("flushed", 2);
            events.push("finished");
          },
        }),
        fakeStage("sink", "ordinary", "results", "", {
          element: (value) => void events.push(`sink ${value}`),
        }),
      ]);
      seed(engine, "impulse", 0);
      await engine.run();
      assert.deepEqual(events, [
        "start",
        "started",
        "element 0",
        "element 1",
        "element 2",
        "finished",
        "sink flushed",
      ]);
    });

    it("never more than one processor at a time inside elements, and several flushes at once", async () => {
      let flushing = 0;
      let flushingMost = 0;
      const engine = newEngine(
        [
          fakeStage("source", "splittable", "impulse", "numbers", counting(40)),
          fakeStage("sink", "ordinary", "numbers", "", {
            async finishBundle() {
              flushing++;
              flushingMost = Math.max(flushingMost, flushing);
              await turns(2);
              flushing--;
            },
          }),
        ],
        { bundleSizeMax: 4 },
      );
      seed(engine, "impulse", 0);
      await engine.run();
      assert.ok(flushingMost > 1, "flushes overlap");
      assert.ok(flushingMost <= 4);
    });
  });

  describe("watermarks", () => {
    it("never go back, and output never passes input, a hold, or a bundle under way", async () => {
      const last = new Map<string, { input: number; output: number }>();
      const check = ({ stage }: BundleHandle): void => {
        const before = last.get(stage.spec.name) ?? { input: MIN_TIMESTAMP, output: MIN_TIMESTAMP };
        assert.ok(stage.inputWatermark >= before.input, "input");
        assert.ok(stage.outputWatermark >= before.output, "output");
        assert.ok(stage.outputWatermark <= stage.inputWatermark);
        // What arrives late may set holds that the watermark has passed already.
        const isHeld = stage.outputWatermark <= stage.timers.holds.min();
        assert.ok(isHeld || stage.outputWatermark === before.output, "hold");
        last.set(stage.spec.name, { input: stage.inputWatermark, output: stage.outputWatermark });
      };
      const engine = newEngine([
        scripted("script", "events", [
          elements(50, 10),
          watermark(100),
          elements(20, 120),
          watermark(150),
          watermark(140),
          elements(1),
          watermark(300),
        ]),
        fakeStage("holding", "ordinary", "events", "held", {
          element(value, timestamp, bundle) {
            check(bundle);
            const timers = bundle.stage.timers.family("T", "f", "event", "T/f");
            timers.set(keyOf(`k${value}`), "", timestamp + 60, timestamp + 30);
          },
          timer(timer, bundle) {
            bundle.emit("fired", timer.outputTimestamp);
            check(bundle);
          },
          async finishBundle(bundle) {
            const atStart = bundle.stage.outputWatermark;
            await turns(1);
            assert.equal(bundle.stage.outputWatermark, atStart, "a bundle holds the watermark until it ends");
            check(bundle);
          },
        }),
        fakeStage("behind", "ordinary", "held", "", {
          element(_value, timestamp, bundle) {
            check(bundle);
            if (timestamp >= 100) assert.ok(bundle.stage.inputWatermark <= timestamp);
          },
        }),
      ]);
      await engine.run();
      assert.equal(last.size, 2);
    });

    it("wait for timers that are set behind the watermark, and let them fire", async () => {
      const fired: number[] = [];
      const engine = newEngine([
        scripted("script", "events", [watermark(1_000), elements(1_001), watermark(2_000)]),
        fakeStage("late", "ordinary", "events", "", {
          element: (_value, _timestamp, { stage }) =>
            stage.timers.family("T", "f", "event", "T/f").set(keyOf("k"), "", 10, 10),
          timer: (timer) => void fired.push(timer.fireTimestamp),
        }),
      ]);
      await engine.run();
      assert.deepEqual(fired, [10]);
    });

    it("wait for timers that are due, so that what they give is not late", async () => {
      const arrived: [timestamp: number, watermark: number][] = [];
      const engine = newEngine(
        [
          scripted("script", "events", [elements(10, 20, 30), watermark(1_000)]),
          fakeStage("timed", "ordinary", "events", "fired", {
            element: (value, timestamp, { stage }) =>
              stage.timers
                .family("T", "f", "event", "T/f")
                .set(keyOf(`${value}`), "", timestamp + 60, timestamp + 60),
            timer: (timer, bundle) => bundle.emit("fired", timer.outputTimestamp),
            // While this waits, the stage behind looks at the watermark.
            finishBundle: () => turns(1),
          }),
          fakeStage("behind", "ordinary", "fired", "", {
            element: (_value, timestamp, { stage }) => void arrived.push([timestamp, stage.inputWatermark]),
          }),
        ],
        { bundleSizeMax: 1 },
      );
      await engine.run();
      assert.deepEqual(
        arrived.map(([timestamp]) => timestamp),
        [70, 80, 90],
      );
      for (const [timestamp, watermark] of arrived)
        assert.ok(watermark <= timestamp, `${timestamp} at ${watermark}`);
    });

    it("let timers act only after the elements that came before", async () => {
      const events: string[] = [];
      const engine = newEngine(
        [
          fakeStage("source", "splittable", "impulse", "events", {
            restriction(residual, _claims, bundle) {
              if (residual.value !== 0) return;
              for (let i = 0; i < 10; i++) bundle.emit(i, i);
              bundle.defer("rest", 100);
            },
          }),
          fakeStage("stage", "ordinary", "events", "", {
            element(value, _timestamp, { stage }) {
              events.push(`element ${value}`);
              if (value === 0) stage.timers.family("T", "f", "event", "T/f").set(keyOf("k"), "", -5, -5);
            },
            timer: () => void events.push("timer"),
          }),
        ],
        { bundleSizeMax: 3 },
      );
      seed(engine, "impulse", 0);
      await engine.run();
      assert.equal(events.at(-1), "timer");
      assert.equal(events.length, 11);
    });
  });

  describe("fails", () => {
    it("with a StuckError that shows every stage when nothing will ever run again", async () => {
      const engine = newEngine([
        fakeStage("quiet source", "splittable", "impulse", "numbers", {
          restriction: (_residual, _claims, bundle) => bundle.defer("rest", 1_000, Number.POSITIVE_INFINITY),
        }),
        fakeStage("first sink", "ordinary", "numbers", "", {}),
        fakeStage("second sink", "ordinary", "numbers", "", {}),
      ]);
      seed(engine, "impulse", 0);
      await assert.rejects(engine.run(), (error: Error) => {
        assert.ok(error instanceof StuckError);
        assert.match(
          error.message,
          /quiet source: input \+∞, output 1970-01-01T00:00:01.000Z.*restrictions 1/,
        );
        assert.match(error.message, /first sink: input 1970.*pending 0/);
        assert.match(error.message, /second sink: .*event timers 0.*no holds/);
        return true;
      });
    });

    for (const where of ["startBundle", "element", "finishBundle", "restriction", "timer"] as const) {
      for (const isAsync of [false, true]) {
        if (isAsync && where !== "startBundle" && where !== "finishBundle") continue;
        it(`with what ${where} threw${isAsync ? " later" : ""}, and tears every processor down`, async () => {
          const live = new Set<string>();
          const lifeCycle = (name: string): Behaviour => ({
            setup: () => void live.add(name),
            teardown: () => void live.delete(name),
          });
          const broken = new Error("broken");
          const fails = isAsync
            ? async (): Promise<void> => {
                await turns(2);
                throw broken;
              }
            : (): never => {
                throw broken;
              };
          const store = new MemoryStore();
          let finalized = 0;
          const engine = newEngine(
            [
              fakeStage("source", "splittable", "impulse", "numbers", {
                ...lifeCycle("source"),
                ...counting(5),
                ...(where === "restriction" ? { restriction: fails } : {}),
              }),
              fakeStage("stage", "ordinary", "numbers", "", {
                ...lifeCycle("stage"),
                element(value, _timestamp, bundle) {
                  bundle.onFinalize(() => void finalized++);
                  bundle.stage.timers.family("T", "f", "event", "T/f").set(keyOf(`${value}`), "", 100, 100);
                },
                ...(where === "restriction" ? {} : { [where]: fails }),
              }),
            ],
            { store },
          );
          seed(engine, "impulse", 0);
          await assert.rejects(engine.run(), broken);
          await turns(1);
          assert.deepEqual([...live], []);
          if (where !== "timer") assert.equal(finalized, 0);
        });
      }
    }

    it("only when the flushes under way have ended, and takes nothing away from them", async () => {
      let isFlushing = false;
      const engine = newEngine([
        fakeStage("flushing", "ordinary", "impulse", "", {
          async finishBundle() {
            isFlushing = true;
            await turns(10);
            isFlushing = false;
          },
          teardown: () => assert.equal(isFlushing, false),
        }),
        fakeStage("failing", "ordinary", "impulse", "", { element: () => assert.fail("broken") }),
      ]);
      seed(engine, "impulse", 0);
      await assert.rejects(engine.run(), /broken/);
      assert.equal(isFlushing, false);
    });

    it("with what setup threw", async () => {
      const engine = newEngine([
        fakeStage("stage", "ordinary", "impulse", "", {
          setup: () => Promise.reject(new Error("no connection")),
        }),
      ]);
      await assert.rejects(engine.run(), /no connection/);
    });

    it("with what the store threw at a commit, and commits nothing after it", async () => {
      let commits = 0;
      let finalized = 0;
      class FailingStore extends MemoryStore {
        override async commit(): Promise<void> {
          if (++commits === 3) throw new Error("disk full");
        }
      }
      const engine = newEngine(
        [
          fakeStage("source", "splittable", "impulse", "numbers", counting(100)),
          fakeStage("sink", "ordinary", "numbers", "", {
            finishBundle: (bundle) => bundle.onFinalize(() => void finalized++),
          }),
        ],
        { store: new FailingStore(), bundleSizeMax: 1 },
      );
      seed(engine, "impulse", 0);
      await assert.rejects(engine.run(), /disk full/);
      assert.equal(commits, 3);
      assert.equal(engine.commits, 2);
      assert.equal(finalized, 2);
    });

    it("with the first error, whatever teardown throws afterwards", async () => {
      const tornDown: string[] = [];
      const engine = newEngine([
        fakeStage("a", "ordinary", "impulse", "", {
          element: () => assert.fail("first"),
          teardown: () => Promise.reject(new Error("teardown")),
        }),
        fakeStage("b", "ordinary", "impulse", "", { teardown: () => void tornDown.push("b") }),
      ]);
      seed(engine, "impulse", 0);
      await assert.rejects(engine.run(), /first/);
      assert.deepEqual(tornDown, ["b"]);
    });
  });

  describe("back-pressure", () => {
    for (const turnsOpenMax of [1, 2, 4, 8]) {
      it(`starts no source bundle while ${turnsOpenMax} turns are open, however slow the sink`, async () => {
        let open = 0;
        let openMost = 0;
        let read = 0;
        let written = 0;
        let ahead = 0;
        const engine = newEngine(
          [
            fakeStage("source", "splittable", "impulse", "numbers", {
              restriction(residual, claims, bundle) {
                const from = residual.value as number;
                for (let i = 0; i < claims; i++) bundle.emit(from + i, from + i);
                read += claims;
                ahead = Math.max(ahead, read - written);
                if (from < 2_000) bundle.defer(from + claims, from + claims);
              },
            }),
            fakeStage("slow", "ordinary", "numbers", "", {
              startBundle: () => {
                open++;
                openMost = Math.max(openMost, open);
              },
              element(_value, _timestamp, bundle) {
                bundle.onFinalize(() => void written++);
              },
              async finishBundle() {
                await turns(1);
                open--;
              },
            }),
          ],
          { bundleSizeMax: 10, turnsOpenMax },
        );
        seed(engine, "impulse", 0);
        await engine.run();
        assert.equal(written, read);
        assert.ok(openMost <= Math.min(4, turnsOpenMax), `${openMost} bundles open`);
        assert.ok(ahead <= (Math.min(4, turnsOpenMax) + 3) * 10, `${ahead} elements in flight`);
      });
    }

    it("fires timers as fast as elements set them, on a machine where the elements alone take all the time", async () => {
      const clock = new VirtualClock();
      let waiting = 0;
      let waitingMost = 0;
      const engine = newEngine(
        [
          fakeStage("source", "splittable", "impulse", "numbers", counting(5_000)),
          fakeStage("waits", "ordinary", "numbers", "", {
            element(value, timestamp, { stage }) {
              clock.advanceTo(clock.now() + 1);
              const timers = stage.timers.family("waits", "f", "event", "waits/f");
              timers.set(keyOf(`k${value}`), "", timestamp + 10, timestamp);
              waitingMost = Math.max(waitingMost, ++waiting);
            },
            timer: () => void waiting--,
          }),
        ],
        // The share of the timers of a turn is over before its elements are.
        { clock, bundleSizeMax: 10, bundleTimeMaxMs: 15 },
      );
      seed(engine, "impulse", 0);
      await engine.run();
      assert.equal(waiting, 0);
      assert.ok(waitingMost <= 100, `${waitingMost} timers waited at a time`);
    });

    it("ends a turn when one timer has very much to do, however many others the elements of the turn have set", async () => {
      const clock = new VirtualClock();
      const portions = 200;
      let left = portions;
      let inTurn = 0;
      let mostInTurn = 0;
      const engine = newEngine(
        [
          fakeStage("source", "splittable", "impulse", "numbers", counting(5_000)),
          fakeStage("waits", "ordinary", "numbers", "", {
            element(value, timestamp, { stage }) {
              inTurn = 0;
              const timers = stage.timers.family("waits", "f", "event", "waits/f");
              timers.set(keyOf(value === 0 ? "large" : `k${value}`), "", timestamp, timestamp);
            },
            timer(timer, { stage }) {
              if (timer.fireTimestamp > 0 || left === 0) return;
              clock.advanceTo(clock.now() + 2);
              left--;
              if (left < portions / 2) return;
              mostInTurn = Math.max(mostInTurn, ++inTurn);
              stage.timers.family("waits", "f", "event", "waits/f").set(keyOf("large"), "", 0, 0);
            },
          }),
        ],
        { clock, bundleSizeMax: 10, bundleTimeMaxMs: 50 },
      );
      seed(engine, "impulse", 0);
      await engine.run();
      assert.ok(left < portions / 2, `${left} portions left`);
      assert.ok(mostInTurn <= 3, `${mostInTurn} portions in a turn, whose timers may take 5 ms`);
    });

    it("takes what comes later between the pieces of a large batch, where nothing is kept, and leaves none behind", async () => {
      const taken: (string | number)[][] = [];
      const spec = fakeStage("sink", "ordinary", "a", "", {
        startBundle() {
          taken.push([]);
        },
        element(value) {
          taken.at(-1)!.push(value);
        },
        async finishBundle() {
          await turns(1);
        },
      });
      const engine = newEngine(
        [
          fakeStage("source", "splittable", "impulse", "a", {
            restriction(residual, _claims, bundle) {
              const at = residual.value as number;
              if (at === 0) for (let i = 0; i < 100; i++) bundle.emit(i, 0);
              else bundle.emit(`stranger ${at}`, 0);
              if (at < 20) bundle.defer(at + 1, 0);
            },
          }),
          { ...spec, isUnordered: true },
        ],
        { bundleSizeMax: 10 },
      );
      seed(engine, "impulse", 0);
      await engine.run();
      const isPiece = (bundle: readonly (string | number)[]): boolean => typeof bundle[0] === "number";
      const numbers = taken.filter(isPiece).flat();
      assert.deepEqual(numbers, [...Array(100).keys()], "pieces keep their order");
      const lastPiece = taken.findLastIndex(isPiece);
      const passed = taken
        .slice(0, lastPiece)
        .filter((bundle) => !isPiece(bundle))
        .flat();
      assert.ok(passed.length > 0, "nobody has passed a piece");
      assert.equal(taken.flat().length, 120);
      for (const bundle of taken)
        assert.ok(
          bundle.every((value) => typeof value === typeof bundle[0]),
          "mixed",
        );
    });

    it("bounds what is pending in front of a slow stage that gets more than it can take", async () => {
      let pendingMost = 0;
      const source = (): Behaviour => ({
        restriction(residual, claims, bundle) {
          const from = residual.value as number;
          // Each claim gives three elements.
          for (let i = 0; i < claims * 3; i++) bundle.emit(from + i, from + i);
          if (from < 1_500) bundle.defer(from + claims, from + claims);
        },
      });
      const engine = newEngine(
        [
          fakeStage("one", "splittable", "impulse", "a", source()),
          fakeStage("two", "splittable", "impulse", "b", source()),
          fakeStage("slow", "ordinary", "a b", "", {
            startBundle(bundle) {
              pendingMost = Math.max(pendingMost, bundle.stage.pendingCount);
            },
            async finishBundle() {
              await turns(1);
            },
          }),
        ],
        { bundleSizeMax: 10 },
      );
      seed(engine, "impulse", 0);
      await engine.run();
      // A whole bundle waits at most when both sources run, and each gives thirty.
      assert.ok(pendingMost < 10 + 60, `${pendingMost} elements pending`);
    });
  });

  describe("commits", () => {
    it("turns in order, and calls the finalizers of each after its commit, in order, before the run ends", async () => {
      const events: string[] = [];
      class TellingStore extends MemoryStore {
        override async commit(): Promise<void> {
          await turns(1);
          events.push("commit");
        }
      }
      let flushTurns = 12;
      let flushes = 0;
      const engine = newEngine(
        [
          fakeStage("source", "splittable", "impulse", "numbers", counting(4)),
          fakeStage("sink", "ordinary", "numbers", "", {
            element(value, _timestamp, bundle) {
              bundle.onFinalize(async () => {
                await Promise.resolve();
                events.push(`finalize ${value}`);
              });
              bundle.onFinalize(() => Promise.reject(new Error("nobody minds")));
            },
            // The first turns take longest, so that later ones are done before them.
            finishBundle: () => {
              flushTurns -= 3;
              const number = flushes++;
              return turns(Math.max(1, flushTurns)).then(() => void events.push(`flushed ${number}`));
            },
          }),
        ],
        { bundleSizeMax: 1, store: new TellingStore() },
      );
      seed(engine, "impulse", 0);
      await engine.run();
      const order = events.filter((event) => event.startsWith("finalize"));
      assert.deepEqual(order, ["finalize 0", "finalize 1", "finalize 2", "finalize 3"]);
      for (let i = 0; i < 4; i++) {
        const between = events.slice(events.indexOf(`flushed ${i}`), events.indexOf(`finalize ${i}`));
        assert.ok(between.includes("commit"), `finalize ${i} without a commit behind its flush`);
      }
      assert.equal(engine.commits, events.filter((event) => event === "commit").length);
    });

    it("ends only when the last finalizers have", async () => {
      let isDone = false;
      const engine = newEngine([
        fakeStage("sink", "ordinary", "impulse", "", {
          element: (_value, _timestamp, bundle) =>
            bundle.onFinalize(async () => {
              await turns(10);
              isDone = true;
            }),
          teardown: () => assert.ok(isDone, "finalizers may need what teardown gives back"),
        }),
      ]);
      seed(engine, "impulse", 0);
      await engine.run();
      assert.ok(isDone);
    });
  });

  describe("stop", () => {
    const endless: Behaviour = {
      restriction(residual, claims, bundle) {
        const from = residual.value as number;
        for (let i = 0; i < claims; i++) bundle.emit(from + i, from + i);
        bundle.defer(from + claims, from + claims);
      },
    };
    const withTimers = (seen: unknown[], fired: unknown[]): Behaviour => ({
      element(value, timestamp, { stage }) {
        seen.push(value);
        stage.timers
          .family("T", "f", "event", "T/f")
          .set(keyOf(`${value}`), "", timestamp + 1e6, timestamp + 1e6);
      },
      timer: (timer) => void fired.push(timer.fireTimestamp),
      finishBundle: () => turns(1),
    });

    it('"keep" finishes and commits what is in flight, and leaves timers', async () => {
      const seen: unknown[] = [];
      const fired: unknown[] = [];
      let emitted = 0;
      const engine = newEngine(
        [
          fakeStage("source", "splittable", "impulse", "numbers", {
            restriction(residual, claims, bundle) {
              emitted += claims;
              endless.restriction!(residual, claims, bundle);
            },
          }),
          fakeStage("stage", "ordinary", "numbers", "", withTimers(seen, fired)),
        ],
        { bundleSizeMax: 5 },
      );
      seed(engine, "impulse", 0);
      const running = engine.run();
      await turnsUntil(() => seen.length > 20);
      engine.stop("keep");
      await running;
      assert.ok(seen.length > 0);
      assert.equal(seen.length, emitted);
      assert.deepEqual(fired, []);
      assert.equal(engine.stages[1]!.timers.count("event"), seen.length);
      assert.equal(engine.stages[0]!.restrictions.size, 1);
      assert.equal(engine.stages[1]!.openBundles, 0);
    });

    it('"expire" ends the sources, and lets every timer fire first', async () => {
      const seen: unknown[] = [];
      const fired: unknown[] = [];
      const engine = newEngine(
        [
          fakeStage("source", "splittable", "impulse", "numbers", endless),
          fakeStage("stage", "ordinary", "numbers", "", withTimers(seen, fired)),
        ],
        { bundleSizeMax: 5 },
      );
      seed(engine, "impulse", 0);
      const running = engine.run();
      await turnsUntil(() => seen.length > 20);
      engine.stop("expire");
      await running;
      assert.ok(seen.length > 0);
      assert.equal(fired.length, seen.length);
      assert.ok(engine.stages.every((stage) => stage.isDone));
    });

    it("ends a run that waits for nothing but the clock", async () => {
      let calls = 0;
      const engine = newEngine([
        fakeStage("source", "splittable", "impulse", "numbers", {
          restriction: (residual, _claims, bundle) => {
            calls++;
            bundle.defer(residual.value, 0, 1e9);
          },
        }),
      ]);
      seed(engine, "impulse", 0);
      let hasEnded = false;
      const running = engine.run().then(() => {
        hasEnded = true;
      });
      await turnsUntil(() => calls === 1);
      await turns(10);
      assert.equal(hasEnded, false, "it waits");
      engine.stop("keep");
      await running;
      assert.equal(calls, 1);
      assert.equal(engine.stages[0]!.restrictions.size, 1, "what waited is kept");
    });

    it("ends the watches of sources that wait for news", async () => {
      let watches = 0;
      const engine = newEngine([
        fakeStage("source", "splittable", "impulse", "numbers", {
          restriction: (residual, _claims, bundle) =>
            bundle.defer(residual.value, 0, 1e9, () => {
              watches++;
              return () => watches--;
            }),
        }),
      ]);
      seed(engine, "impulse", 0, 1);
      const running = engine.run();
      await turnsUntil(() => watches === 2);
      engine.stop("keep");
      await running;
      assert.equal(watches, 0);
    });
  });

  describe("sources", () => {
    it("come back when their delay ends", async () => {
      const clock = new VirtualClock();
      const calls: number[] = [];
      const engine = newEngine(
        [
          fakeStage("source", "splittable", "impulse", "numbers", {
            restriction(residual, _claims, bundle) {
              calls.push(clock.now());
              if (calls.length < 4) bundle.defer(residual.value, 0, 100);
            },
          }),
        ],
        { clock },
      );
      seed(engine, "impulse", 0);
      const running = engine.run();
      for (let now = 0; now <= 400; now += 10) {
        await turns(3);
        clock.advanceTo(now);
      }
      await running;
      assert.deepEqual(calls, [0, 100, 200, 300]);
    });

    it("that wait equally long come back in one turn, however they began", async () => {
      const clock = new VirtualClock();
      const calls: [atMs: number, name: unknown][] = [];
      const engine = newEngine(
        [
          fakeStage("source", "splittable", "impulse", "numbers", {
            restriction({ value }, _claims, bundle) {
              calls.push([clock.now(), value]);
              const isFirstOfB = value === "b" && calls.length === 2;
              if (clock.now() < 200) bundle.defer(value, 0, isFirstOfB ? 30 : 100);
            },
          }),
        ],
        { clock },
      );
      seed(engine, "impulse", "a", "b");
      const running = engine.run();
      for (let now = 0; now <= 300; now += 10) {
        await turns(3);
        clock.advanceTo(now);
      }
      await running;
      assert.deepEqual(calls, [
        [0, "a"],
        [0, "b"],
        [30, "b"],
        [100, "a"],
        [100, "b"],
        [200, "a"],
        [200, "b"],
      ]);
    });

    it("rest for more than half of their delay, and no longer than it", () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 5_000 }),
          fc.integer({ min: 0, max: 1_000_000 }),
          (delayMs, at) => {
            const restMs = endOfDelay(delayMs, at) - at;
            assert.ok(restMs > delayMs / 2 && restMs <= delayMs, String(restMs));
          },
        ),
      );
    });

    it("come back as soon as they are told of news", async () => {
      let wake: (() => void) | undefined;
      let calls = 0;
      const engine = newEngine([
        fakeStage("source", "splittable", "impulse", "numbers", {
          restriction(residual, _claims, bundle) {
            if (++calls === 1) {
              bundle.defer(residual.value, 0, 1e9, (ready) => {
                wake = ready;
                return () => undefined;
              });
            }
          },
        }),
      ]);
      seed(engine, "impulse", 0);
      const running = engine.run();
      await turnsUntil(() => wake !== undefined);
      await turns(10);
      assert.equal(calls, 1);
      wake!();
      await running;
      assert.equal(calls, 2);
    });

    it("share a bundle's size", async () => {
      const claimed: number[] = [];
      const engine = newEngine(
        [
          fakeStage("source", "splittable", "impulse", "numbers", {
            restriction: (_residual, claims) => void claimed.push(claims),
          }),
        ],
        { bundleSizeMax: 100 },
      );
      seed(engine, "impulse", 1, 2, 3, 4);
      await engine.run();
      // Of 64, which a young process begins with.
      assert.deepEqual(claimed, [16, 16, 16, 16]);
    });

    it("that are ahead wait for the slowest, unless it stays silent", async () => {
      const skewMaxMs = 1_000;
      const watermarks = new Map([
        ["fast", 0],
        ["slow", 0],
      ]);
      let skewMost = 0;
      const steps = (name: string, stepMs: number): Behaviour => ({
        restriction(residual, _claims, bundle) {
          const next = (residual.value as number) + stepMs;
          watermarks.set(name, next);
          skewMost = Math.max(skewMost, watermarks.get("fast")! - watermarks.get("slow")!);
          bundle.emit(next, next);
          if (next < 20_000) bundle.defer(next, next);
        },
      });
      const engine = newEngine(
        [
          fakeStage("slow", "splittable", "impulse", "a", steps("slow", 100)),
          fakeStage("fast", "splittable", "impulse", "b", steps("fast", 700)),
          fakeStage("sink", "ordinary", "a b", "", {}),
        ],
        { sourceSkewMaxMs: skewMaxMs },
      );
      seed(engine, "impulse", 0);
      await engine.run();
      assert.ok(skewMost > 0);
      assert.ok(skewMost <= skewMaxMs + 700, `${skewMost} ms of skew`);
    });

    for (const [delayMs, looks] of [
      [1e9, "and wait for news"],
      [1_000, "and look once a second"],
      [100, "and look often"],
    ] as const) {
      it(`that have nothing to read, ${looks}, stop the others for a second at most`, async () => {
        const clock = new VirtualClock(1);
        let reached = 0;
        const engine = newEngine(
          [
            fakeStage("silent", "splittable", "impulse", "a", {
              restriction: (residual, _claims, bundle) =>
                bundle.defer(residual.value, 1_000, delayMs, () => () => undefined),
            }),
            fakeStage("busy", "splittable", "impulse", "b", {
              restriction(residual, _claims, bundle) {
                reached = (residual.value as number) + 500;
                bundle.defer(reached, reached);
              },
            }),
          ],
          { clock, sourceSkewMaxMs: 1_000 },
        );
        seed(engine, "impulse", 0);
        const running = engine.run();
        const advance = async (toMs: number): Promise<void> => {
          while (clock.now() < toMs) {
            clock.advanceTo(clock.now() + 50);
            for (let i = 0; i < 3; i++) await clock.yield();
          }
        };
        await advance(900);
        assert.ok(reached <= 2_500, `${reached} within the second`);
        await advance(2_000);
        assert.ok(reached > 4_000, `${reached} after it`);
        engine.stop("keep");
        await running;
      });
    }

    for (const [traffic, hasNews] of [
      ["and are silent", false],
      ["and get an element now and then", true],
    ] as const) {
      it(`that are caught up ${traffic}, stop others whose elements are from the future for a second at most`, async () => {
        const clock = new VirtualClock(1);
        let reached = 0;
        const engine = newEngine(
          [
            // What it looks at is as old as the clock says, so its watermark moves on with the time.
            fakeStage("live", "splittable", "impulse", "a", {
              restriction(residual, _claims, bundle) {
                const now = clock.now();
                if (hasNews) bundle.emit(now, now);
                bundle.defer(residual.value, now, 100, (ready) =>
                  hasNews ? clock.schedule(40, ready) : () => undefined,
                );
              },
            }),
            fakeStage("future", "splittable", "impulse", "b", {
              restriction(residual, _claims, bundle) {
                reached = (residual.value as number) + 1;
                bundle.defer(reached, 240_000);
              },
            }),
            fakeStage("sink", "ordinary", "a b", "", {}),
          ],
          { clock, sourceSkewMaxMs: 60_000 },
        );
        seed(engine, "impulse", 0);
        const running = engine.run();
        const advance = async (toMs: number): Promise<void> => {
          while (clock.now() < toMs) {
            clock.advanceTo(clock.now() + 10);
            for (let i = 0; i < 3; i++) await clock.yield();
          }
        };
        await advance(3_000);
        const before = reached;
        await advance(6_000);
        assert.ok(reached > before + 100, `${reached - before} steps in three seconds`);
        engine.stop("keep");
        await running;
      });
    }
  });

  describe("processing-time timers", () => {
    it("fire by the clock, in order, whatever the watermark", async () => {
      const clock = new VirtualClock(1_000);
      const fired: string[] = [];
      const engine = newEngine(
        [
          fakeStage("stage", "ordinary", "impulse", "", {
            element(value, _timestamp, { stage }) {
              const family = stage.timers.family("T", "p", "processing", "T/p");
              family.set(keyOf("b"), "", 1_200, 0);
              family.set(keyOf("a"), "", 1_100, 0);
              family.set(keyOf("never"), "", 1_150, 0);
              family.clear(keyOf("never"), "");
              assert.equal(value, 0);
            },
            timer: (timer) => void fired.push(`${timer.fireTimestamp} at ${clock.now()}`),
          }),
        ],
        { clock },
      );
      seed(engine, "impulse", 0);
      const running = engine.run();
      for (const now of [1_099, 1_100, 1_199, 1_200]) {
        for (let i = 0; i < 5; i++) await clock.yield();
        clock.advanceTo(now);
      }
      await running;
      assert.deepEqual(fired, ["1100 at 1100", "1200 at 1200"]);
    });

    it("hold the output watermark at their output timestamps until they fire", async () => {
      const clock = new VirtualClock(0);
      const outputs: number[] = [];
      const engine = newEngine(
        [
          scripted("script", "events", [
            elements(7),
            watermark(1_000),
            { kind: "processing-time", advanceByMs: 49 },
            { kind: "processing-time", advanceByMs: 1 },
          ]),
          fakeStage("stage", "ordinary", "events", "out", {
            element: (_value, timestamp, { stage }) =>
              stage.timers.family("T", "p", "processing", "T/p").set(keyOf("k"), "", 50, timestamp),
            timer: (timer, bundle) => bundle.emit("fired", timer.outputTimestamp),
          }),
          fakeStage("behind", "ordinary", "out", "", {
            element: (_value, timestamp, { stage }) => void outputs.push(stage.inputWatermark, timestamp),
          }),
        ],
        { clock, advanceClock: (byMs) => clock.advanceTo(clock.now() + byMs) },
      );
      await engine.run();
      assert.deepEqual(outputs, [7, 7]);
    });
  });
});
