/** Event-time timers. A timer is known by key, window, family and tag; it fires once, when the watermark has come. */
import { GLOBAL_WINDOW_MAX, MAX_TIMESTAMP } from "../../../beam/model/timestamps.js";
import { fixedWindows } from "../../../beam/model/window_fns.js";
import { parDo, windowInto } from "../../../beam/sdk/graph.js";
import { bagState, valueState } from "../../../beam/sdk/state.js";
import { eventTimeTimer } from "../../../beam/sdk/timer.js";
import { doFnWith, ints, keyedInts, stateful, strings } from "../../unit/beam/runners/small_graphs.js";
import type { ConformancePipeline } from "../conformance_pipeline.js";
import { type Keyed, keyedNumbers, keyedStream, S } from "./keyed_numbers.js";

const end = { end: eventTimeTimer() };

/** Sets its timer for the time that an element names; -1 clears it. */
const setTo = stateful(
  "conformance:dofn:set_to:v1",
  { state: { count: valueState(ints) }, timers: end },
  ({ value }: Keyed, { state, timers }) => {
    state.count.write((state.count.read() ?? 0) + 1);
    if (value === -1) timers.end.clear();
    else timers.end.set(value);
  },
  {
    end: ({ key, state, emit, fireTimestamp }) => {
      emit.main(`${key} at ${fireTimestamp} after ${state.count.read()}`);
      state.count.clear();
    },
  },
);

export const firesATimer: ConformancePipeline = {
  feature: "event-time timer: fires once for a key, at its time, and finds the state",
  build(graph) {
    const numbers = keyedNumbers(graph, [
      ["a", 50, 1],
      ["a", 50, 2],
      ["b", 70, 3],
    ]);
    graph.expectElements(parDo("SetTo", numbers, setTo).main, [
      { value: "a at 50 after 2", timestamp: 50, window: "global" },
      { value: "b at 70 after 1", timestamp: 70, window: "global" },
    ]);
  },
};

export const setsATimerAnew: ConformancePipeline = {
  feature: "event-time timer set again, earlier and later: the last one counts",
  build(graph) {
    const stream = keyedStream(graph)
      .add([{ key: "later", value: 50 * S }, 0], [{ key: "earlier", value: 50 * S }, 0])
      .advanceWatermarkTo(1 * S)
      .add([{ key: "later", value: 80 * S }, 1 * S], [{ key: "earlier", value: 20 * S }, 1 * S])
      .advanceWatermarkTo(60 * S)
      .advanceWatermarkTo(90 * S);
    graph.expectElements(parDo("SetTo", stream.read(), setTo).main, [
      { value: "earlier at 20000 after 2", timestamp: 20 * S },
      { value: "later at 80000 after 2", timestamp: 80 * S },
    ]);
  },
};

export const clearsATimer: ConformancePipeline = {
  feature: "event-time timer cleared by a later bundle",
  build(graph) {
    const stream = keyedStream(graph)
      .add([{ key: "cleared", value: 50 * S }, 0], [{ key: "kept", value: 50 * S }, 0])
      .advanceWatermarkTo(1 * S)
      .add([{ key: "cleared", value: -1 }, 1 * S])
      .advanceWatermarkTo(90 * S);
    graph.expectValues(parDo("SetTo", stream.read(), setTo).main, ["kept at 50000 after 1"]);
  },
};

export const firesATimerOfThePast: ConformancePipeline = {
  feature: "event-time timer set behind the watermark: fires soon",
  build(graph) {
    const stream = keyedStream(graph)
      .advanceWatermarkTo(100 * S)
      .add([{ key: "a", value: 60 * S }, 50 * S])
      .advanceWatermarkTo(101 * S);
    graph.expectValues(parDo("SetTo", stream.read(), setTo).main, ["a at 60000 after 1"]);
  },
};

export const firesWhileTheSourceRuns: ConformancePipeline = {
  feature: "event-time timers fire before the stream has ended",
  build(graph) {
    // The first key's timer is followed by an element for it: it counts anew if the timer has fired by then.
    const stream = keyedStream(graph)
      .add([{ key: "a", value: 10 * S }, 0])
      .advanceWatermarkTo(20 * S)
      .add([{ key: "a", value: 30 * S }, 20 * S])
      .advanceWatermarkTo(40 * S);
    graph.expectValues(parDo("SetTo", stream.read(), setTo).main, [
      "a at 10000 after 1",
      "a at 30000 after 1",
    ]);
  },
};

