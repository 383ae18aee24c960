/**
 * The brokers of a cluster: finds them, keeps a connection to each one in use, and drops those that fail. Retries only
 * in `retrying` and `connect`, within a bound; the fetcher has its own, by partition.
 */
import type { Clock } from "@order-payment-stream/beam/io";
import { backoffMs } from "./backoff.js";
import { BrokerConnection, forFetch, forOther } from "./broker_connection.js";
import { certificateHint, isTlsFailure } from "./certificate_hints.js";
import {
  FETCH_BY_ID_VERSION,
  FETCH_VERSION,
  type FetchAnswer,
  type FetchRequest,
  fetchCall,
} from "./fetch_protocol.js";
import type { KafkaLimits, WholeKafkaConfig } from "./kafka_client.js";
import {
  classifyFailure,
  isProgrammersError,
  KafkaAuthenticationError,
  KafkaAuthorizationError,
  KafkaClosedError,
  KafkaError,
  KafkaProgramError,
  KafkaRequestError,
  KafkaUnreachableError,
  UnreadableAnswerError,
} from "./kafka_errors.js";
import {
  apiKeys,
  createKafkaJsLogger,
  errorName,
  type KafkaJsBroker,
  type KafkaJsLogger,
  type MetadataAnswer,
  type ProtocolCall,
} from "./kafkajs_internals.js";
import { METADATA_VERSION, metadataCall } from "./metadata_protocol.js";

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Retriable by their nature, though kafkajs says no. */
const OUTAGE_TYPES = new Set(["BROKER_NOT_AVAILABLE", "REPLICA_NOT_AVAILABLE", "UNKNOWN"]);

export class Cluster {
  readonly #connections = new Map<string, BrokerConnection>();
  readonly #seeds: readonly Address[];
  /** By node id, as last told by the brokers. */
  readonly #nodes = new Map<number, Address>();
  readonly #kafkaJsLogger: KafkaJsLogger;
  readonly #waiting = new Set<() => void>();
  #rotation = 0;
  #isClosed = false;

  constructor(
    private readonly config: WholeKafkaConfig,
    private readonly limits: KafkaLimits,
    private readonly clock: Clock,
  ) {
    this.#seeds = config.brokers.map(parseAddress);
    if (this.#seeds.length === 0) throw new KafkaError("no Kafka brokers are given");
    this.#kafkaJsLogger = createKafkaJsLogger((message, fields) => config.logger.debug(message, fields));
  }

  /** Those that `metadata` has told of. */
  get nodeIds(): readonly number[] {
    return [...this.#nodes.keys()];
  }

  get brokers(): readonly string[] {
    return this.config.brokers;
  }

  /** Proves that a broker can be reached and logged in to, and is new enough. */
  async connect(): Promise<void> {
    await this.#attempts(this.limits.connectTimeoutMs, async () => {
      const connection = await this.#anyBroker();
      await this.#askMetadata(connection, []);
      connection.requireVersion(apiKeys.Fetch, FETCH_VERSION, "Fetch");
    });
  }

