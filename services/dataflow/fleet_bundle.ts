/**
 * A bundle on its way through the fleet: what has come for it, so that another worker can be given it again, and what its
 * worker has sent, which the runner gets only when the bundle has succeeded.
 */
import { fnApi } from "@order-payment-stream/beam/protos";
import { portsOf, timerFamiliesOf } from "./bundle_ports.js";
import type { FleetWorker } from "./fleet_worker.js";
import type { CellChange } from "./user_state.js";

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
  /** Writes to state that the runner has. */
  writes: fnApi.StateRequest[] = [];
  /** Writes to state that the fleet has. */
  changes = new Map<string, CellChange>();
  /** Of a source: what came for it, less what was split off. */
  readonly elements: Uint8Array[] = [];
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
    this.changes = new Map();
    this.response = undefined;
  }

  /** Done without a worker: what is given, and the end of each of its streams. */
  substitute({ data, timers, residualRoots }: Substitute): void {
    const { id: instructionId } = this;
    const end = new Uint8Array();
    for (const { sink: transformId, bytes } of data)
      this.output.data.push({ instructionId, transformId, data: bytes, isLast: false });
    for (const transformId of portsOf(this.descriptor).sinks)
      this.output.data.push({ instructionId, transformId, data: end, isLast: true });
    for (const { transformId, family: timerFamilyId, bytes } of timers)
      this.output.timers.push({ instructionId, transformId, timerFamilyId, timers: bytes, isLast: false });
    for (const [transformId, timerFamilyId] of timerFamiliesOf(this.descriptor))
      this.output.timers.push({ instructionId, transformId, timerFamilyId, timers: end, isLast: true });
    const processBundle = fnApi.ProcessBundleResponse.create({ residualRoots });
    this.response = { instructionId, error: "", response: { oneofKind: "processBundle", processBundle } };
  }
}

/** What is told to the runner in place of what a worker would have sent. */
export interface Substitute {
  readonly data: readonly { readonly sink: string; readonly bytes: Uint8Array }[];
  readonly timers: readonly {
    readonly transformId: string;
    readonly family: string;
    readonly bytes: Uint8Array;
  }[];
  readonly residualRoots: fnApi.DelayedBundleApplication[];
}

export const NOTHING: Substitute = { data: [], timers: [], residualRoots: [] };

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

export function withTimersTwice(elements: fnApi.Elements): fnApi.Elements {
  const timers = elements.timers.flatMap((part) =>
    part.timers.length === 0 ? [part] : [{ ...part, isLast: false }, part],
  );
  return { ...elements, timers };
}