export const endsATimerWithItsWindow: ConformancePipeline = {
  feature: "event-time timer past the end of its window: fires at the end, and finds the state",
  build(graph) {
    const numbers = keyedNumbers(graph, [
      ["a", 1_000, 1],
      ["a", 1_000, 2],
    ]);
    const windowed = windowInto("Window", numbers, { windowFn: fixedWindows(10) });
    graph.expectElements(parDo("SetTo", windowed, setTo).main, [
      { value: "a at 9 after 2", timestamp: 9, window: "[0, 10)" },
    ]);
  },
};

export const keepsATimerForEachWindow: ConformancePipeline = {
  feature: "event-time timer of a key in each of its windows",
  build(graph) {
    const numbers = keyedNumbers(graph, [
      ["a", 5, 1],
      ["a", 15, 11],
    ]);
    const windowed = windowInto("Window", numbers, { windowFn: fixedWindows(10) });
    graph.expectElements(parDo("SetTo", windowed, setTo).main, [
      { value: "a at 5 after 1", timestamp: 5, window: "[0, 10)" },
      { value: "a at 15 after 1", timestamp: 15, window: "[10, 20)" },
    ]);
  },
};

const setToTheEndOfTime = stateful(
  "conformance:dofn:set_to_the_end_of_time:v1",
  { state: { count: valueState(ints) }, timers: end },
  (_element: Keyed, { state, timers }) => {
    state.count.write((state.count.read() ?? 0) + 1);
    timers.end.set(MAX_TIMESTAMP);
  },
  { end: ({ key, state, emit }) => emit.main(`${key} ${state.count.read()}`) },
);

export const firesAtTheEndOfTheGlobalWindow: ConformancePipeline = {
  feature: "event-time timer at the end of the global window: fires when the input ends",
  build(graph) {
    const numbers = keyedNumbers(graph, [
      ["a", 1, 1],
      ["a", 1, 2],
    ]);
    graph.expectElements(parDo("SetToTheEnd", numbers, setToTheEndOfTime).main, [
      { value: "a 2", timestamp: GLOBAL_WINDOW_MAX },
    ]);
  },
};

/** Passes elements on at once, and once more, at their own time, when the watermark has come 20 further. */
const repeatLater = stateful(
  "conformance:dofn:repeat_later:v1",
  { state: { value: valueState(ints) }, timers: end },
  ({ value }: Keyed, { state, timers, emit, timestamp }) => {
    state.value.write(value);
    emit.main(`now ${value}`);
    timers.end.set(timestamp + 20 * S, "", timestamp + 5 * S);
  },
  {
    end: ({ state, emit, timestamp, fireTimestamp }) =>
      emit.main(`later ${state.value.read()}, ${timestamp / S} of ${fireTimestamp / S}`),
  },
);

export const emitsAtTheOutputTimestamp: ConformancePipeline = {
  feature: "event-time timer with an output timestamp: its output has it",
  build(graph) {
    graph.expectElements(parDo("RepeatLater", keyedNumbers(graph, [["a", 1, 0]]), repeatLater).main, [
      { value: "now 1", timestamp: 0 },
      { value: "later 1, 5 of 20", timestamp: 5 * S },
    ]);
  },
};

/** What was said now is 1, what was said later 2; all under one key. */
export const nowOrLater = doFnWith(
  "conformance:dofn:now_or_later:v1",
  { main: keyedInts },
  (text: string, { emit }) => emit.main({ key: "k", value: text.startsWith("now") ? 1 : 2 }),
);

/** Tells, once the watermark is at ten seconds, which numbers came before. */
export const gatherUntilTen = stateful(
  "conformance:dofn:gather_until_ten:v1",
  { state: { all: bagState(ints) }, timers: end },
  ({ value }: Keyed, { state, timers }) => {
    state.all.add(value);
    timers.end.set(10 * S);
  },
  {
    end: ({ state, emit }) => {
      const all = state.all.read().sort((a, b) => a - b);
      emit.main(all.join());
      state.all.clear();
    },
  },
);

export const holdsTheWatermark: ConformancePipeline = {
  feature: "event-time timer with an output timestamp: the watermark behind it waits there",
  build(graph) {
    const stream = keyedStream(graph)
      .add([{ key: "a", value: 1 }, 0])
      .advanceWatermarkTo(15 * S)
      .advanceWatermarkTo(30 * S);
    const repeated = parDo("RepeatLater", stream.read(), repeatLater).main;
    const numbers = parDo("NowOrLater", repeated, nowOrLater).main;
    // Were the watermark not held at 5 s, the timer at 10 s would find only what was said now.
    graph.expectValues(parDo("GatherUntilTen", numbers, gatherUntilTen).main, ["1,2"]);
  },
};

