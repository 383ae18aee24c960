/** Counts the clicks of each user in each minute: when a minute is over, its count becomes one document. */
import * as beam from "@order-payment-stream/beam";
import { defineJsonDecoder, readFromKafka, registerKafkaConnection } from "@order-payment-stream/kafka";
import { defineMongoSink, registerMongoConnection } from "@order-payment-stream/mongodb";

const { env } = process;
registerKafkaConnection("kafka", { brokers: [env.KAFKA ?? "127.0.0.1:9092"] });
registerMongoConnection("mongodb", env.MONGODB ?? "mongodb://127.0.0.1:27017");

const { kv, string, int } = beam.coders;
const decoder = defineJsonDecoder({
  urn: "guide:decoder:click:v1",
  coder: kv(string, int),
  value: ({ user, at }) => ({ key: String(user), value: Date.parse(at) }),
  eventTime: ({ value: at }) => at,
});
const countClicks = beam.defineStatefulDoFn({
  urn: "guide:dofn:count_clicks:v1",
  outputs: { counts: kv(kv(string, int), int) },
  state: { count: beam.valueState(int) },
  timers: { end: beam.eventTimeTimer() },
  process(_click: beam.KV<string, number>, { state, timers, window }) {
    const count = state.count.read() ?? 0;
    if (count === 0) timers.end.set(window.maxTimestamp);
    state.count.write(count + 1);
  },
  onTimer: {
    end({ key: user, window: { maxTimestamp }, state, emit }) {
      emit.counts({ key: { key: user, value: maxTimestamp }, value: state.count.read() ?? 0 });
      state.count.clear();
    },
  },
});
const writeCount = defineMongoSink<beam.KV<beam.KV<string, number>, number>>({
  urn: "guide:dofn:write_count:v1",
  toDocument: ({ key: { key: user, value: end }, value: clicks }) =>
    ({ _id: `${user} ${end}`, user, until: new Date(end), clicks }) as object,
});

const { pipeline, root } = beam.createPipeline();
const from = { connection: "kafka", topic: env.TOPIC ?? "clicks", decoder, isBounded: env.BOUNDED === "yes" };
const { events } = readFromKafka("Read", root, from);
const minutes = beam.windowInto("Minutes", events, { windowFn: beam.fixedWindows(60_000) });
const { counts } = beam.parDo("Count", minutes, countClicks());
const into = { connection: "mongodb", database: env.DATABASE ?? "guide", collection: "minutes" };
beam.parDo("Write", counts, writeCount(into));

const run = env.JOB_ENDPOINT
  ? await beam.runPipeline(pipeline, { runner: "portable", jobEndpoint: env.JOB_ENDPOINT })
  : await beam.runPipeline(pipeline, { runner: "direct", stateDir: env.STATE_DIR ?? "state" });
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => run.stop());
await run.finished;
