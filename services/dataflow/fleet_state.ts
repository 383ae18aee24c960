/**
 * State requests of a fleet's workers. Bags of keys are kept here. Of everything else reads go to the runner, and writes
 * wait for the end of their bundle; a read behind a write of its bundle needs the runner to know the write, so from there
 * on the bundle cannot be done again.
 */
import { fnApi } from "@order-payment-stream/beam/protos";
import type { FleetBundle } from "./fleet_bundle.js";
import type { RunnerConnection } from "./fn_calls.js";
import type { UserState } from "./user_state.js";

type Send = (response: fnApi.StateResponse) => void;

export class FleetState {
  readonly #stream: ReturnType<RunnerConnection["stream"]>;
  readonly #answers = new Map<string, Send>();
  #requests = 0;
  /** State of keys that the runner has: another job cannot have it. */
  hasOther = false;

  constructor(
    runner: RunnerConnection,
    private readonly userState: UserState,
  ) {
    this.#stream = runner.stream(fnApi.BeamFnState, "State");
    this.#stream.on("data", (response: fnApi.StateResponse) => {
      const answer = this.#answers.get(response.id);
      this.#answers.delete(response.id);
      answer?.(response);
    });
    this.#stream.on("error", () => undefined);
  }

  close(): void {
    this.#stream.end();
  }

  async serve(bundle: FleetBundle, request: fnApi.StateRequest, send: Send): Promise<void> {
    const own = this.userState.serve(bundle.changes, request);
    if (own !== undefined) {
      send(own);
      return;
    }
    const { oneofKind } = request.request;
    if (oneofKind === "append" || oneofKind === "clear") {
      bundle.writes.push(request);
      this.hasOther = true;
      send({
        id: request.id,
        error: "",
        response: oneofKind === "append" ? { oneofKind, append: {} } : { oneofKind, clear: {} },
      });
      return;
    }
    if (bundle.writes.length > 0) {
      bundle.isFlushed = true;
      await this.write(bundle.writes.splice(0));
    }
    const response = await this.#ask(request);
    send({ ...response, id: request.id });
  }

  async write(requests: readonly fnApi.StateRequest[]): Promise<void> {
    await Promise.all(requests.map((request) => this.#ask(request)));
  }

  #ask(request: fnApi.StateRequest): Promise<fnApi.StateResponse> {
    const id = `f${this.#requests++}`;
    return new Promise((resolve) => {
      this.#answers.set(id, resolve);
      this.#stream.write({ ...request, id });
    });
  }
}
