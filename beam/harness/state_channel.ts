/**
 * The state stream to one endpoint, shared by all bundles. Responses come in any order and are told apart by id.
 * Source: beam_fn_api.proto, BeamFnState.
 */
import type { ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import type { fnApi } from "../model/apache_beam.js";
import { type Connection, callError } from "./connection.js";
import { STATE } from "./fn_methods.js";

interface Waiting {
  readonly resolve: (response: fnApi.StateResponse) => void;
  readonly reject: (error: Error) => void;
}

const NO_BYTES = new Uint8Array(0);

/** What workers have asked of their runners so far; several may add to one. */
export interface WorkerTraffic {
  stateRequests: number;
}

export class StateChannel {
  readonly #stream: ClientDuplexStream<fnApi.StateRequest, fnApi.StateResponse>;
  readonly #waiting = new Map<string, Waiting>();
  #nextId = 0;
  #failure: Error | undefined;

  /**
   * @param traffic counts the requests
   * @param onFailure called once, when nothing can be asked any more
   */
  constructor(
    private readonly connection: Connection,
    private readonly traffic: WorkerTraffic,
    onFailure: (error: Error) => void,
  ) {
    this.#stream = connection.stream(STATE);
    const fail = (error: Error): void => {
      if (this.#failure !== undefined) return;
      this.#fail(error);
      onFailure(error);
    };
    this.#stream.on("data", (response: fnApi.StateResponse) => this.#take(response));
    this.#stream.on("error", (error: ServiceError) =>
      fail(callError("the state stream", connection.url, error)),
    );
    this.#stream.on("end", () =>
      fail(new Error(`the runner has closed the state stream at ${connection.url}`)),
    );
  }

  /** All bytes behind a key: elements, nested, one after the other. Pages are put together. */
  async get(instructionId: string, stateKey: fnApi.StateKey): Promise<Buffer> {
    const pages: Uint8Array[] = [];
    let continuationToken: Uint8Array = NO_BYTES;
    do {
      const { response } = await this.#send(instructionId, stateKey, {
        oneofKind: "get",
        get: { continuationToken },
      });
      if (response.oneofKind !== "get") throw new Error(`state: ${response.oneofKind} answers a get`);
      // An empty page is not the end: only an empty token is.
      if (response.get.data.length > 0) pages.push(response.get.data);
      continuationToken = response.get.continuationToken;
    } while (continuationToken.length > 0);
    if (pages.length !== 1) return Buffer.concat(pages);
    const [page] = pages as [Uint8Array];
    return Buffer.from(page.buffer, page.byteOffset, page.byteLength);
  }

  /** Adds elements, nested. The bytes must not change until it resolves. */
  async append(instructionId: string, stateKey: fnApi.StateKey, data: Uint8Array): Promise<void> {
    await this.#send(instructionId, stateKey, { oneofKind: "append", append: { data } });
  }

  async clear(instructionId: string, stateKey: fnApi.StateKey): Promise<void> {
    await this.#send(instructionId, stateKey, { oneofKind: "clear", clear: {} });
  }

  close(): void {
    this.#fail(new Error("the state stream is closed"));
    this.#stream.cancel();
    this.connection.close();
  }

  #send(
    instructionId: string,
    stateKey: fnApi.StateKey,
    request: fnApi.StateRequest["request"],
  ): Promise<fnApi.StateResponse> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      const id = String(this.#nextId++);
      this.traffic.stateRequests++;
      this.#waiting.set(id, { resolve, reject });
      this.#stream.write({ id, instructionId, stateKey, request });
    });
  }

  #take(response: fnApi.StateResponse): void {
    const waiting = this.#waiting.get(response.id);
    if (waiting === undefined) return;
    this.#waiting.delete(response.id);
    if (response.error === "") waiting.resolve(response);
    else waiting.reject(new Error(`the runner refuses a state request: ${response.error}`));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
