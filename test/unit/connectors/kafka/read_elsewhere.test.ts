/**
 * The Kafka read where any process may get a residual: nothing may rest on which instance comes back, and a bundle waits for
 * its first fetch instead of putting itself off.
 */
import assert from "node:assert/strict";
import {
  MIN_TIMESTAMP,
  type OffsetRange,
  type ProcessContinuation,
  type SplittableContext,
} from "@order-payment-stream/beam";
import { VirtualClock } from "../../../../beam/platform/clock.js";
import type { KafkaClient, PartitionSubscription } from "../../../../connectors/kafka/client/kafka_client.js";
import { FindPartitions } from "../../../../connectors/kafka/find_partitions.js";
import { registerKafkaClient } from "../../../../connectors/kafka/kafka_connections.js";
import { type LogRange, LogRangeTracker } from "../../../../connectors/kafka/log_range.js";
import type { ReadConfig } from "../../../../connectors/kafka/read_config.js";
import { ReadPartitions } from "../../../../connectors/kafka/read_partitions.js";
import { ORDER_DECODER } from "../../../../transforms/decode.js";

const NOW_MS = 1_000_000;
const D_MS = 2_000;
const LOG = { clusterId: "cluster", topicId: "topic" };

type Changeable<T> = { -readonly [N in keyof T]: T[N] };

let clock: VirtualClock;
let partitions: number[];
let subscription: Changeable<PartitionSubscription>;
let onData: () => void;
let hasNoAnswer: boolean;

function config(connection: string): ReadConfig {
  return {
    connection,
    topic: "orders",
    isBounded: false,
    start: "earliest",
    offsetReset: "none",
    groupId: null,
    maxOutOfOrdernessMs: D_MS,
    partitionDiscoveryIntervalMs: 500,
    decoder: ORDER_DECODER.urn,
    decoderConfig: { timeoutMs: 1_000, maxAheadOfClockMs: null },
  } as unknown as ReadConfig;
}

/** What runs in a process of its own, as far as it shares nothing with another. */
async function inProcess<D extends FindPartitions | ReadPartitions>(
  make: (config: ReadConfig) => D,
  name: string,
): Promise<D> {
  const client = {
    partitions: () => (hasNoAnswer ? new Promise(() => undefined) : Promise.resolve(partitions)),
    log: async () => LOG,
    offsets: async () => new Map(partitions.map((partition) => [partition, 0])),
    subscribe: (_topic: string, _partition: number, _offset: number, listener: () => void) => {
      onData = listener;
      return subscription;
    },
    close: async () => undefined,
  } as unknown as KafkaClient;
  registerKafkaClient(name, async () => client, { clock });
  const doFn = make(config(name));
  await doFn.setup();
  return doFn;
}

function context(emitted: unknown[] = []): SplittableContext<any> & { watermark: { current: number } } {
  const watermark = {
    current: MIN_TIMESTAMP as number,
    set(to: number) {
      if (to > this.current) this.current = to;
    },
  };
  const emit = {
    partitions: (value: unknown) => emitted.push(value),
    events: () => undefined,
    rejected: () => undefined,
  };
  return { emit, watermark, heedsReady: false, onFinalize: () => undefined } as never;
}

