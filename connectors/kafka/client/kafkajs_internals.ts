/**
 * The one door to the inside of kafkajs, which has no public way to read a partition without a consumer group.
 * Written for kafkajs 2.2.4, the pinned and last release; the types below are ours and cover what is used.
 * Loading this file also repairs a fault of kafkajs for the whole process, see `RequestQueue` at the end.
 */
import { createRequire } from "node:module";
import type { Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";

const require = createRequire(import.meta.url);

/** A request ready to be sent, and how its answer is read. */
export interface ProtocolCall<T> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<ProtocolEncoder>;
  };
  readonly response: {
    /** Must answer `clientSideThrottleTime` (ms) among others: kafkajs holds back further requests that long. */
    decode(payload: Buffer): Promise<{ clientSideThrottleTime?: number }>;
    parse(decoded: any): Promise<T>;
  };
  readonly logResponseError?: boolean;
}

export interface ProtocolEncoder {
  writeInt8(value: number): this;
  writeInt16(value: number): this;
  writeInt32(value: number): this;
  writeInt64(value: number): this;
  writeBoolean(value: boolean): this;
  writeString(value: string): this;
  writeUVarInt(value: number): this;
  writeUVarIntString(value: string): this;
  writeUVarIntArray(values: readonly ProtocolEncoder[]): this;
  writeArray(values: readonly (ProtocolEncoder | string | number)[]): this;
  writeBuffer(value: Buffer): this;
  writeBytes(value: Buffer): this;
  readonly buffer: Buffer;
}

export interface KafkaJsConnection {
  isConnected(): boolean;
}

/** Two connections to one broker: one for everything but Fetch, and one for Fetch alone. */
export interface KafkaJsConnectionPool {
  readonly pool: readonly [KafkaJsConnection, KafkaJsConnection];
  getConnection(index: number): Promise<KafkaJsConnection>;
  send<T>(call: ProtocolCall<T>): Promise<T>;
}

export interface KafkaJsBroker {
  readonly connectionPool: KafkaJsConnectionPool;
  readonly versions: Readonly<Record<number, { minVersion: number; maxVersion: number }>> | null;
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  listOffsets(request: {
    replicaId: number;
    isolationLevel: number;
    topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[];
  }): Promise<{ responses: { topic: string; partitions: { partition: number; offset: string }[] }[] }>;
  findGroupCoordinator(request: {
    groupId: string;
    coordinatorType: number;
  }): Promise<{ coordinator: { nodeId: number; host: string; port: number } }>;
  offsetFetch(request: {
    groupId: string;
    topics: { topic: string; partitions: { partition: number }[] }[];
  }): Promise<{ responses: { topic: string; partitions: { partition: number; offset: string }[] }[] }>;
  offsetCommit(request: {
    groupId: string;
    groupGenerationId: number;
    memberId: string;
    topics: { topic: string; partitions: { partition: number; offset: string }[] }[];
  }): Promise<unknown>;
}

/** Made by `createKafkaJsLogger`, handed through. */
export interface KafkaJsLogger {
  namespace(name: string): KafkaJsLogger;
}

export type SocketFactory = (target: {
  host: string;
  port: number;
  ssl: ConnectionOptions | boolean | null;
  onConnect: () => void;
}) => Socket;

export interface MetadataAnswer {
  readonly clientSideThrottleTime?: number;
  readonly brokers: readonly { nodeId: number; host: string; port: number }[];
  /** Empty where the brokers do not tell. */
  readonly clusterId: string;
  readonly topicMetadata: readonly {
    topicErrorCode: number;
    topic: string;
    /** Empty where the brokers do not tell. */
    topicId: string;
    partitionMetadata: readonly {
      partitionErrorCode: number;
      partitionId: number;
      leader: number;
      /** -1 where the brokers do not tell. */
      leaderEpoch: number;
    }[];
  }[];
}

/** What kafkajs makes of Metadata v6, which tells less. */
interface MetadataAnswerV6 {
  readonly clientSideThrottleTime?: number;
  readonly brokers: MetadataAnswer["brokers"];
  readonly clusterId: string | null;
  readonly topicMetadata: readonly {
    topicErrorCode: number;
    topic: string;
    partitionMetadata: readonly { partitionErrorCode: number; partitionId: number; leader: number }[];
  }[];
}

export const apiKeys: {
  readonly Fetch: number;
  readonly Metadata: number;
} = require("kafkajs/src/protocol/requests/apiKeys");

export const Encoder: new () => ProtocolEncoder = require("kafkajs/src/protocol/encoder");

const Broker: new (options: object) => KafkaJsBroker = require("kafkajs/src/broker");
const ConnectionPool: new (
  options: object,
) => KafkaJsConnectionPool = require("kafkajs/src/network/connectionPool");
const createSocketFactory: () => SocketFactory = require("kafkajs/src/network/socketFactory");
const loggers: {
  LEVELS: { WARN: number };
  createLogger(options: { level: number; logCreator: () => (entry: KafkaJsLogEntry) => void }): KafkaJsLogger;
} = require("kafkajs/src/loggers");
const metadataV6: {
  decode(payload: Buffer): Promise<MetadataAnswerV6>;
} = require("kafkajs/src/protocol/requests/metadata/v6/response");
const protocolErrors: {
  errorCodes: readonly { code: number; type: string; message: string }[];
} = require("kafkajs/src/protocol/error");

