/** Google's own protos, as their clients bring them along, as services of gRPC. */
import { createRequire } from "node:module";
import {
  type GrpcObject,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { fromJSON } from "@grpc/proto-loader";

/** Refuses a call as gRPC does. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  constructor(
    readonly code: number,
    readonly details: string,
  ) {
    super(details);
  }
}

export type Method = (request: any) => unknown;

export class GoogleServer {
  readonly #server = new Server({ "grpc.max_receive_message_length": -1 });
  /** Refusals for the calls to come, by method: each is thrown once. */
  readonly refusals = new Map<string, Refusal[]>();
  port = 0;

  /** @param from package of the client that has the protos, such as @google-cloud/dataflow */
  add(from: string, service: string, methods: Readonly<Record<string, Method>>): void {
    const protos = createRequire(import.meta.url)(`${from}/build/protos/protos.json`);
    const loaded = loadPackageDefinition(
      fromJSON(protos, { enums: String, longs: String, defaults: false, keepCase: false }),
    );
    const definition = service
      .split(".")
      .reduce<GrpcObject>((at, part) => at[part] as GrpcObject, loaded) as unknown as {
      service: ServiceDefinition;
    };
    const handlers = Object.fromEntries(
      Object.entries(methods).map(([name, method]) => [
        name,
        (call: { request: unknown }, answer: (error: object | null, response?: unknown) => void) => {
          const refusal = this.refusals.get(name)?.shift();
          Promise.resolve()
            .then(() => {
              if (refusal !== undefined) throw refusal;
              return method(call.request);
            })
            .then(
              (response) => answer(null, response),
              (error: Refusal) => answer({ code: error.code ?? 13, details: error.details ?? error.message }),
            );
        },
      ]),
    );
    this.#server.addService(definition.service, handlers as UntypedServiceImplementation);
  }

  /** Listens on 127.0.0.1. */
  async listen(port = 0): Promise<void> {
    this.port = await new Promise((resolve, reject) => {
      this.#server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
  }

  close(): void {
    this.#server.forceShutdown();
  }
}
