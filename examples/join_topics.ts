/**
 * A stateful join of two Kafka topics into MongoDB: an ad that was seen and then clicked within ten minutes becomes one
 * document. With STATE_DIR, state and offsets are on disk: killed and started again, it goes on.
 *
 *     make services && npm run build && npx tsx examples/join_topics.ts
 */
import * as beam from "@order-payment-stream/beam";
import { defineJsonDecoder, readFromKafka, registerKafkaConnection } from "@order-payment-stream/kafka";
import { defineMongoSink, registerMongoConnection } from "@order-payment-stream/mongodb";

const { KAFKA = "127.0.0.1:9092", MONGODB = "mongodb://127.0.0.1:27017", BOUNDED, STATE_DIR } = process.env;
const { VIEWS = "views", CLICKS = "clicks", DATABASE: database = "ads" } = process.env;
registerKafkaConnection("kafka", { brokers: [KAFKA] });
registerMongoConnection("mongodb", MONGODB);

const decoder = defineJsonDecoder({
  urn: "example:decoder:ad_event:v1",
  coder: beam.coders.kv(beam.coders.string, beam.coders.int),
  value: ({ view_id, at }) => ({ key: String(view_id), value: Date.parse(at) }),
  eventTime: ({ value: at }) => at,
});
type Arrivals = { readonly views: readonly number[]; readonly clicks: readonly number[] };
const joinClicks = beam.defineStatefulDoFn({
  urn: "example:join_clicks:v1",
  outputs: { clicked: beam.coders.kv(beam.coders.string, beam.coders.int) },
  state: { viewAt: beam.valueState(beam.coders.int), clickAt: beam.valueState(beam.coders.int) },
  timers: { over: beam.eventTimeTimer() },
  config: { withinMs: 10 * 60_000 },
  process({ key, value: { views, clicks } }: beam.KV<string, Arrivals>, { state, timers, emit, timestamp }) {
    const wasComplete = state.viewAt.read() !== undefined && state.clickAt.read() !== undefined;
    for (const at of views) state.viewAt.write(state.viewAt.read() ?? at);
    for (const at of clicks) state.clickAt.write(state.clickAt.read() ?? at);
    timers.over.set(timestamp + this.config.withinMs);
    const [viewAt, clickAt] = [state.viewAt.read(), state.clickAt.read()];
    if (wasComplete || viewAt === undefined || clickAt === undefined) return;
    if (clickAt >= viewAt && clickAt <= viewAt + this.config.withinMs) emit.clicked({ key, value: clickAt });
  },
  onTimer: {
    over({ state }) {
      state.viewAt.clear();
      state.clickAt.clear();
    },
  },
});
const writeClicked = defineMongoSink<beam.KV<string, number>>({
  urn: "example:write_clicked:v1",
  toDocument: ({ key, value }) => ({ _id: key, clicked_at: new Date(value) }) as object,
});

const { pipeline, root } = beam.createPipeline();
const read = (topic: string) => {
  const common = { connection: "kafka", decoder, isBounded: BOUNDED === "yes" };
  const { events } = readFromKafka(`Read ${topic}`, root, { ...common, topic });
  const asTheyCome = {
    trigger: { kind: "repeated-count", count: 1 },
    outputTime: "EARLIEST_IN_PANE",
  } as const;
  return beam.windowInto(`Trigger ${topic}`, events, asTheyCome);
};
const byView = beam.coGroupByKey("ByView", { views: read(VIEWS), clicks: read(CLICKS) });
const { clicked } = beam.parDo("Join", byView, joinClicks());
beam.parDo("Write", clicked, writeClicked({ connection: "mongodb", database, collection: "clicked" }));
const stateDir = STATE_DIR === undefined ? {} : { stateDir: STATE_DIR };
const run = await beam.runPipeline(pipeline, { runner: "direct", ...stateDir });
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => run.stop());
await run.finished;
