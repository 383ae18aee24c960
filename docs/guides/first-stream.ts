/** Counts the clicks of each user: a session ends a minute after its first click, and becomes one document. */
import * as beam from "@order-payment-stream/beam";
import { defineJsonDecoder, readFromKafka, registerKafkaConnection } from "@order-payment-stream/kafka";
import { defineMongoSink, registerMongoConnection } from "@order-payment-stream/mongodb";

const { KAFKA = "127.0.0.1:9092", TOPIC = "clicks", MONGODB = "mongodb://127.0.0.1:27017" } = process.env;
const { DATABASE: database = "guide", STATE_DIR: stateDir = "state" } = process.env;
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
  config: { sessionMs: 60_000 },
  process({ value: at }: beam.KV<string, number>, ctx) {
    const count = ctx.state.count.read() ?? 0;
    if (count === 0) ctx.timers.end.set(at + this.config.sessionMs);
    ctx.state.count.write(count + 1);
  },
  onTimer: {
    end(ctx) {
      ctx.emit.sessions({ key: ctx.key, value: ctx.state.count.read() ?? 0 });
      ctx.state.count.clear();
    },
  },
});
const writeSession = defineMongoSink<beam.KV<string, number>>({
  urn: "guide:dofn:write_session:v1",
  toDocument: ({ key: user, value: clicks }) => ({ _id: user, user, clicks }) as object,
});

const { pipeline, root } = beam.createPipeline();
const isBounded = process.env.BOUNDED === "yes";
const clicks = readFromKafka("Read", root, {
  connection: "kafka",
  topic: TOPIC,
  decoder: clickDecoder,
  isBounded,
});
const { sessions } = beam.parDo("Count", clicks.events, countClicks());
beam.parDo("Write", sessions, writeSession({ connection: "mongodb", database, collection: "sessions" }));
const run = await beam.runPipeline(pipeline, { runner: "direct", stateDir });
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => run.stop());
await run.finished;
