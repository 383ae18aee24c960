/** Counts the clicks of each user in each minute: when a minute is over, its count becomes one document. */
import * as beam from "@order-payment-stream/beam";
import { readJsonFromKafka, registerKafkaConnection } from "@order-payment-stream/kafka";
import { registerMongoConnection, writeToMongo } from "@order-payment-stream/mongodb";

const { KAFKA = "127.0.0.1:9092", MONGODB = "mongodb://127.0.0.1:27017", BOUNDED } = process.env;
const { TOPIC: topic = "clicks", DATABASE: database = "guide" } = process.env;
registerKafkaConnection("kafka", { brokers: [KAFKA] });
registerMongoConnection("mongodb", MONGODB);

const click = beam.coders.object({ user: "string", at: "timestamp" });
const count = beam.coders.object({ user: "string", until: "timestamp", clicks: "int" });
const countClicks = beam.defineStatefulDoFn({
  urn: "guide:dofn:count_clicks:v1",
  outputs: { counts: count },
  state: { clicks: beam.valueState(beam.coders.int) },
  timers: { end: beam.eventTimeTimer() },
  process(_click: beam.KV<string, unknown>, { state, timers, window }) {
    state.clicks.write((state.clicks.read() ?? 0) + 1);
    timers.end.set(window.maxTimestamp);
  },
  onTimer: {
    end({ key: user, window, state, emit }) {
      emit.counts({ user, until: window.maxTimestamp, clicks: state.clicks.read() ?? 0 });
      state.clicks.clear();
    },
  },
});

const { pipeline, root } = beam.createPipeline();
const from = { connection: "kafka", topic, isBounded: BOUNDED === "yes" };
const { events } = readJsonFromKafka("Read", root, { ...from, event: click, key: "user", eventTime: "at" });
const minutes = beam.windowInto("Minutes", events, { windowFn: beam.fixedWindows(60_000) });
const { counts } = beam.parDo("Count", minutes, countClicks());
const into = { connection: "mongodb", database, collection: "minutes" };
writeToMongo("Write", counts, { ...into, id: ["user", "until"] });
await beam.runProgram(pipeline, { stateDir: "state" });
