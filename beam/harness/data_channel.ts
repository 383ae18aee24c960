/**
 * The data stream to one endpoint, shared by all bundles. What comes in goes to the inboxes; what goes out is paced by
 * whoever writes: `write` never waits, `drained` does. Source: beam_fn_api.proto, BeamFnData.
 */
import type { ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import type { fnApi } from "../model/apache_beam.js";
import { type Connection, callError } from "./connection.js";
import { DATA } from "./fn_methods.js";
import type { Inboxes } from "./inbox.js";

export class DataChannel {
  readonly #stream: ClientDuplexStream<fnApi.Elements, fnApi.Elements>;
  #failure: Error | undefined;
  #draining: Promise<void> | undefined;
  #onDrained: (() => void) | undefined;

  /** @param onFailure called once, when nothing can come or go any more */
  constructor(
    private readonly connection: Connection,
    private readonly inboxes: Inboxes,
    onFailure: (error: Error) => void,
  ) {
    const stream = connection.stream(DATA);
    this.#stream = stream;
    const fail = (error: Error): void => {
      if (this.#failure !== undefined) return;
      this.#failure = error;
      this.#onDrained?.();
      inboxes.removeStream(stream);
      onFailure(error);
    };
    stream.on("data", (elements: fnApi.Elements) => inboxes.deliver(elements));
    stream.on("error", (error: ServiceError) => fail(callError("the data stream", connection.url, error)));
    stream.on("end", () => fail(new Error(`the runner has closed the data stream at ${connection.url}`)));
    stream.on("drain", () => this.#onDrained?.());
    inboxes.addStream(stream);
  }

  /** Takes over the message and its bytes. Throws when the stream has failed. */
  write(elements: fnApi.Elements): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#stream.write(elements) || this.#draining !== undefined) return;
    this.#draining = new Promise((resolve) => {
      this.#onDrained = () => {
        this.#draining = undefined;
        this.#onDrained = undefined;
        resolve();
      };
    });
  }

  /** Undefined when more may be written at once. */
  drained(): Promise<void> | undefined {
    return this.#draining;
  }

  close(): void {
    this.#failure ??= new Error("the data stream is closed");
    this.inboxes.removeStream(this.#stream);
    this.#onDrained?.();
    this.#stream.cancel();
    this.connection.close();
  }
}
