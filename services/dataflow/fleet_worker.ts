/** One connected worker process of a fleet: its streams, and what waits until they are open. */
import type { fnApi } from "@order-payment-stream/beam/protos";
import type { ServerStream } from "./fn_calls.js";

type Control = ServerStream<fnApi.InstructionResponse, fnApi.InstructionRequest>;
type Data = ServerStream<fnApi.Elements, fnApi.Elements>;

export class FleetWorker {
  isGone = false;
  readonly #waiting: fnApi.Elements[] = [];
  #data: Data | undefined;

  constructor(
    readonly id: string,
    /** Of this process: a worker that comes again is another one. Marks its short ids. */
    readonly incarnation: number,
    private readonly control: Control,
  ) {}

  instruct(request: fnApi.InstructionRequest): void {
    if (!this.isGone) this.control.write(request);
  }

  send(elements: fnApi.Elements): void {
    if (this.#data === undefined) this.#waiting.push(elements);
    else this.#data.write(elements);
  }

  openData(data: Data): void {
    this.#data = data;
    for (const elements of this.#waiting.splice(0)) data.write(elements);
  }

  closeData(data: Data): void {
    if (this.#data === data) this.#data = undefined;
  }

  end(): void {
    this.isGone = true;
    this.control.end();
    this.#data?.end();
  }
}
