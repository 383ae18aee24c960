/** What bundles of a job are like: as the runner has it, and as workers get it, with the fleet's endpoint in its place. */
import { fnApi } from "@order-payment-stream/beam/protos";
import { portsOf } from "./bundle_ports.js";
import type { RunnerConnection } from "./fn_calls.js";

export class FleetDescriptors {
  readonly #known = new Map<string, Promise<fnApi.ProcessBundleDescriptor>>();

  constructor(
    private readonly runner: RunnerConnection,
    /** host:port of the fleet. */
    private readonly endpoint: string,
  ) {}

  /** With the runner's endpoints. */
  get(id: string): Promise<fnApi.ProcessBundleDescriptor> {
    let descriptor = this.#known.get(id);
    if (descriptor === undefined) {
      descriptor = this.runner.call<fnApi.ProcessBundleDescriptor>(
        fnApi.BeamFnControl,
        "GetProcessBundleDescriptor",
        { processBundleDescriptorId: id },
      );
      this.#known.set(id, descriptor);
    }
    return descriptor;
  }

  async forWorkers(id: string): Promise<fnApi.ProcessBundleDescriptor> {
    const copy = fnApi.ProcessBundleDescriptor.clone(await this.get(id));
    const here = { url: this.endpoint } as never;
    if (copy.stateApiServiceDescriptor !== undefined) copy.stateApiServiceDescriptor = here;
    if (copy.timerApiServiceDescriptor !== undefined) copy.timerApiServiceDescriptor = here;
    const { sources, sinks } = portsOf(copy);
    for (const transform of [...sources, ...sinks]) {
      const spec = copy.transforms[transform]!.spec!;
      const port = fnApi.RemoteGrpcPort.fromBinary(spec.payload);
      spec.payload = fnApi.RemoteGrpcPort.toBinary({ ...port, apiServiceDescriptor: here });
    }
    return copy;
  }
}
