/** A subscription to one partition that outlives the bundles which read it piece by piece. */
import type { Clock } from "@order-payment-stream/beam/io";
import type { KafkaClient, PartitionSubscription } from "./client/kafka_client.js";
import type { LogMark } from "./client/log_identity.js";

/** How far event time has come in a partition, before anything is known of it. */
const UNKNOWN = Number.NEGATIVE_INFINITY;

export class KeptSubscription {
  readonly subscription: PartitionSubscription;
  /** For whoever counts by partitions. */
  readonly name: string;
  /** The offset that the next piece of work must begin with; anything else is a seek. */
  nextOffset: number;
  /** The partition's watermark as the last piece of work left it, for whoever watches. */
  watermark = UNKNOWN;
  /** By this process. */
  recordsRead = 0;
  #hasNews = false;
  #wake: (() => void) | undefined;

  /** @param mark of the log that the offset is of; undefined: not known */
  constructor(
    client: KafkaClient,
    topic: string,
    partition: number,
    offset: number,
    mark: LogMark | undefined,
  ) {
    this.name = partitionName(topic, partition);
    this.nextOffset = offset;
    const onData = (): void => {
      this.#hasNews = true;
      this.#wake?.();
    };
    this.subscription = client.subscribe(topic, partition, offset, onData, mark);
  }

  /** Forgets the news so far: they are being read. */
  takeNews(): void {
    this.#hasNews = false;
  }

  /** Calls `wake` on news, at once if there are some already. Returns a function that ends the watch. */
  readonly onReady = (wake: () => void): (() => void) => {
    if (this.#hasNews) {
      wake();
      return () => undefined;
    }
    this.#wake = wake;
    return () => {
      if (this.#wake === wake) this.#wake = undefined;
    };
  };

  /** Whether waiting would bring nothing new: something can be read, or the end is reached, or all is lost. */
  get isReady(): boolean {
    const { subscription } = this;
    if (this.#hasNews || subscription.caughtUpAtMs !== undefined || subscription.error !== undefined)
      return true;
    return subscription.take(Number.POSITIVE_INFINITY) !== undefined;
  }

  /** Resolves on news, and after `maxMs` in any case. */
  news(clock: Clock, maxMs: number): Promise<void> {
    return new Promise((resolve) => {
      let endWatch = (): void => undefined;
      const cancel = clock.schedule(maxMs, () => {
        endWatch();
        resolve();
      });
      endWatch = this.onReady(() => {
        cancel();
        resolve();
      });
    });
  }

  close(): void {
    this.subscription.close();
  }
}

export function partitionName(topic: string, partition: number): string {
  return `${topic}[${partition}]`;
}