interface KafkaJsLogEntry {
  readonly namespace: string;
  readonly label: string;
  readonly log: { readonly message: string };
}

/** A stand-alone broker, not connected yet, outside any of kafkajs's clusters. Times in ms. */
export function createBroker(options: {
  host: string;
  port: number;
  clientId: string;
  ssl: ConnectionOptions | boolean | null;
  sasl: object | null;
  connectionTimeoutMs: number;
  requestTimeoutMs: number;
  logger: KafkaJsLogger;
  socketFactory: SocketFactory;
}): KafkaJsBroker {
  const { host, port, clientId, ssl, sasl, logger, socketFactory } = options;
  const connectionPool = new ConnectionPool({
    host,
    port,
    clientId,
    ssl,
    sasl: sasl && withOutagesApart(sasl),
    socketFactory,
    connectionTimeout: options.connectionTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    enforceRequestTimeout: true,
    logger,
  });
  return new Broker({ connectionPool, logger, allowAutoTopicCreation: false });
}

/** Does one exchange of a login with the broker. */
type SaslAuthenticate = (exchange: object) => Promise<unknown>;
/** Logs one connection in. */
interface Login {
  authenticate(): Promise<void>;
}
export type LoginProvider = (connection: { readonly saslAuthenticate: SaslAuthenticate }) => Login;

const LOGINS: Readonly<Record<string, (sasl: object) => LoginProvider>> = {
  PLAIN: require("kafkajs/src/broker/saslAuthenticator/plain"),
  "SCRAM-SHA-256": require("kafkajs/src/broker/saslAuthenticator/scram256"),
  "SCRAM-SHA-512": require("kafkajs/src/broker/saslAuthenticator/scram512"),
};

/**
 * kafkajs calls everything that goes wrong while it logs in a failed authentication, a connection that breaks too. With
 * this, what failed on the way to the broker is thrown as it is; an answer of the broker has a `type`.
 */
export function withOutagesApart(sasl: {
  readonly mechanism?: string;
  readonly authenticationProvider?: LoginProvider;
}): { readonly authenticationProvider?: LoginProvider } {
  const login = sasl.authenticationProvider ?? LOGINS[sasl.mechanism?.toUpperCase() ?? ""]?.(sasl);
  if (login === undefined) return sasl;
  const authenticationProvider: LoginProvider = (connection) => {
    let failure: unknown;
    const saslAuthenticate: SaslAuthenticate = async (exchange) => {
      try {
        return await connection.saslAuthenticate(exchange);
      } catch (error) {
        failure = error;
        throw error;
      }
    };
    const inner = login({ ...connection, saslAuthenticate });
    return {
      async authenticate() {
        try {
          await inner.authenticate();
        } catch (error) {
          const isOfTheWay =
            failure !== undefined && typeof (failure as { type?: unknown }).type !== "string";
          throw isOfTheWay ? failure : error;
        }
      },
    };
  };
  return { ...sasl, authenticationProvider };
}

/** OpenSSL's errors: thread, `error`, code, library, function, reason, place in its source; and a line's end. */
const OPENSSL_ERROR =
  /[0-9A-F]+:error:[0-9A-F]+:[^:]*:[^:]*:([^:]*):\S*\.c:\d+:(?:SSL alert number \d+)?\s*/g;

/** kafkajs's sockets, without the delay of small writes, with errors in one line, and announced to `onSocket`. */
export function socketFactory(onSocket: (socket: Socket) => void): SocketFactory {
  const create = createSocketFactory();
  return (target) => {
    const socket = create(target);
    socket.setNoDelay(true);
    // Before kafkajs puts the message into one of its own.
    socket.prependListener("error", (error) => {
      error.message = error.message.replace(OPENSSL_ERROR, "$1").trim();
    });
    onSocket(socket);
    return socket;
  };
}

/** Warnings and errors of kafkajs go to `write`; nothing goes to the console. */
export function createKafkaJsLogger(
  write: (message: string, fields: Record<string, unknown>) => void,
): KafkaJsLogger {
  return loggers.createLogger({
    level: loggers.LEVELS.WARN,
    logCreator: () => (entry) => write(entry.log.message, { namespace: entry.namespace, label: entry.label }),
  });
}

/**
 * Metadata v6 of exactly these topics (none: only the brokers). Never creates a topic; the errors of topics and
 * partitions stay in the answer, where kafkajs would throw the first one.
 */
