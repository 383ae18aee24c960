/**
 * Names by which two versions of a job know each other's steps. Ids of transforms are those of one graph, and Prism makes
 * further ones of them; names are what an update goes by.
 */
import type { fnApi, runnerApi } from "@order-payment-stream/beam/protos";
import { portsOf } from "./bundle_ports.js";

/** As Prism calls the parts of a splittable DoFn. */
const SDF_PART = /^e(.*)_(pwr|splitnsize|processandsplit)$/;

export class GraphNames {
  readonly #ids: ReadonlyMap<string, string>;

  /** @param renamed names that the next version has for steps of this one */
  constructor(
    private readonly proto: runnerApi.Pipeline,
    private readonly renamed: Readonly<Record<string, string>> = {},
  ) {
    const transforms = Object.entries(proto.components!.transforms);
    this.#ids = new Map(transforms.map(([id, { uniqueName }]) => [uniqueName, id]));
  }

  /** Of a transform of a bundle's descriptor. */
  nameOf(id: string): string {
    const [, whole = id, part] = SDF_PART.exec(id) ?? [];
    const name = this.proto.components!.transforms[whole]?.uniqueName ?? whole;
    const next = this.renamed[name] ?? name;
    return part === undefined ? next : `${next} (${part})`;
  }

  /** Of a step that is one transform; undefined where there is none of this name. */
  idOf(name: string): string | undefined {
    return this.#ids.get(name);
  }

  stageName(descriptor: fnApi.ProcessBundleDescriptor): string {
    const { sources, sinks } = portsOf(descriptor);
    return Object.keys(descriptor.transforms)
      .filter((id) => !sources.includes(id) && !sinks.includes(id))
      .map((id) => this.nameOf(id))
      .sort()
      .join(" + ");
  }

  /** Which output of which step goes there. */
  sinkName({ transforms }: fnApi.ProcessBundleDescriptor, sink: string): string {
    const [collection] = Object.values(transforms[sink]!.inputs);
    for (const [id, { outputs }] of Object.entries(transforms)) {
      for (const [tag, output] of Object.entries(outputs)) {
        if (output === collection) return `${this.nameOf(id)}.${tag}`;
      }
    }
    return sink;
  }
}
