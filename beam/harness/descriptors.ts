/** Bundle descriptors by id: registered by the runner, or asked for once, when the first bundle needs them. */
import { fnApi } from "../model/apache_beam.js";
import type { Connection } from "./connection.js";
import { GET_DESCRIPTOR } from "./fn_methods.js";

export class Descriptors {
  readonly #known = new Map<string, Promise<fnApi.ProcessBundleDescriptor>>();

  constructor(private readonly control: Connection) {}

  register(descriptor: fnApi.ProcessBundleDescriptor): void {
    this.#known.set(descriptor.id, Promise.resolve(descriptor));
  }

  get(id: string): Promise<fnApi.ProcessBundleDescriptor> {
    let descriptor = this.#known.get(id);
    if (descriptor === undefined) {
      const request = fnApi.GetProcessBundleDescriptorRequest.create({ processBundleDescriptorId: id });
      descriptor = this.control.call(GET_DESCRIPTOR, request).then((found) => ({ ...found, id }));
      this.#known.set(id, descriptor);
      descriptor.catch(() => this.#known.delete(id));
    }
    return descriptor;
  }
}
