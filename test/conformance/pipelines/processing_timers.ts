/** Processing-time timers: they fire by the runner's clock, and emit at the event time of what set them. */
import { parDo } from "../../../beam/sdk/graph.js";
import { valueState } from "../../../beam/sdk/state.js";
import { processingTimeTimer } from "../../../beam/sdk/timer.js";
import { ints, stateful } from "../../unit/beam/runners/small_graphs.js";
import type { ConformancePipeline } from "../conformance_pipeline.js";
import { gatherUntilTen, nowOrLater } from "./event_timers.js";
import { type Keyed, keyedNumbers, keyedStream } from "./keyed_numbers.js";
import { endlessTicks } from "./splittable_sources.js";

const soon = { soon: processingTimeTimer() };
const DELAY_MS = 200;

const tellLater = stateful(
  "conformance:dofn:tell_later:v1",
  { state: { sum: valueState(ints) }, timers: soon },
  ({ value }: Keyed, { state, timers, clock }) => {
    state.sum.write((state.sum.read() ?? 0) + value);
    timers.soon.set(clock.now() + DELAY_MS);
  },
  {
    soon: ({ key, state, emit, clock, fireTimestamp }) => {
      emit.main(`${key} ${state.sum.read()} ${clock.now() >= fireTimestamp ? "in time" : "too early"}`);
      state.sum.clear();
    },
  },
);

export const firesByTheClock: ConformancePipeline = {
  feature:
    "processing-time timer: fires by the clock after a bounded input has ended, at its element's timestamp",
  build(graph) {
    const numbers = keyedNumbers(graph, [
      ["a", 1, 5],
      ["a", 2, 5],
      ["b", 7, 6],
    ]);
    graph.expectElements(parDo("TellLater", numbers, tellLater).main, [
      { value: "a 3 in time", timestamp: 5 },
      { value: "b 7 in time", timestamp: 6 },
    ]);
  },
};

const tellTicksLater = stateful(
  "conformance:dofn:tell_ticks_later:v1",
  { state: {}, timers: soon },
  ({ value }: Keyed, { timers, clock }) => {
    if (value === 0) timers.soon.set(clock.now() + DELAY_MS);
  },
  {
    soon: ({ emit, clock, fireTimestamp }) =>
      emit.main(clock.now() >= fireTimestamp ? "in time" : "too early"),
  },
);

export const firesByTheClockInAStream: ConformancePipeline = {
  feature: "processing-time timer: fires by the clock while an unbounded source runs",
  ends: "cancelled",
  build(graph) {
    graph.expectElements(parDo("TellLater", endlessTicks(graph), tellTicksLater).main, [
      { value: "in time", timestamp: 0 },
    ]);
  },
};

const setAndTakeBack = stateful(
  "conformance:dofn:set_and_take_back:v1",
  { state: { count: valueState(ints) }, timers: soon },
  (_element: Keyed, { state, timers, clock }) => {
    const count = (state.count.read() ?? 0) + 1;
    state.count.write(count);
    timers.soon.set(clock.now() + DELAY_MS, "kept");
    timers.soon.set(clock.now() + DELAY_MS, "cleared");
    if (count === 2) timers.soon.clear("cleared");
  },
  { soon: ({ key, tag, emit, state }) => emit.main(`${key} ${tag} ${state.count.read()}`) },
);

export const setsAnewAndClears: ConformancePipeline = {
  feature: "processing-time timers with tags, set again and cleared",
  build(graph) {
    const numbers = keyedNumbers(graph, [
      ["a", 1],
      ["a", 2],
    ]);
    graph.expectValues(parDo("SetAndTakeBack", numbers, setAndTakeBack).main, ["a kept 2"]);
  },
};

const loopByTheClock = stateful(
  "conformance:dofn:loop_by_the_clock:v1",
  { state: { rounds: valueState(ints) }, timers: soon },
  ({ value }: Keyed, { timers, clock }) => {
    if (value === 0) timers.soon.set(clock.now() + 50);
  },
  {
    soon: ({ state, timers, emit, clock }) => {
      const round = (state.rounds.read() ?? 0) + 1;
      state.rounds.write(round);
      emit.main(`round ${round}`);
      if (round < 4) timers.soon.set(clock.now() + 50);
    },
  },
);

export const loopsByTheClock: ConformancePipeline = {
  feature: "looping processing-time timer",
  ends: "cancelled",
  build(graph) {
    graph.expectElements(
      parDo("Loop", endlessTicks(graph), loopByTheClock).main,
      [1, 2, 3, 4].map((round) => ({ value: `round ${round}`, timestamp: 0 })),
    );
  },
};

const repeatByTheClock = stateful(
  "conformance:dofn:repeat_by_the_clock:v1",
  { state: {}, timers: soon },
  ({ value }: Keyed, { timers, emit, clock }) => {
    if (value !== 0) return;
    emit.main("now");
    timers.soon.set(clock.now() + 4 * DELAY_MS);
  },
  { soon: ({ emit }) => emit.main("later") },
);

export const holdsTheWatermarkByTheClock: ConformancePipeline = {
  feature: "processing-time timer: the watermark behind it waits at its element's timestamp",
  ends: "cancelled",
  build(graph) {
    const repeated = parDo("RepeatByTheClock", endlessTicks(graph), repeatByTheClock).main;
    const numbers = parDo("NowOrLater", repeated, nowOrLater).main;
    graph.expectValues(parDo("GatherUntilTen", numbers, gatherUntilTen).main, ["1,2"]);
  },
};

export const firesByATestStreamsClock: ConformancePipeline = {
  feature: "test stream: steps of processing time fire timers",
  build(graph) {
    const stream = keyedStream(graph)
      .add([{ key: "a", value: 1 }, 5])
      .advanceProcessingTimeBy(DELAY_MS / 2)
      .add([{ key: "a", value: 2 }, 6])
      .advanceProcessingTimeBy(DELAY_MS / 2)
      .add([{ key: "a", value: 4 }, 7])
      .advanceProcessingTimeBy(10 * DELAY_MS)
      // On Prism, timers that a step of processing time has made due fire with the next step of the watermark.
      .advanceWatermarkTo(5)
      .add([{ key: "a", value: 8 }, 8])
      .advanceProcessingTimeBy(10 * DELAY_MS);
    graph.expectElements(parDo("TellLater", stream.read(), tellLater).main, [
      { value: "a 7 in time", timestamp: 7 },
      { value: "a 8 in time", timestamp: 8 },
    ]);
  },
};
