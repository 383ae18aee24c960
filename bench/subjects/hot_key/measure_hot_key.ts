/** How the join fares with very many events of one order_id, on the direct runner, to sinks that count. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { runDirect } from "../../../beam/runners/direct/direct_runner.js";
import { DoFn } from "../../../beam/sdk/do_fn.js";
import { createPipeline, impulse, parDo } from "../../../beam/sdk/graph.js";
import { registerDoFn } from "../../../beam/sdk/registry.js";
import { DEFAULT_DURABLE_STORE_OPTIONS, DurableStore } from "../../../beam/store/durable_store.js";
import { LocalDirectory } from "../../../beam/store/local_directory.js";
import { MemoryStore } from "../../../beam/store/memory_store.js";
import { coGroupByOrderId } from "../../../transforms/co_group.js";
import { JoinOrdersPayments } from "../../../transforms/join.js";
import type { Pair } from "../../../transforms/outcomes.js";
import { quantile } from "../../statistics.js";
import { peakRssBytes } from "../../subject.js";
import { stateFolder } from "../state_directory.js";
import { HotKeySource, progress, type Shape, STRANGER, TIMEOUT_MS } from "./hot_key_source.js";

class HotKeySink extends DoFn<unknown, Record<never, never>> {
  static readonly urn = "order-payment-stream:bench:hot_key_sink:v1";
  readonly outputs = {};
  /** As the real sinks. */
  override readonly needsStableInput = true;

  process(value: unknown): void {
    const { order } = value as Partial<Pair>;
    if (!order?.order_id.startsWith(STRANGER)) return;
    const dueMs = Number(order.customer_id);
    if (dueMs >= progress.hotFromMs) progress.latenciesMs.push(performance.now() - dueMs);
  }
}
registerDoFn(HotKeySink);

export interface HotKeyFigures {
  readonly shape: Shape;
  readonly events: number;
  /** From the first hot event until the last was read. */
  readonly takingSeconds: number;
  /** From there until none of them waits. */
  readonly expirySeconds: number;
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
  /** 0 in memory. */
  readonly logBytes: number;
  /** Of strangers' pairs meanwhile, from when their payment was due. */
  readonly strangersMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/**
 * Once in a process: peak memory is the process's.
 *
 * @param isSynced state on disk, else in memory
 * @param aloneMs how old the process is, in which only strangers' pairs come, when the hot events begin
 */
export async function measureHotKey(
  shape: Shape,
  events: number,
  isSynced: boolean,
  aloneMs: number,
): Promise<HotKeyFigures> {
  const folder = isSynced ? stateFolder() : undefined;
  const store =
    folder === undefined
      ? new MemoryStore()
      : await DurableStore.open(await LocalDirectory.open(folder), {
          ...DEFAULT_DURABLE_STORE_OPTIONS,
          // So that the log at the end is all that was written.
          snapshotLogBytes: 2 ** 40,
        });
  const { pipeline, root } = createPipeline();
  const source = parDo("HotKey", impulse("Impulse", root), new HotKeySource({ shape, events, aloneMs }));
  const grouped = coGroupByOrderId(source.orders, source.payments);
  const results = parDo("Join", grouped, new JoinOrdersPayments({ timeoutMs: TIMEOUT_MS }));
  parDo("CountJoined", results.joined as never, new HotKeySink(null));
  parDo("CountUnmatched", results.unmatched as never, new HotKeySink(null));
  parDo("CountDeadLetters", results.deadLetters as never, new HotKeySink(null));
  const cpuBefore = process.cpuUsage();
  const run = runDirect(pipeline, { store });
  // No counter tells that a paired event has expired; a state without keys does, less the last strangers'.
  const watch = setInterval(() => {
    let timers = 0;
    for (const [name, size] of store.sizes()) if (/^time(d|rs)\/Join/.test(name)) timers += size;
    const pairs = run.metrics.counter("joined_orders");
    if (progress.takenAtMs > 0 && progress.endedAtMs === 0 && timers <= 2 * pairs) {
      progress.endedAtMs = performance.now();
    }
  }, 5);
  await run.finished;
  clearInterval(watch);
  const { user, system } = process.cpuUsage(cpuBefore);
  await store.close();
  const logBytes =
    folder === undefined
      ? 0
      : readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  return {
    shape,
    events,
    takingSeconds: (progress.takenAtMs - progress.hotFromMs) / 1000,
    expirySeconds: (progress.endedAtMs - progress.takenAtMs) / 1000,
    cpuSeconds: (user + system) / 1e6,
    peakRssBytes: peakRssBytes(),
    logBytes,
    strangersMs: {
      p50: quantile(progress.latenciesMs, 0.5),
      p99: quantile(progress.latenciesMs, 0.99),
      max: quantile(progress.latenciesMs, 1),
    },
  };
}
