/** Brings a scenario's arrivals into the logs, each in its time. */
import { type Arrival, type Scenario, START_MS, valueBytes } from "./scenario.js";
import { type EventLoop, WORLD } from "./world/event_loop.js";
import type { SimulatedKafka } from "./world/simulated_kafka.js";

export class Load {
  constructor(
    private readonly loop: EventLoop,
    private readonly kafka: SimulatedKafka,
  ) {}

  plan({ arrivals }: Scenario): void {
    for (const batch of batches(arrivals)) {
      const { atMs, topic, partition } = batch[0]!;
      if (atMs < 0) this.#append(batch);
      else
        this.loop.after(START_MS + atMs - this.loop.nowMs, WORLD, `records for ${topic}[${partition}]`, () =>
          this.#append(batch),
        );
    }
  }

  #append(batch: readonly Arrival[]): void {
    const { atMs, topic, partition, value, transaction } = batch[0]!;
    const log = this.kafka.partition(topic, partition);
    if (log === undefined) return;
    const timestampMs = START_MS + atMs;
    if (value.form === "bomb") {
      log.appendUnreadable(timestampMs, value.length);
      return;
    }
    const records = batch.map(({ key, value }) => ({
      timestampMs,
      key: key === null ? null : Buffer.from(key),
      value: valueBytes(value),
    }));
    // One transaction at a time is open in a partition.
    if (transaction === undefined || log.openTransactionAt !== undefined) {
      if (transaction?.outcome !== "abort") log.append(...records);
      return;
    }
    const end = log.appendOpen(...records);
    const leftMs = Math.min(0, atMs) + transaction.lastsMs;
    if (leftMs <= 0) end(transaction.outcome);
    else this.loop.after(leftMs, WORLD, "a transaction ends", () => end(transaction.outcome));
  }
}

/** What a producer sends together: neighbours of one time and partition. A transaction and a bomb are alone. */
function batches(arrivals: readonly Arrival[]): Arrival[][] {
  const found: Arrival[][] = [];
  for (const arrival of arrivals) {
    const last = found.at(-1)?.[0];
    const isTogether =
      last !== undefined &&
      last.atMs === arrival.atMs &&
      last.topic === arrival.topic &&
      last.partition === arrival.partition &&
      isPlain(last) &&
      isPlain(arrival);
    if (isTogether) found.at(-1)!.push(arrival);
    else found.push([arrival]);
  }
  return found;
}

function isPlain({ value, transaction }: Arrival): boolean {
  return value.form !== "bomb" && transaction === undefined;
}