describe("the Kafka read, where any process may go on with it", () => {
  let processes = 0;

  beforeEach(() => {
    clock = new VirtualClock(NOW_MS);
    partitions = [0, 1];
    hasNoAnswer = false;
    subscription = {
      topic: "orders",
      partition: 0,
      take: () => undefined,
      position: 0,
      highWatermark: -1,
      caughtUpAtMs: undefined,
      log: LOG,
      anchor: undefined,
      isCompared: true,
      transactionTimeout: undefined,
      error: undefined,
      close: () => undefined,
    };
  });

  const newProcess = <D extends FindPartitions | ReadPartitions>(
    make: (config: ReadConfig) => D,
  ): Promise<D> => inProcess(make, `process-${processes++}`);

  it("finds partitions with another instance each time: a look is claimed and in the watermark within its bundle", async () => {
    const emitted: any[] = [];
    let range: OffsetRange = { start: 0, end: Number.POSITIVE_INFINITY };
    let watermark = MIN_TIMESTAMP as number;
    for (const known of [
      [0, 1],
      [0, 1],
      [0, 1, 2],
      [0, 1, 2],
    ]) {
      partitions = known;
      clock.advanceTo(clock.now() + 500);
      const doFn = await newProcess((own) => new FindPartitions(own));
      const tracker = doFn.newTracker(range);
      const ctx = context(emitted);
      ctx.watermark.current = watermark;
      const lookedAtMs = clock.now();
      const continuation = await doFn.process(new Uint8Array(), tracker, ctx);
      assert.equal(continuation.kind, "resume");
      assert.equal(ctx.watermark.current, lookedAtMs + 500 - D_MS);
      watermark = ctx.watermark.current;
      range = tracker.trySplit(0)!.residual;
      await doFn.teardown();
    }
    assert.deepEqual(
      emitted.map(({ partition }) => partition),
      [0, 1, 2],
    );
    assert.equal(range.start, 3);
  });

  it("does not keep a bundle open for brokers that do not answer", async () => {
    const doFn = await newProcess((own) => new FindPartitions(own));
    hasNoAnswer = true;
    const ctx = context();
    const looking = doFn.process(
      new Uint8Array(),
      doFn.newTracker({ start: 2, end: Number.POSITIVE_INFINITY }),
      ctx,
    );
    await turn();
    clock.advanceTo(clock.now() + 6_000);
    assert.equal((await looking).kind, "resume");
    assert.equal(ctx.watermark.current, MIN_TIMESTAMP);
    await doFn.teardown();
  });

  const source = {
    topic: "orders",
    partition: 0,
    range: { start: 5, end: Number.POSITIVE_INFINITY, log: undefined },
  };
  const range: LogRange = { ...source.range, log: { ...LOG, anchor: undefined } };

  it("waits for the first fetch within the bundle", async () => {
    const doFn = await newProcess((own) => new ReadPartitions(own));
    const ctx = context();
    const reading = doFn.process(source, doFn.newTracker(range, source), ctx) as Promise<ProcessContinuation>;
    assert.ok(reading instanceof Promise);
    await turn();
    Object.assign(subscription, { highWatermark: 5, position: 5, caughtUpAtMs: NOW_MS + 40 });
    onData();
    const continuation = await reading;
    assert.equal(continuation.kind === "resume" && continuation.delayMs, 1_000);
    assert.equal(ctx.watermark.current, NOW_MS + 40 - D_MS);
    await doFn.teardown();
  });

  it("comes back at once while there is more, and after a while where nothing comes", async () => {
    const doFn = await newProcess((own) => new ReadPartitions(own));
    const ctx = context();
    const reading = doFn.process(source, doFn.newTracker(range, source), ctx) as Promise<ProcessContinuation>;
    await turn();
    Object.assign(subscription, { highWatermark: 100, position: 7 });
    clock.advanceTo(clock.now() + 3_000);
    const continuation = await reading;
    assert.equal(continuation.kind === "resume" && continuation.delayMs, 0);
    // Of a partition that is caught up nothing is waited for.
    Object.assign(subscription, { highWatermark: 7, caughtUpAtMs: clock.now() });
    assert.ok(!(doFn.process(source, doFn.newTracker(range, source), context()) instanceof Promise));
    await doFn.teardown();
  });

  it("tells its backlog as the size of a restriction, and as what is left of it", async () => {
    const doFn = await newProcess((own) => new ReadPartitions(own));
    assert.equal(doFn.size(source, range), 1, "nothing is known yet");
    Object.assign(subscription, { highWatermark: 1_005, caughtUpAtMs: NOW_MS, position: 5 });
    void doFn.process(source, doFn.newTracker(range, source), context());
    assert.equal(doFn.size(source, range), 1_000);
    assert.equal(doFn.size(source, { ...range, start: 2_000 }), 0);
    const tracker = doFn.newTracker(range, source);
    assert.deepEqual(tracker.progress(), { completed: 0, remaining: 1_000 });
    tracker.tryClaim({ offset: 104, batch: undefined });
    assert.deepEqual(tracker.progress(), { completed: 100, remaining: 900 });
    assert.equal(tracker.trySplit(0.5), undefined, "a partition is read in one piece");
    assert.deepEqual(new LogRangeTracker(range).progress(), { completed: 0, remaining: 0 });
    await doFn.teardown();
  });
});

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
