/**
 * One broker, by two connections: one for fetches, which a broker answers late on purpose, and one for all else.
 * kafkajs's connections keep half-read bytes when they break, and opening one twice leaks a socket; so a broker that
 * failed is thrown away with its sockets, never mended, and opening is shared.
 */
import type { Socket } from "node:net";
import type { Clock } from "@order-payment-stream/beam/io";
import type { KafkaLimits, WholeKafkaConfig } from "./kafka_client.js";
import { KafkaRequestError } from "./kafka_errors.js";
import {
  createBroker,
  type KafkaJsBroker,
  type KafkaJsConnectionPool,
  type KafkaJsLogger,
  type ProtocolCall,
  socketFactory,
} from "./kafkajs_internals.js";

/** A broker gets this share of the time for connecting, so that there is time for the next one on the list. */
const CONNECT_SHARE = 0.4;
const FETCH = 1;
const OTHER = 0;

export type ConnectionUse = typeof FETCH | typeof OTHER;
export const forFetch: ConnectionUse = FETCH;
export const forOther: ConnectionUse = OTHER;

export class BrokerConnection {
  readonly #broker: KafkaJsBroker;
  readonly #pool: KafkaJsConnectionPool;
  readonly #sockets = new Set<Socket>();
  readonly #opening: [Promise<unknown> | undefined, Promise<unknown> | undefined] = [undefined, undefined];
  readonly #openTimeoutMs: number;
  #isDestroyed = false;

  constructor(
    readonly host: string,
    readonly port: number,
    config: WholeKafkaConfig,
    limits: KafkaLimits,
    logger: KafkaJsLogger,
    private readonly clock: Clock,
  ) {
    this.#openTimeoutMs = limits.connectTimeoutMs * CONNECT_SHARE;
    this.#broker = createBroker({
      host,
      port,
      clientId: config.clientId,
      ssl: config.ssl || null,
      sasl: config.sasl ? { ...config.sasl } : null,
      connectionTimeoutMs: this.#openTimeoutMs,
      requestTimeoutMs: limits.requestTimeoutMs,
      logger,
      socketFactory: socketFactory((socket) => {
        this.#sockets.add(socket);
        if (this.#isDestroyed) socket.destroy(new Error("connection given up"));
        socket.once("close", () => this.#sockets.delete(socket));
      }),
    });
    this.#pool = this.#broker.connectionPool;
  }

  get isOpen(): boolean {
    return !this.#isDestroyed && this.#pool.pool[OTHER].isConnected();
  }

  /** Opens the connection, unless it is open. What the broker speaks is known then. */
  async ready(use: ConnectionUse): Promise<void> {
    if (this.#isDestroyed) throw new Error("connection given up");
    // While the other opens, this one may be connected, and nothing known of the broker.
    if (this.#broker.versions !== null && this.#pool.pool[use].isConnected()) return;
    this.#opening[use] ??= this.#open(use).finally(() => {
      this.#opening[use] = undefined;
    });
    await this.#opening[use];
  }

  async send<T>(call: ProtocolCall<T>, use: ConnectionUse = OTHER): Promise<T> {
    await this.ready(use);
    return this.#pool.send(call);
  }

  /** For kafkajs's own requests, which all go by the connection for other than fetches. */
  async broker(): Promise<KafkaJsBroker> {
    await this.ready(OTHER);
    return this.#broker;
  }

  /** Whether the broker knows this version of an API; false before it was connected to. */
  speaks(apiKey: number, apiVersion: number): boolean {
    const known = this.#broker.versions?.[apiKey];
    return known !== undefined && known.minVersion <= apiVersion && known.maxVersion >= apiVersion;
  }

  /** Throws when the broker does not know this version of an API. */
  requireVersion(apiKey: number, apiVersion: number, name: string): void {
    if (!this.speaks(apiKey, apiVersion)) {
      const known = this.#broker.versions?.[apiKey];
      const range = known === undefined ? "none" : `${known.minVersion} to ${known.maxVersion}`;
      throw new KafkaRequestError(
        `broker ${this.host}:${this.port} does not speak ${name} v${apiVersion}, but ${range}: a newer Kafka is needed`,
      );
    }
  }

  /** Breaks the connections off; whatever is under way fails. */
  destroy(): void {
    this.#isDestroyed = true;
    for (const socket of this.#sockets) socket.destroy(new Error("connection given up"));
  }

  async #open(use: ConnectionUse): Promise<void> {
    const cancel = this.clock.schedule(this.#openTimeoutMs, () => {
      for (const socket of this.#sockets) socket.destroy(new Error("no answer while connecting"));
    });
    try {
      if (this.#broker.versions === null) await this.#broker.connect();
      await this.#pool.getConnection(use);
    } finally {
      cancel();
    }
  }
}
