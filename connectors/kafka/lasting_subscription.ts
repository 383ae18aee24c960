/** A subscription to one partition that outlives the bundles which read it piece by piece. */
import type { KafkaClient, PartitionSubscription } from "./client/kafka_client.js";

export class LastingSubscription {
  readonly subscription: PartitionSubscription;
  /** The offset that the next piece of work must begin with; anything else is a seek. */
  nextOffset: number;
  #hasNews = false;
  #wake: (() => void) | undefined;

  constructor(client: KafkaClient, topic: string, partition: number, offset: number) {
    this.nextOffset = offset;
    this.subscription = client.subscribe(topic, partition, offset, () => {
      this.#hasNews = true;
      this.#wake?.();
    });
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

  close(): void {
    this.subscription.close();
  }
}
