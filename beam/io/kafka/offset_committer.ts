/**
 * Tells a consumer group how far we are, for lag tools only: where a restart begins is in our own state. Offsets are
 * gathered and sent once a second at most; a commit that fails is left to the next one.
 */
import type { Clock } from "../../model/clock.js";
import type { KafkaClient } from "./client/kafka_client.js";

const INTERVAL_MS = 1_000;
const CLOSE_TIMEOUT_MS = 2_000;

export class OffsetCommitter {
  #offsets = new Map<string, { topic: string; partition: number; offset: number }>();
  /** Calls off the sending that is planned. */
  #callOff: (() => void) | undefined;
  #sending: Promise<void> = Promise.resolve();

  constructor(
    private readonly client: KafkaClient,
    private readonly groupId: string,
    private readonly clock: Clock,
  ) {}

  /** @param offset of the next record to read */
  note(topic: string, partition: number, offset: number): void {
    this.#offsets.set(`${topic}/${partition}`, { topic, partition, offset });
    this.#callOff ??= this.clock.schedule(INTERVAL_MS, () => this.#send());
  }

  #send(): void {
    this.#callOff?.();
    this.#callOff = undefined;
    const offsets = [...this.#offsets.values()];
    this.#offsets.clear();
    if (offsets.length === 0) return;
    this.#sending = this.#sending
      .then(() => this.client.commitOffsets(this.groupId, offsets))
      .catch(() => undefined);
  }

  /** Sends what is left, and does not wait long for brokers that are away. */
  async close(): Promise<void> {
    this.#send();
    let callOff: (() => void) | undefined;
    const timeout = new Promise<void>((resolve) => {
      callOff = this.clock.schedule(CLOSE_TIMEOUT_MS, resolve);
    });
    await Promise.race([this.#sending, timeout]);
    callOff?.();
  }
}
