/**
 * A bundle on its way through the fleet: what has come for it, so that another worker can be given it again, and what its
 * worker has sent, which the runner gets only when the bundle has succeeded.
 */
import { type fnApi, runnerApi } from "@order-payment-stream/beam/protos";
import type { FleetWorker } from "./fleet_worker.js";

/** Which worker was given a bundle. */
export interface Assignment {
  /** Id of the bundle's descriptor. */
  readonly descriptor: string;
  readonly worker: string;
  readonly isSource: boolean;
}

export class FleetBundle {
  worker: FleetWorker | undefined;
  attempts = 0;
  /** Some of its writes are with the runner already: it cannot be done again. */
  isFlushed = false;
  readonly input: fnApi.Elements[] = [];
  output: { data: fnApi.Elements_Data[]; timers: fnApi.Elements_Timers[] } = { data: [], timers: [] };
  writes: fnApi.StateRequest[] = [];
  /** Its answer, which may overtake what it has emitted: they come on different streams. */
  response: fnApi.InstructionResponse | undefined;
  readonly #streams: number;

  constructor(
    readonly request: fnApi.InstructionRequest,
    readonly descriptor: fnApi.ProcessBundleDescriptor,
  ) {
    this.#streams = portsOf(descriptor).sinks.length + timerFamiliesOf(descriptor).length;
  }

  /** Whether the last of all its output is there. */
  get isComplete(): boolean {
    const { data, timers } = this.output;
    const ends = [...data, ...timers].filter(({ isLast }) => isLast).length;
    return this.response !== undefined && ends >= this.#streams;
  }

  get id(): string {
    return this.request.instructionId;
  }

  /** Forgets what an attempt has sent. */
  begin(worker: FleetWorker): void {
    this.worker = worker;
    this.attempts++;
    this.output = { data: [], timers: [] };
    this.writes = [];
    this.response = undefined;
  }
}

/** By the bundle that they belong to. */
export function elementsByInstruction(elements: fnApi.Elements): Map<string, fnApi.Elements> {
  const parts = new Map<string, fnApi.Elements>();
  const partOf = (id: string): fnApi.Elements => {
    const part = parts.get(id) ?? { data: [], timers: [] };
    parts.set(id, part);
    return part;
  };
  for (const data of elements.data) partOf(data.instructionId).data.push(data);
  for (const timers of elements.timers) partOf(timers.instructionId).timers.push(timers);
  return parts;
}

const SOURCE = "beam:runner:source:v1";
const SINK = "beam:runner:sink:v1";
const SDF_PROCESS = "beam:transform:sdf_process_sized_element_and_restrictions:v1";
const PAR_DO = "beam:transform:pardo:v1";

export function isSource(descriptor: fnApi.ProcessBundleDescriptor): boolean {
  return Object.values(descriptor.transforms).some(({ spec }) => spec?.urn === SDF_PROCESS);
}

/** Transforms that take from or give to the data stream. */
export function portsOf(descriptor: fnApi.ProcessBundleDescriptor): { sources: string[]; sinks: string[] } {
  const withUrn = (urn: string) =>
    Object.entries(descriptor.transforms)
      .filter(([, { spec }]) => spec?.urn === urn)
      .map(([id]) => id);
  return { sources: withUrn(SOURCE), sinks: withUrn(SINK) };
}

/** Transforms and their families of timers. */
export function timerFamiliesOf(descriptor: fnApi.ProcessBundleDescriptor): [string, string][] {
  return Object.entries(descriptor.transforms).flatMap(([id, { spec }]) =>
    spec?.urn === PAR_DO
      ? Object.keys(runnerApi.ParDoPayload.fromBinary(spec.payload).timerFamilySpecs).map(
          (family): [string, string] => [id, family],
        )
      : [],
  );
}
