/** Services of the Fn API on gRPC, both sides, from what protobuf-ts tells of them. */

import {
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceError,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { systemClock } from "@order-payment-stream/beam/io";

interface Message {
  toBinary(message: unknown): Uint8Array;
  fromBinary(bytes: Uint8Array): unknown;
}

/** As protobuf-ts describes it. */
export interface ProtoService {
  readonly typeName: string;
  readonly methods: readonly {
    readonly name: string;
    readonly I: unknown;
    readonly O: unknown;
    readonly clientStreaming?: boolean;
    readonly serverStreaming?: boolean;
  }[];
}

export type Handlers = Readonly<Record<string, (...args: any[]) => void>>;
export type ServerStream<Received, Sent> = ServerDuplexStream<Received, Sent>;

const OPTIONS = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };

/** Serves these methods on a free port of 127.0.0.1; host:port. */
export async function serve(
  services: readonly (readonly [ProtoService, Handlers])[],
): Promise<{ readonly endpoint: string; close(): void }> {
  const server = new Server(OPTIONS);
  for (const [service, handlers] of services) {
    const definition = Object.fromEntries(
      Object.keys(handlers).map((name) => [name, definitionOf(service, name)]),
    );
    server.addService(definition, handlers as UntypedServiceImplementation);
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { endpoint: `127.0.0.1:${port}`, close: () => server.forceShutdown() };
}

/** A runner, called by a worker. */
export class RunnerConnection {
  readonly #client: Client;
  readonly #metadata = new Metadata();

  constructor(url: string, workerId: string) {
    this.#client = new Client(url, credentials.createInsecure(), {
      ...OPTIONS,
      "grpc.use_local_subchannel_pool": 1,
    });
    this.#metadata.set("worker_id", workerId);
  }

  stream<Sent, Received>(service: ProtoService, name: string): ClientDuplexStream<Sent, Received> {
    const { path, requestSerialize, responseDeserialize } = definitionOf(service, name);
    return this.#client.makeBidiStreamRequest(
      path,
      requestSerialize as (value: Sent) => Buffer,
      responseDeserialize as (bytes: Buffer) => Received,
      this.#metadata,
      {},
    );
  }

  call<Response>(service: ProtoService, name: string, request: object): Promise<Response> {
    const { path, requestSerialize, responseDeserialize } = definitionOf(service, name);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        requestSerialize as (value: object) => Buffer,
        responseDeserialize as (bytes: Buffer) => Response,
        request,
        this.#metadata,
        { deadline: systemClock.now() + 30_000 },
        (error: ServiceError | null, response?: Response) =>
          error === null ? resolve(response!) : reject(error),
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}

function definitionOf(service: ProtoService, name: string): MethodDefinition<unknown, unknown> {
  const method = service.methods.find((each) => each.name.toLowerCase() === name.toLowerCase());
  if (method === undefined) throw new TypeError(`${service.typeName} has no ${name}`);
  const input = method.I as Message;
  const output = method.O as Message;
  const bytesOf = (type: Message) => (message: unknown) => Buffer.from(type.toBinary(message));
  const messageOf = (type: Message) => (bytes: Buffer) => type.fromBinary(bytes);
  return {
    path: `/${service.typeName}/${method.name}`,
    requestStream: method.clientStreaming ?? false,
    responseStream: method.serverStreaming ?? false,
    requestSerialize: bytesOf(input),
    requestDeserialize: messageOf(input),
    responseSerialize: bytesOf(output),
    responseDeserialize: messageOf(output),
  };
}
