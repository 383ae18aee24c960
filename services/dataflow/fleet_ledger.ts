/**
 * What a running job owes, stage by stage, beside the state of its keys: timers that have been set and not delivered, and
 * what of splittable elements is put off. It is what a job that takes its place goes on with.
 */
import { type fnApi, runnerApi } from "@order-payment-stream/beam/protos";
import { isSource, portsOf } from "./bundle_ports.js";
import { type EncodedTimer, elementsOn, timersIn } from "./coder_lengths.js";
import type { FleetBundle } from "./fleet_bundle.js";
import type { GraphNames } from "./graph_names.js";

/** Of a stage, by names. */
export interface OwedByStage {
  /** By step and family. */
  readonly timers: readonly { readonly step: string; readonly family: string; readonly bytes: Uint8Array }[];
  /** Residuals, as the elements of its input. */
  readonly residuals: readonly Uint8Array[];
  /** By output, elements that have gone there: they wake the stages behind it. */
  readonly samples: ReadonlyMap<string, Uint8Array>;
}

type Descriptor = fnApi.ProcessBundleDescriptor;

interface StageLedger {
  readonly descriptor: Descriptor;
  readonly timers: Map<string, { transformId: string; family: string; bytes: Uint8Array }>;
  residuals: Uint8Array[];
  readonly samples: Map<string, Uint8Array>;
}

export class FleetLedger {
  readonly #stages = new Map<string, StageLedger>();

  /** It has come to a bundle, so it is owed by that. */
  delivered(bundle: FleetBundle, { data, timers }: fnApi.Elements): void {
    const stage = this.#stageOf(bundle.descriptor);
    for (const { transformId, timerFamilyId, timers: bytes } of timers) {
      for (const { identity } of this.#timersIn(bundle.descriptor, transformId, timerFamilyId, bytes)) {
        stage.timers.delete(`${transformId} ${timerFamilyId} ${identity}`);
      }
    }
    if (!isSource(bundle.descriptor)) return;
    for (const element of data.flatMap((part) => this.#elementsIn(bundle.descriptor, part.data))) {
      bundle.elements.push(element);
      const at = stage.residuals.findIndex((residual) => Buffer.compare(residual, element) === 0);
      if (at >= 0) stage.residuals.splice(at, 1);
    }
  }

  split(bundle: FleetBundle, { residualRoots, channelSplits }: fnApi.ProcessBundleSplitResponse): void {
    const stage = this.#stageOf(bundle.descriptor);
    stage.residuals.push(...residualRoots.map(({ application }) => application!.element));
    for (const { firstResidualElement } of channelSplits) {
      stage.residuals.push(...bundle.elements.splice(Number(firstResidualElement)));
    }
  }

  /** What it has set and put off is owed from now on. */
  finished(bundle: FleetBundle): void {
    const { descriptor, output, response } = bundle;
    const stage = this.#stageOf(descriptor);
    for (const { transformId, timerFamilyId, timers } of output.timers) {
      for (const timer of this.#timersIn(descriptor, transformId, timerFamilyId, timers)) {
        const id = `${transformId} ${timerFamilyId} ${timer.identity}`;
        if (timer.isCleared) stage.timers.delete(id);
        else stage.timers.set(id, { transformId, family: timerFamilyId, bytes: timer.bytes });
      }
    }
    for (const { transformId, data } of output.data) {
      const known = stage.samples.get(transformId);
      if (data.length > 0 && (known === undefined || data.length < known.length))
        stage.samples.set(transformId, data);
    }
    if (response?.response.oneofKind !== "processBundle") return;
    const { residualRoots } = response.response.processBundle;
    stage.residuals.push(...residualRoots.map(({ application }) => application!.element));
  }

  /** @param held bundles that no worker has been given: what came for them is owed */
  owed(held: readonly FleetBundle[], names: GraphNames): Map<string, OwedByStage> {
    const stages = new Map<string, OwedByStage>();
    for (const { descriptor, timers, residuals, samples } of this.#stages.values()) {
      const own = held.filter((bundle) => bundle.descriptor.id === descriptor.id);
      stages.set(names.stageName(descriptor), {
        timers: [...timers.values()].map(({ transformId, family, bytes }) => ({
          step: names.nameOf(transformId),
          family,
          bytes,
        })),
        residuals: [...residuals, ...own.flatMap(({ elements }) => elements)],
        samples: new Map([...samples].map(([sink, bytes]) => [names.sinkName(descriptor, sink), bytes])),
      });
    }
    return stages;
  }

  #stageOf(descriptor: Descriptor): StageLedger {
    let stage = this.#stages.get(descriptor.id);
    if (stage === undefined) {
      stage = { descriptor, timers: new Map(), residuals: [], samples: new Map() };
      this.#stages.set(descriptor.id, stage);
    }
    return stage;
  }

  #elementsIn(descriptor: Descriptor, data: Uint8Array): Uint8Array[] {
    const [source] = portsOf(descriptor).sources;
    return elementsOn(descriptor.transforms[source!]!, descriptor.coders, data);
  }

  #timersIn(
    { transforms, coders }: Descriptor,
    id: string,
    family: string,
    data: Uint8Array,
  ): EncodedTimer[] {
    if (data.length === 0) return [];
    const { timerFamilySpecs } = runnerApi.ParDoPayload.fromBinary(transforms[id]!.spec!.payload);
    return timersIn(timerFamilySpecs[family]!.timerFamilyCoderId, coders, data);
  }
}