export function metadataCallV6(topics: readonly string[]): ProtocolCall<MetadataAnswer> {
  return {
    request: {
      apiKey: apiKeys.Metadata,
      apiVersion: 6,
      apiName: "Metadata",
      encode: async () => new Encoder().writeArray(topics).writeBoolean(false),
    },
    response: {
      decode: async (payload) => withUnknownIds(await metadataV6.decode(payload)),
      parse: async (decoded: MetadataAnswer) => decoded,
    },
  };
}

function withUnknownIds(answer: MetadataAnswerV6): MetadataAnswer {
  return {
    ...answer,
    clusterId: answer.clusterId ?? "",
    topicMetadata: answer.topicMetadata.map((topic) => ({
      ...topic,
      topicId: "",
      partitionMetadata: topic.partitionMetadata.map((partition) => ({ ...partition, leaderEpoch: -1 })),
    })),
  };
}

type ErrorClass = new (message: string) => Error;
export const {
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSSASLAuthenticationError,
}: {
  readonly KafkaJSNumberOfRetriesExceeded: ErrorClass;
  readonly KafkaJSSASLAuthenticationError: ErrorClass;
} = require("kafkajs");

/** Of errors that came after kafkajs. */
const NEWER_ERRORS = new Map([
  [100, "UNKNOWN_TOPIC_ID"],
  [103, "INCONSISTENT_TOPIC_ID"],
]);

/** The protocol's name of an error code, such as NOT_LEADER_FOR_PARTITION. */
export function errorName(code: number): string {
  const newer = NEWER_ERRORS.get(code);
  if (newer !== undefined) return newer;
  return protocolErrors.errorCodes.find((known) => known.code === code)?.type ?? `error code ${code}`;
}

/**
 * kafkajs asks for a timer after every answer even when nothing waits to be sent. The delay is then negative: Node
 * turns it to 1 ms, the timer sets itself up again, and each connection wakes the process a thousand times a second
 * for ever (Node 24 also warns, tulios/kafkajs#1751). A timer is needed only while something is pending.
 */
interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}
const requestQueue: RequestQueue = require("kafkajs/src/network/requestQueue").prototype;
const scheduleCheckPendingRequests = requestQueue.scheduleCheckPendingRequests;
requestQueue.scheduleCheckPendingRequests = function (this: RequestQueue): void {
  if (this.pending.length > 0) scheduleCheckPendingRequests.call(this);
};

/**
 * A damaged answer (a length that cannot be, an answer to no request) would throw where nobody catches, or have its
 * request wait for its time-out; here it ends the connection, and with it the requests under way.
 */
interface Connection {
  readonly socket: Socket;
  readonly bytesNeeded: number;
  processData(bytes: Buffer): void;
}
const ANSWER_MAX_BYTES = 2 ** 28;
const connection: Connection = require("kafkajs/src/network/connection").prototype;
const processData = connection.processData;
connection.processData = function (this: Connection, bytes: Buffer): void {
  try {
    processData.call(this, bytes);
    if (this.bytesNeeded > ANSWER_MAX_BYTES) throw new RangeError("an answer of an impossible length");
  } catch (error) {
    this.socket.destroy(error as Error);
  }
};

interface AnsweredQueue {
  readonly inflight: ReadonlyMap<number, unknown>;
  fulfillRequest(answer: { correlationId: number }): void;
}
const answeredQueue: AnsweredQueue = require("kafkajs/src/network/requestQueue").prototype;
const fulfillRequest = answeredQueue.fulfillRequest;
answeredQueue.fulfillRequest = function (this: AnsweredQueue, answer): void {
  if (!this.inflight.has(answer.correlationId)) throw new RangeError("an answer to no request");
  fulfillRequest.call(this, answer);
};

/**
 * Brokers with `connections.max.reauth.ms` end a connection that is used when its session is over (KIP-368); their
 * answer to a login says how long the session is. kafkajs logs in again 10 s before the end, so with sessions that are
 * shorter before each request, and a broker allows that once a second only. Here it is a share of the session.
 */
const SESSION_SHARE = 0.8;
/** Brokers refuse a login that comes within a second of the one before (KIP-368), and a token may have little time left. */
const LOGIN_INTERVAL_MIN_MS = 1_100;
interface AuthenticatedConnection {
  /** As `process.hrtime` has it; null: not logged in. */
  readonly authenticatedAt: readonly [seconds: number, ns: number] | null;
  /** In ms; 0: the session has no end. */
  readonly sessionLifetime: { toNumber(): number };
  isAuthenticated(): boolean;
}
const authenticatedConnection: AuthenticatedConnection = require("kafkajs/src/network/connection").prototype;
authenticatedConnection.isAuthenticated = function (this: AuthenticatedConnection): boolean {
  if (this.authenticatedAt === null) return false;
  const lifetimeMs = this.sessionLifetime.toNumber();
  if (lifetimeMs === 0) return true;
  const [seconds, ns] = process.hrtime(this.authenticatedAt as [number, number]);
  return seconds * 1_000 + ns / 1e6 < Math.max(LOGIN_INTERVAL_MIN_MS, lifetimeMs * SESSION_SHARE);
};
