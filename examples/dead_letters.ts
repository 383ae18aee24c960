/**
 * Several outputs: what cannot be understood does not end the run; it goes another way, with the reason.
 *
 *     npm run build && npx tsx examples/dead_letters.ts
 */
import * as beam from "@order-payment-stream/beam";
import { print, run } from "./run.js";

const parsePrice = beam.defineDoFn({
  urn: "example:parse_price:v1",
  outputs: {
    prices: beam.coders.kv(beam.coders.string, beam.coders.double),
    deadLetters: beam.coders.string,
  },
  metrics: () => ({ dead: beam.counter() }),
  process(line: string, { emit }) {
    const [item = "", price = "", ...rest] = line.split(",");
    const problem =
      item === "" || price === "" || rest.length > 0
        ? "not of the form item,price"
        : Number.isNaN(Number(price))
          ? `${price} is no number`
          : undefined;
    if (problem === undefined) {
      emit.prices({ key: item, value: Number(price) });
    } else {
      this.metrics.dead.inc();
      emit.deadLetters(`${JSON.stringify(line)}: ${problem}`);
    }
  },
});
const priceLine = beam.mapFn(
  "example:price_line:v1",
  beam.coders.string,
  ({ key, value }: beam.KV<string, number>) => `price of ${key}: ${value}`,
);
const deadLine = beam.mapFn(
  "example:dead_line:v1",
  beam.coders.string,
  (text: string) => `dead letter ${text}`,
);

const { pipeline, root } = beam.createPipeline();
const lines = beam.create("Lines", root, ["pen,1.5", "ink", "paper,two", "nib,3"], beam.coders.string);
const { prices, deadLetters } = beam.parDo("Parse", lines, parsePrice());
print("Print", beam.map("Prices", prices, priceLine));
print("PrintDeadLetters", beam.map("DeadLines", deadLetters, deadLine));
const metrics = await run(pipeline);
console.log(`${metrics.counter("dead")} dead letters`);
