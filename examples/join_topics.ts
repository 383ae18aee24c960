/**
 * A stateful join of two Kafka topics into MongoDB: an ad that was seen and then clicked within ten minutes becomes one
 * document. With --state_dir=DIR, state and offsets are on disk: killed and started again, it goes on.
 *
 *     make services && npm run build && npx tsx examples/join_topics.ts
 */
import * as beam from "@order-payment-stream/beam";
import { readJsonFromKafka, registerKafkaConnection } from "@order-payment-stream/kafka";
import { registerMongoConnection, writeToMongo } from "@order-payment-stream/mongodb";

const { KAFKA = "127.0.0.1:9092", MONGODB = "mongodb://127.0.0.1:27017", BOUNDED } = process.env;
const { VIEWS = "views", CLICKS = "clicks", DATABASE: database = "ads" } = process.env;
registerKafkaConnection("kafka", { brokers: [KAFKA] });
registerMongoConnection("mongodb", MONGODB);

const event = beam.coders.object({ view_id: "string", at: "timestamp" });
const clicked = beam.coders.object({ _id: "string", clicked_at: "timestamp" });
type Event = beam.ValueOf<typeof event>;
type Arrivals = { readonly views: readonly Event[]; readonly clicks: readonly Event[] };

const joinClicks = beam.defineStatefulDoFn({
  urn: "example:join_clicks:v1",
  outputs: { clicked },
  state: { viewAt: beam.valueState(beam.coders.int), clickAt: beam.valueState(beam.coders.int) },
  timers: { over: beam.eventTimeTimer() },
  config: { withinMs: 10 * 60_000 },
  process({ key, value: { views, clicks } }: beam.KV<string, Arrivals>, { state, timers, emit, timestamp }) {
    const wasComplete = state.viewAt.read() !== undefined && state.clickAt.read() !== undefined;
    for (const { at } of views) state.viewAt.write(state.viewAt.read() ?? at);
    for (const { at } of clicks) state.clickAt.write(state.clickAt.read() ?? at);
    timers.over.set(timestamp + this.config.withinMs);
    const [viewAt, clickAt] = [state.viewAt.read(), state.clickAt.read()];
    if (wasComplete || viewAt === undefined || clickAt === undefined) return;
    if (clickAt < viewAt || clickAt > viewAt + this.config.withinMs) return;
    emit.clicked({ _id: key, clicked_at: clickAt });
  },
  onTimer: {
    over({ state }) {
      state.viewAt.clear();
      state.clickAt.clear();
    },
  },
});

const { pipeline, root } = beam.createPipeline();
const read = (topic: string) => {
  const from = { connection: "kafka", topic, isBounded: BOUNDED === "yes" };
  const what = { event, key: "view_id", eventTime: "at" } as const;
  const { events } = readJsonFromKafka(`Read ${topic}`, root, { ...from, ...what });
  const asTheyCome = {
    trigger: { kind: "repeated-count", count: 1 },
    outputTime: "EARLIEST_IN_PANE",
  } as const;
  return beam.windowInto(`Trigger ${topic}`, events, asTheyCome);
};
const byView = beam.coGroupByKey("ByView", { views: read(VIEWS), clicks: read(CLICKS) });
const joined = beam.parDo("Join", byView, joinClicks());
const into = { connection: "mongodb", database, collection: "clicked" };
writeToMongo("Write", joined.clicked, { ...into, id: "_id" });
await beam.runProgram(pipeline);