const setTagged = stateful(
  "conformance:dofn:set_tagged:v1",
  { state: { clears: valueState(ints) }, timers: end },
  ({ value }: Keyed, { timers }) => {
    timers.end.set(value * S, `tag ${value}`);
    timers.end.set((value + 5) * S, "one for all");
    timers.end.set(90 * S, "cleared");
    timers.end.clear("cleared");
  },
  { end: ({ tag, emit, fireTimestamp }) => emit.main(`${tag} at ${fireTimestamp / S}`) },
);

export const tellsTagsApart: ConformancePipeline = {
  feature: "event-time timers with dynamic tags",
  build(graph) {
    const stream = keyedStream(graph)
      .add([{ key: "a", value: 10 }, 0])
      .advanceWatermarkTo(1 * S)
      .add([{ key: "a", value: 20 }, 1 * S])
      .advanceWatermarkTo(100 * S);
    graph.expectValues(parDo("SetTagged", stream.read(), setTagged).main, [
      "tag 10 at 10",
      "tag 20 at 20",
      "one for all at 25",
    ]);
  },
};

const fireInOrder = stateful(
  "conformance:dofn:fire_in_order:v1",
  { state: { fired: valueState(strings) }, timers: { some: eventTimeTimer(), others: eventTimeTimer() } },
  (_element: Keyed, { timers }) => {
    for (const time of [50, 10, 30]) timers.some.set(time, String(time));
    for (const time of [40, 60, 20]) timers.others.set(time, String(time));
  },
  {
    some: ({ state, fireTimestamp }) => state.fired.write(`${state.fired.read() ?? ""} ${fireTimestamp}`),
    others: ({ state, fireTimestamp, emit }) => {
      state.fired.write(`${state.fired.read() ?? ""} ${fireTimestamp}`);
      if (fireTimestamp === 60) emit.main(state.fired.read()!);
    },
  },
);

export const firesInOrder: ConformancePipeline = {
  feature: "event-time timers of one key fire in the order of their times, across families",
  build(graph) {
    graph.expectValues(parDo("FireInOrder", keyedNumbers(graph, [["a", 1, 0]]), fireInOrder).main, [
      " 10 20 30 40 50 60",
    ]);
  },
};

const loop = stateful(
  "conformance:dofn:loop:v1",
  { state: { rounds: valueState(ints) }, timers: end },
  ({ value }: Keyed, { timers }) => timers.end.set(value),
  {
    end: ({ key, state, timers, emit, fireTimestamp }) => {
      const round = (state.rounds.read() ?? 0) + 1;
      state.rounds.write(round);
      emit.main(`${key} round ${round} at ${fireTimestamp}`);
      if (round < 4) timers.end.set(fireTimestamp + 10);
    },
  },
);

export const loops: ConformancePipeline = {
  feature: "looping event-time timer: each firing sets the next",
  build(graph) {
    const looped = parDo("Loop", keyedNumbers(graph, [["a", 10, 0]]), loop).main;
    graph.expectElements(
      looped,
      [1, 2, 3, 4].map((round) => ({ value: `a round ${round} at ${10 * round}`, timestamp: 10 * round })),
    );
  },
};

export const endsALoopWithItsWindow: ConformancePipeline = {
  feature: "looping event-time timer ends with its window",
  build(graph) {
    const windowed = windowInto("Window", keyedNumbers(graph, [["a", 10, 0]]), {
      windowFn: fixedWindows(25),
    });
    graph.expectValues(parDo("Loop", windowed, loop).main, [
      "a round 1 at 10",
      "a round 2 at 20",
      // Set for 30, it comes at the end of the window, and can set no other.
      "a round 3 at 24",
    ]);
  },
};

const failWhenFired = stateful(
  "conformance:dofn:fail_when_fired:v1",
  { state: {}, timers: end },
  (_element: Keyed, { timers }) => timers.end.set(10),
  {
    end: () => {
      throw new Error("this timer is not to fire");
    },
  },
);

export const failsInATimer: ConformancePipeline = {
  feature: "an error that a timer's callback throws ends the job, and its message reaches the user",
  ends: "failing",
  failsWith: /this timer is not to fire/,
  build(graph) {
    parDo("FailWhenFired", keyedNumbers(graph, [["a", 1, 0]]), failWhenFired);
  },
};
