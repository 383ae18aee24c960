/**
 * Several outputs: what cannot be understood does not end the run; it goes another way, with the reason.
 *
 *     npm run build && npx tsx examples/dead_letters.ts
 */
import * as beam from "@order-payment-stream/beam";
import { print, run } from "./run.js";

const outputs = {
  prices: beam.coders.kv(beam.coders.string, beam.coders.double),
  deadLetters: beam.coders.string,
};

class ParsePrice extends beam.DoFn<string, typeof outputs> {
  static readonly urn = "example:parse_price:v1";
  readonly outputs = outputs;
  override readonly metrics = { dead: beam.counter() };

  process(line: string, ctx: beam.ElementContext<typeof outputs>): void {
    const [item = "", price = "", ...rest] = line.split(",");
    const problem =
      item === "" || price === "" || rest.length > 0
        ? "not of the form item,price"
        : Number.isNaN(Number(price))
          ? `${price} is no number`
          : undefined;
    if (problem === undefined) {
      ctx.emit.prices({ key: item, value: Number(price) });
    } else {
      this.metrics.dead.inc();
      ctx.emit.deadLetters(`${JSON.stringify(line)}: ${problem}`);
    }
  }
}
beam.registerDoFn(ParsePrice);

const lines = { main: beam.coders.string };

class Label extends beam.DoFn<unknown, typeof lines, string> {
  static readonly urn = "example:label:v1";
  readonly outputs = lines;
  process(element: unknown, ctx: beam.ElementContext<typeof lines>): void {
    ctx.emit.main(`${this.config} ${JSON.stringify(element)}`);
  }
}
beam.registerDoFn(Label);

const { pipeline, root } = beam.createPipeline();
const input: beam.Collection<string> = beam.create(
  "Lines",
  root,
  ["pen,1.5", "ink", "paper,two", "nib,3"],
  beam.coders.string,
);
const { prices, deadLetters } = beam.parDo("Parse", input, new ParsePrice(null));
print("Print", beam.parDo("Label", prices, new Label("price")).main);
print("PrintDeadLetters", beam.parDo("LabelDead", deadLetters, new Label("dead letter")).main);
const metrics = await run(pipeline);
console.log(`${metrics.counter("dead")} dead letters`);
