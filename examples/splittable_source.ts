/**
 * A source of one's own: reads a text file in parts that a runner may split, put off and give to several workers. A
 * position is the offset of a line's first byte; a line belongs to the part in which it begins.
 *
 *     npm run build && npx tsx examples/splittable_source.ts --runner=prism
 */
import { readFile, stat } from "node:fs/promises";
import * as beam from "@order-payment-stream/beam";
import { print, run } from "./run.js";

const outputs = { main: beam.coders.string };

class ReadLines extends beam.SplittableDoFn<string, beam.OffsetRange, number, typeof outputs> {
  static readonly urn = "example:read_lines:v1";
  readonly outputs = outputs;
  readonly restrictionCoder = beam.offsetRangeCoder;
  readonly isBounded = true;
  async initialRestriction(path: string): Promise<beam.OffsetRange> {
    return { start: 0, end: (await stat(path)).size };
  }
  override split(_path: string, { start, end }: beam.OffsetRange): beam.OffsetRange[] {
    const middle = Math.ceil((start + end) / 2);
    return [
      { start, end: middle },
      { start: middle, end },
    ];
  }
  newTracker(range: beam.OffsetRange): beam.OffsetRangeTracker {
    return new beam.OffsetRangeTracker(range);
  }
  async process(
    path: string,
    tracker: beam.RestrictionTracker<beam.OffsetRange, number>,
    ctx: beam.SplittableContext<typeof outputs>,
  ): Promise<beam.ProcessContinuation> {
    const bytes = await readFile(path);
    const { start } = tracker.restriction;
    let at = start === 0 ? 0 : bytes.indexOf("\n", start - 1) + 1 || bytes.length;
    while (tracker.tryClaim(at)) {
      const end = bytes.indexOf("\n", at);
      ctx.emit.main(bytes.toString("utf8", at, end < 0 ? bytes.length : end));
      at = end < 0 ? bytes.length : end + 1;
    }
    return beam.stop();
  }
}
beam.registerDoFn(ReadLines);

const { pipeline, root } = beam.createPipeline();
const paths = beam.create("Paths", root, ["LICENSE"], beam.coders.string);
print("Print", beam.parDo("Read", paths, new ReadLines(null)).main);
await run(pipeline);
