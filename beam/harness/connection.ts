/**
 * The way to one endpoint of the runner. Every call carries the worker's id, and messages may have any size: one flush
 * of a data stream is larger than gRPC's default limit. Each connection has a socket of its own: a data stream that is
 * paused must not hold up the control stream.
 */
import {
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { systemClock } from "../platform/clock.js";

/** A message type of protobuf-ts, as far as it is needed here. */
export interface Message<T> {
  toBinary(message: T): Uint8Array;
  fromBinary(bytes: Uint8Array): T;
}

/** A method of a service, with the messages that go to the server and come from it. */
export interface Method<Request, Response> {
  readonly path: string;
  readonly request: Message<Request>;
  readonly response: Message<Response>;
}

/** A service as protobuf-ts describes it. */
interface Service {
  readonly typeName: string;
  readonly methods: readonly { readonly name: string; readonly I: unknown; readonly O: unknown }[];
}

export function methodOf<Request, Response>(service: Service, name: string): Method<Request, Response> {
  const method = service.methods.find((each) => each.name === name)!;
  return {
    path: `/${service.typeName}/${name}`,
    request: method.I as Message<Request>,
    response: method.O as Message<Response>,
  };
}

/** The bytes of a message, without a copy. */
export function serializer<T>(type: Message<T>): (message: T) => Buffer {
  return (message) => {
    const bytes = type.toBinary(message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

export function deserializer<T>(type: Message<T>): (bytes: Buffer) => T {
  return (bytes) => type.fromBinary(bytes);
}

/** The runner cannot be reached, or went away. */
export class RunnerUnreachableError extends Error {
  override readonly name = "RunnerUnreachableError";
}

export const CHANNEL_OPTIONS = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
} as const;

/** A peer that vanished without a word is noticed after this time; servers refuse to be asked more often. */
const KEEPALIVE_MS = 6 * 60_000;
const UNARY_TIMEOUT_MS = 60_000;
/** What may be under way on a stream; the default of 64 KiB has a sender wait for each round trip. */
const FLOW_CONTROL_WINDOW_BYTES = 4 << 20;

export class Connection {
  readonly #client: Client;
  readonly #metadata = new Metadata();

  constructor(
    readonly url: string,
    workerId: string,
  ) {
    this.#client = new Client(url, credentials.createInsecure(), {
      ...CHANNEL_OPTIONS,
      "grpc.use_local_subchannel_pool": 1,
      "grpc-node.flow_control_window": FLOW_CONTROL_WINDOW_BYTES,
      "grpc.keepalive_time_ms": KEEPALIVE_MS,
      "grpc.max_reconnect_backoff_ms": 2_000,
    });
    this.#metadata.set("worker_id", workerId);
  }

  /** Resolves when the endpoint has answered; rejects with a RunnerUnreachableError after the time given. */
  reach(what: string, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client.waitForReady(systemClock.now() + timeoutMs, (error) => {
        if (error === undefined) resolve();
        else {
          const inTime = `within ${timeoutMs / 1000} s`;
          reject(new RunnerUnreachableError(`the ${what} at ${this.url} did not answer ${inTime}`));
        }
      });
    });
  }

  stream<Sent, Received>(method: Method<Sent, Received>): ClientDuplexStream<Sent, Received> {
    return this.#client.makeBidiStreamRequest(
      method.path,
      serializer(method.request),
      deserializer(method.response),
      this.#metadata,
      {},
    );
  }

  /** One call. Rejects with what the server said, or when it has not answered in time. */
  call<Request, Response>(method: Method<Request, Response>, request: Request): Promise<Response> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        method.path,
        serializer(method.request),
        deserializer(method.response),
        request,
        this.#metadata,
        { deadline: systemClock.now() + UNARY_TIMEOUT_MS },
        (error, response) => {
          if (error === null) resolve(response!);
          else reject(callError(method.path, this.url, error));
        },
      );
    });
  }

  /** Calls `take` for each message of a server's answer, and resolves behind the last. */
  collect<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    take: (response: Response) => void,
  ): Promise<void> {
    const call = this.#client.makeServerStreamRequest(
      method.path,
      serializer(method.request),
      deserializer(method.response),
      request,
      this.#metadata,
      {},
    );
    return new Promise((resolve, reject) => {
      call.on("data", take);
      call.on("end", resolve);
      call.on("error", (error: ServiceError) => reject(callError(method.path, this.url, error)));
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** What a failed call or stream means. */
export function callError(
  what: string,
  url: string,
  { code, details, message }: Pick<ServiceError, "code" | "details" | "message">,
): Error {
  const text = `${what} at ${url}: ${details || message} (${status[code] ?? code})`;
  return code === status.UNAVAILABLE || code === status.CANCELLED || code === status.DEADLINE_EXCEEDED
    ? new RunnerUnreachableError(text)
    : new Error(text);
}
