/** Counts the clicks of each user: a session ends a minute after its first click, and becomes one document. */
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

const clickDecoder = defineJsonDecoder({
  urn: "guide:decoder:click:v1",
  coder: beam.coders.kv(beam.coders.string, beam.coders.int),
  value: ({ user, at }) => ({ key: String(user), value: Date.parse(at) }),
  eventTime: ({ value: at }) => at,
});
const countClicks = beam.defineStatefulDoFn({
  urn: "guide:dofn:count_clicks:v1",
  outputs: { sessions: beam.coders.kv(beam.coders.string, beam.coders.int) },
  state: { count: beam.valueState(beam.coders.int) },
  timers: { end: beam.eventTimeTimer() },
  process({ value: at }: beam.KV<string, number>, { state, timers }) {
    const count = state.count.read() ?? 0;
    if (count === 0) timers.end.set(at + 60_000);
    state.count.write(count + 1);
  },
  onTimer: {
    end({ key, state, emit }) {
      emit.sessions({ key, value: state.count.read() ?? 0 });
      state.count.clear();
    },
  },
});
const writeSession = defineMongoSink<beam.KV<string, number>>({
  urn: "guide:dofn:write_session:v1",
  toDocument: ({ key: user, value: clicks }) => ({ _id: user, user, clicks }) as object,
});

const { pipeline, root } = beam.createPipeline();
const isBounded = process.env.BOUNDED === "yes";
const clicks = readFromKafka("Read", root, { connection: "kafka", topic, decoder: clickDecoder, isBounded });
const { sessions } = beam.parDo("Count", clicks.events, countClicks());
beam.parDo("Write", sessions, writeSession({ connection: "mongodb", database, collection: "sessions" }));
const run = await (jobEndpoint === undefined
  ? beam.runPipeline(pipeline, { runner: "direct", stateDir })
  : beam.runPipeline(pipeline, { runner: "portable", jobEndpoint }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => run.stop());
await run.finished;
