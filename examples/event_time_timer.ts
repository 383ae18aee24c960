/**
 * A timer in event time: clicks of a user belong together until there is none for half an hour, whatever the order in
 * which they are read. Each click moves the timer; when the watermark has passed it, the visit is over.
 *
 *     npm run build && npx tsx examples/event_time_timer.ts --runner=prism
 */
import * as beam from "@order-payment-stream/beam";
import { print, run } from "./run.js";

const MINUTE_MS = 60_000;

const findVisits = beam.defineStatefulDoFn({
  urn: "example:find_visits:v1",
  outputs: { visits: beam.coders.string },
  state: { pages: beam.bagState(beam.coders.string), lastAt: beam.valueState(beam.coders.int) },
  timers: { over: beam.eventTimeTimer() },
  process({ value: page }: beam.KV<string, string>, { state, timers, timestamp }) {
    const lastAt = Math.max(timestamp, state.lastAt.read() ?? timestamp);
    state.pages.add(page);
    state.lastAt.write(lastAt);
    timers.over.set(lastAt + 30 * MINUTE_MS);
  },
  onTimer: {
    over({ key: user, state, emit }) {
      const lastAt = new Date(state.lastAt.read()!).toISOString();
      emit.visits(`${user}, until ${lastAt}: ${state.pages.read().sort().join(" ")}`);
      state.pages.clear();
      state.lastAt.clear();
    },
  },
});

const { pipeline, root } = beam.createPipeline();
const clicks = ["ann /", "bob /", "ann /cart", "ann /pay", "bob /help"].map((click) => click.split(" "));
const timestamps = [0, 3, 2, 8, 25].map((minutes) => Date.UTC(2026, 0, 1, 12, minutes));
const values = clicks.map(([key, value]) => ({ key: key!, value: value! }));
const coder = beam.coders.kv(beam.coders.string, beam.coders.string);
const input = beam.create("Clicks", root, values, coder, timestamps);
print("Print", beam.parDo("FindVisits", input, findVisits()).visits);
await run(pipeline);
