/**
 * How the join fares while so many events wait, with state on disk. Takes them, measures so many more (as each comes, an
 * old one expires), and kills itself. Started again on the same folder, it tells how long it took until it went on.
 */
import { join } from "node:path";
import { runDirect } from "../../../beam/runners/direct/direct_runner.js";
import { createPipeline, impulse, parDo } from "../../../beam/sdk/graph.js";
import { DEFAULT_DURABLE_STORE_OPTIONS, DurableStore } from "../../../beam/store/durable_store.js";
import { LocalDirectory } from "../../../beam/store/local_directory.js";
import { coGroupByOrderId } from "../../../transforms/co_group.js";
import { JoinOrdersPayments } from "../../../transforms/join.js";
import { peakRssBytes } from "../../subject.js";
import { countResults } from "../counting_sink.js";
import { GrowthSource, growth } from "./growth_source.js";

export interface WaitingInput {
  readonly folder: string;
  readonly waiting: number;
  readonly measured: number;
  readonly eventsPerKey: number;
  /** Over the state that a killed process left. */
  readonly isRestart: boolean;
}

export interface WaitingFigures {
  readonly cpuMicrosPerEvent: number;
  readonly rssBytes: number;
  readonly peakRssBytes: number;
  /** Of the tables. */
  readonly stateBytes: number;
}

export interface RestartFigures {
  /** From the start of the process to the first event that it takes. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly readBytes: number;
}

const LOOK_MS = 2;
const SETTLE_MAX_MS = 500;

const input = JSON.parse(process.argv[2]!) as WaitingInput;
const store = await DurableStore.open(
  await LocalDirectory.open(join(input.folder, "state")),
  DEFAULT_DURABLE_STORE_OPTIONS,
);
const { pipeline, root } = createPipeline();
const source = parDo(
  "Read",
  impulse("Impulse", root),
  new GrowthSource({ eventsPerKey: input.eventsPerKey }),
);
const grouped = coGroupByOrderId(source.orders, source.payments);
const results = parDo("Join", grouped, new JoinOrdersPayments({ timeoutMs: input.waiting }));
countResults({
  joined: results.joined,
  unmatched: results.unmatched,
  deadLetters: [results.deadLetters],
} as never);
growth.limit = input.waiting + (input.isRestart ? input.measured + 1 : 0);
const run = runDirect(pipeline, { store });
run.finished.catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});

if (input.isRestart) {
  await untilTaken(1);
  const { snapshotBytes, logBytes } = store.recovery;
  const { user, system } = process.cpuUsage();
  tell<RestartFigures>({
    seconds: performance.now() / 1000,
    cpuSeconds: (user + system) / 1e6,
    readBytes: snapshotBytes + logBytes,
  });
} else {
  await untilTaken(input.waiting);
  await untilCommitted();
  const cpuBefore = process.cpuUsage();
  growth.limit = input.waiting + input.measured;
  await untilTaken(growth.limit);
  await untilCommitted();
  const { user, system } = process.cpuUsage(cpuBefore);
  tell<WaitingFigures>({
    cpuMicrosPerEvent: (user + system) / input.measured,
    rssBytes: process.memoryUsage.rss(),
    peakRssBytes: peakRssBytes(),
    stateBytes: store.reservedBytes,
  });
}

async function untilTaken(count: number): Promise<void> {
  while (growth.taken < count) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}

/** What was taken, with what comes of it in the sinks. */
async function untilCommitted(): Promise<void> {
  const enough = store.lastCommit + 4;
  const deadline = performance.now() + SETTLE_MAX_MS;
  while (store.lastCommit < enough && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function tell<T>(figures: T): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.kill(process.pid, "SIGKILL"));
}
