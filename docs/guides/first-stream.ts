/** Counts the clicks of each user in each minute: when a minute is over, its count becomes one document. */
import * as beam from "@order-payment-stream/beam";
import { defineJsonDecoder, readFromKafka, registerKafkaConnection } from "@order-payment-stream/kafka";
import { defineMongoSink, registerMongoConnection } from "@order-payment-stream/mongodb";

const {
  KAFKA = "127.0.0.1:9092",
  MONGODB = "mongodb://127.0.0.1:27017",
  JOB_ENDPOINT: jobEndpoint,
} = process.env;
const { TOPIC: topic = "clicks", DATABASE: database = "guide", STATE_DIR: stateDir = "state" } = process.env;
registerKafkaConnection("kafka", { brokers: [KAFKA] });
registerMongoConnection("mongodb", MONGODB);

const { kv, string, int } = beam.coders;
const clickDecoder = defineJsonDecoder({
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
    end({ key: user, window, state, emit }) {
      emit.counts({ key: { key: user, value: window.maxTimestamp }, value: state.count.read() ?? 0 });
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
const isBounded = process.env.BOUNDED === "yes";
const clicks = readFromKafka("Read", root, { connection: "kafka", topic, decoder: clickDecoder, isBounded });
const minutes = beam.windowInto("Minutes", clicks.events, { windowFn: beam.fixedWindows(60_000) });
const { counts } = beam.parDo("Count", minutes, countClicks());
beam.parDo("Write", counts, writeCount({ connection: "mongodb", database, collection: "minutes" }));
const run = await (jobEndpoint === undefined
  ? beam.runPipeline(pipeline, { runner: "direct", stateDir })
  : beam.runPipeline(pipeline, { runner: "portable", jobEndpoint }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => run.stop());
await run.finished;