  /** What the brokers know of these topics, with errors as data. One attempt. */
  async metadata(topics: readonly string[]): Promise<MetadataAnswer> {
    const connection = await this.#anyBroker();
    const answer = await this.#askMetadata(connection, topics);
    const seen = new Set<string>();
    for (const { nodeId, host, port } of answer.brokers) {
      this.#nodes.set(nodeId, { host, port });
      seen.add(addressName(host, port));
    }
    for (const nodeId of this.#nodes.keys()) {
      if (!answer.brokers.some((broker) => broker.nodeId === nodeId)) this.#nodes.delete(nodeId);
    }
    for (const { host, port } of this.#seeds) seen.add(addressName(host, port));
    for (const [name, connection] of this.#connections) if (!seen.has(name)) this.#drop(connection);
    return answer;
  }

  #askMetadata(connection: BrokerConnection, topics: readonly string[]): Promise<MetadataAnswer> {
    return this.#guarded(connection, async () => {
      await connection.ready(forOther);
      return connection.send(metadataCall(topics, connection.speaks(apiKeys.Metadata, METADATA_VERSION)));
    });
  }

  /** One attempt at one of kafkajs's own requests to a node that `metadata` has told of. */
  async request<T>(nodeId: number, send: (broker: KafkaJsBroker) => Promise<T>): Promise<T> {
    const connection = this.#node(nodeId);
    return this.#guarded(connection, async () => send(await connection.broker()));
  }

  /** One attempt at one of kafkajs's own requests, to any broker. */
  async requestAny<T>(send: (broker: KafkaJsBroker) => Promise<T>): Promise<T> {
    const connection = await this.#anyBroker();
    return this.#guarded(connection, async () => send(await connection.broker()));
  }

  /** One attempt at a fetch from a node that `metadata` has told of. */
  async fetch(nodeId: number, request: FetchRequest): Promise<FetchAnswer> {
    const connection = this.#node(nodeId);
    return this.#guarded(connection, async () => {
      await connection.ready(forFetch);
      const call = fetchCall(request, connection.speaks(apiKeys.Fetch, FETCH_BY_ID_VERSION));
      return connection.send(call, forFetch);
    });
  }

  /** One attempt at one of our requests to such a node, that older brokers do not know, and would hang up on. */
  async sendIfKnown<T>(nodeId: number, call: ProtocolCall<T>): Promise<T> {
    const connection = this.#node(nodeId);
    await this.#guarded(connection, () => connection.broker());
    const { apiKey, apiVersion, apiName } = call.request;
    connection.requireVersion(apiKey, apiVersion, apiName);
    return this.#guarded(connection, () => connection.send(call));
  }

  /** The next request to this node goes by a new connection; those under way fail. */
  disconnect(nodeId: number): void {
    const address = this.#nodes.get(nodeId);
    if (address !== undefined) this.#drop(this.#connection(address));
  }

  /** Tells of a node that an answer other than metadata has named. */
  learn(nodeId: number, host: string, port: number): void {
    this.#nodes.set(nodeId, { host, port });
  }

  /** Repeats `attempt` while an outage lasts, up to `requestRetryMaxMs`; throws a KafkaError. */
  async retrying<T>(attempt: () => Promise<T>): Promise<T> {
    return this.#attempts(this.limits.requestRetryMaxMs, attempt);
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections.values()) connection.destroy();
    this.#connections.clear();
    for (const wake of this.#waiting) wake();
  }

  async #attempts<T>(maxMs: number, attempt: () => Promise<T>): Promise<T> {
    const deadline = this.clock.elapsed() + maxMs;
    for (let failures = 1; ; failures++) {
      if (this.#isClosed) throw new KafkaClosedError();
      try {
        return await attempt();
      } catch (error) {
        if (this.#isClosed) throw new KafkaClosedError();
        const delayMs = backoffMs(failures);
        if (!isOutage(error) || this.clock.elapsed() + delayMs > deadline) throw this.toKafkaError(error);
        this.config.logger.debug("Kafka request failed, trying again", { error: String(error), failures });
        await this.#wait(delayMs);
      }
    }
  }

  /** What kafkajs threw, as one of our errors. */
  toKafkaError(error: unknown): KafkaError {
    if (error instanceof KafkaError) return error;
    const failure = classifyFailure(error);
    if (failure.kind === "programmer") return new KafkaProgramError(error as Error);
    if (failure.kind === "authentication") return new KafkaAuthenticationError(this.brokers, error);
    if (failure.kind === "connection")
      return new KafkaUnreachableError(this.brokers, error, this.#hint(error));
    const { message } = error as Error;
    if (failure.type.endsWith("AUTHORIZATION_FAILED"))
      return new KafkaAuthorizationError("what was asked for", failure.type);
    return new KafkaRequestError(`Kafka answered ${failure.type}: ${message}`, { cause: error });
  }

  /** What is behind it, as far as that can be told from here. */
  #hint(error: unknown): string {
    const { ssl, sasl } = this.config;
    const { code, broker } = error as { code?: unknown; broker?: unknown };
    const certificate = certificateHint(String(code), "broker");
    if (certificate !== undefined) return ` (${certificate})`;
    const node = [...this.#nodes].find(([, { host, port }]) => addressName(host, port) === broker);
    const isSeed = this.#seeds.some(({ host, port }) => addressName(host, port) === broker);
    if (node !== undefined && !isSeed) {
      return (
        `: the cluster answers there, but says that its broker ${node[0]} is at ${broker}. ` +
        "The broker's advertised.listeners must name an address that this machine can reach"
      );
    }
    // A broker that hangs up on the first request usually speaks another protocol on that port.
    if (/SASL state/.test(String(error))) return " (does this port take no login?)";
    if (!/clos|reset|disconnect|no answer/i.test(String(error))) return "";
    return ` (does this port expect ${ssl ? "plain text" : "TLS"}${sasl ? "" : ", or a SASL login"}?)`;
  }

  async #wait(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = () => {
        cancel();
        this.#waiting.delete(wake);
        resolve();
      };
      const cancel = this.clock.schedule(delayMs, wake);
      this.#waiting.add(wake);
    });
  }

  #node(nodeId: number): BrokerConnection {
    const address = this.#nodes.get(nodeId);
    if (address === undefined) throw new Error(`broker ${nodeId} is not in the cluster`);
    return this.#connection(address);
  }

  #connection({ host, port }: Address): BrokerConnection {
    if (this.#isClosed) throw new KafkaClosedError();
    const name = addressName(host, port);
    let connection = this.#connections.get(name);
    if (connection === undefined) {
      connection = new BrokerConnection(
        host,
        port,
        this.config,
        this.limits,
        this.#kafkaJsLogger,
        this.clock,
      );
      this.#connections.set(name, connection);
    }
    return connection;
  }

  /** An open one, or else the first that opens, known nodes before seeds, starting elsewhere each time. */
  async #anyBroker(): Promise<BrokerConnection> {
    for (const connection of this.#connections.values()) if (connection.isOpen) return connection;
    const start = this.#rotation++;
    let lastError: unknown;
    for (const addresses of [[...this.#nodes.values()], this.#seeds]) {
      for (let i = 0; i < addresses.length; i++) {
        const connection = this.#connection(addresses[(start + i) % addresses.length]!);
        try {
          await this.#guarded(connection, () => connection.broker());
          return connection;
        } catch (error) {
          if (error instanceof KafkaError || classifyFailure(error).kind === "authentication") throw error;
          lastError = error;
        }
      }
    }
    throw lastError;
  }

  /** Runs a request; a failure that leaves the connection in doubt ends the connection. */
  async #guarded<T>(connection: BrokerConnection, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      if (classifyFailure(error).kind !== "protocol") this.#drop(connection);
      throw isProgrammersError(error) ? new UnreadableAnswerError(error as Error) : error;
    }
  }

  #drop(connection: BrokerConnection): void {
    const name = addressName(connection.host, connection.port);
    if (this.#connections.get(name) === connection) this.#connections.delete(name);
    connection.destroy();
  }
}

/** Whether waiting may help. */
export function isOutage(error: unknown): boolean {
  if (error instanceof RetriableCodeError) return true;
  if (error instanceof KafkaError) return false;
  const failure = classifyFailure(error);
  switch (failure.kind) {
    case "authentication":
    case "programmer":
      return false;
    case "connection":
      return !isTlsFailure(failure.code ?? "");
    case "protocol":
      return failure.retriable || OUTAGE_TYPES.has(failure.type);
  }
}

/** An error code in an answer that asks for another attempt. */
export class RetriableCodeError extends KafkaRequestError {
  constructor(what: string, code: number) {
    super(`${what}: ${errorName(code)}`);
  }
}

function addressName(host: string, port: number): string {
  return `${host}:${port}`;
}

/** host:port, or [v6 address]:port. */
function parseAddress(text: string): Address {
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  const port = Number(text.slice(colon + 1));
  if (colon <= 0 || host === "" || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new KafkaError(`"${text}" is not a Kafka broker address: expected host:port`);
  }
  return { host, port };
}
