/** At each commit, what was read is in exactly one place: counted at its end, waiting in state, or on its way to the join. */
import type { Stage } from "../../../beam/engine/stage.js";
import { ByteReader } from "../../../beam/model/bytes.js";
import type { Store } from "../../../beam/store/store.js";
import { figuresOf } from "../../../pipeline/report/figures.js";
import { missingOf } from "../../../schemas/figures.js";
import type { Topic } from "../scenario.js";
import type { Checker, CheckerFactory, World } from "./checker.js";
import { joinStageOf } from "./join_stage.js";

const READS: readonly (readonly [Topic, string])[] = [
  ["orders", "ReadOrders"],
  ["payments", "ReadPayments"],
];

export const booksBalance: CheckerFactory = (world, report): Checker => {
  const check = (isOver: boolean): void => {
    const { run } = world;
    // What a bundle has counted is known when it ends.
    if (run === undefined || joinStageOf(world)?.openBundles !== 0) return;
    // One source has failed: what another has read in that turn waits for a join that will not come, and is not committed.
    if ([...world.stages].some(({ spec, openBundles }) => spec.kind === "splittable" && openBundles > 0))
      return;
    const figures = figuresOf(run.metrics);
    for (const [topic, read] of READS) {
      const book = figures[topic];
      const onTheWay = beforeTheJoin(world, read);
      // Without a durable store the join flushes with the sinks, so that committed reads may wait for a join that is not
      // committed yet, and nobody can tell how many.
      const isOff = isOver || world.isDurable ? missingOf(book) !== onTheWay : missingOf(book) < 0;
      if (isOff) report(`${topic}: ${JSON.stringify(book)}, ${onTheWay} on the way`);
      if (!isOver) continue;
      const records = world.records().filter((record) => record.topic === topic).length;
      if (book.read !== records) report(`${topic}: ${book.read} were read of ${records} records`);
    }
  };
  return { onCommit: () => check(false), onEnd: () => check(true) };
};

/** Elements of a read that wait in front of the join. */
function beforeTheJoin(world: World, read: string): number {
  const join = joinStageOf(world);
  if (join === undefined) return 0;
  const inputs = new Set<number>();
  join.spec.inputs.forEach((collection, input) => {
    const producer = join.upstream.find(({ spec }) => spec.outputs.includes(collection));
    if (producer?.spec.name.startsWith(read)) inputs.add(input);
  });
  // What the join has taken since is not committed: a source whose bundle waited delivers between two turns.
  if (world.isDurable && world.run !== undefined) return committedInFrontOf(join, inputs, world.run.store);
  let count = 0;
  for (const { input, batch, next } of join.pending) if (inputs.has(input)) count += batch.length - next;
  return count;
}

/** As the last commit has it: see beam/engine/progress.ts. */
function committedInFrontOf(stage: Stage, inputs: ReadonlySet<number>, store: Store): number {
  const table = store.table("progress/pending");
  const [key, value] = [new ByteReader(), new ByteReader()];
  let count = 0;
  table.forEach((address) => {
    table.readKey(address, key);
    if (key.readString() !== stage.spec.name || !inputs.has(key.readVarint())) return;
    table.readValue(address, value);
    count += value.readVarint();
  });
  return count;
}
