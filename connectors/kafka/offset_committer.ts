/**
 * Tells a consumer group how far we are, for lag tools only: where a restart begins is in our own state. Offsets are
 * gathered and sent once a second at most. Those that could not be sent are kept for the next time, later after each
 * failure; a group that refuses them, because consumers have joined it, changes nothing for us.
 */
import {
  type Backoff,
  backoffMs,
  type Clock,
  type HealthReporter,
  silentHealth,
} from "@order-payment-stream/beam/io";

import type { KafkaClient, PartitionOffset } from "./client/kafka_client.js";

const INTERVAL: Backoff = { firstMs: 1_000, maxMs: 60_000, jitter: 0 };
const CLOSE_TIMEOUT_MS = 2_000;

export class OffsetCommitter {
  /** Not sent yet, by partition: as many as there are partitions, at most. */
  #offsets = new Map<string, PartitionOffset>();
  /** Calls off the sending that is planned. */
  #cancel: (() => void) | undefined;
  #sending: Promise<void> = Promise.resolve();
  #failures = 0;
  #isClosed = false;

  constructor(
    private readonly client: KafkaClient,
    private readonly groupId: string,
    private readonly clock: Clock,
    private readonly health: HealthReporter = silentHealth,
  ) {}

  /** @param offset of the next record to read */
  note(topic: string, partition: number, offset: number): void {
    this.#offsets.set(`${topic}/${partition}`, { topic, partition, offset });
    this.#sendLater();
  }

  #sendLater(): void {
    if (this.#isClosed) return;
    const delayMs = backoffMs(INTERVAL, this.#failures + 1);
    this.#cancel ??= this.clock.schedule(delayMs, () => this.#send());
  }

  #send(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const offsets = this.#offsets;
    this.#offsets = new Map();
    if (offsets.size === 0) return;
    this.#sending = this.#sending
      .then(() => this.client.commitOffsets(this.groupId, [...offsets.values()]))
      .then(
        () => this.#succeeded(),
        (error: unknown) => this.#failed(offsets, error),
      );
  }

  #succeeded(): void {
    this.#failures = 0;
    this.health.clear(this.#component);
  }

  #failed(offsets: ReadonlyMap<string, PartitionOffset>, error: unknown): void {
    this.#failures++;
    // What was noted meanwhile is newer.
    this.#offsets = new Map([...offsets, ...this.#offsets]);
    const { message } = error as Error;
    const why = /UNKNOWN_MEMBER_ID|ILLEGAL_GENERATION|REBALANCE_IN_PROGRESS/.test(message)
      ? "consumers have joined the group, which is meant for this pipeline alone"
      : message;
    this.health.report(this.#component, `its offsets are out of date, which only lag tools notice: ${why}`);
    this.#sendLater();
  }

  get #component(): string {
    return `Kafka group ${this.groupId}`;
  }

  /** Sends what is left, and does not wait long for brokers that are away. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#send();
    let cancel: (() => void) | undefined;
    const timeout = new Promise<void>((resolve) => {
      cancel = this.clock.schedule(CLOSE_TIMEOUT_MS, resolve);
    });
    await Promise.race([this.#sending, timeout]);
    cancel?.();
  }
}
