/** The workers of a fleet that are connected, and whose turn it is. */
import { FleetWorker } from "./fleet_worker.js";

type Control = ConstructorParameters<typeof FleetWorker>[2];

export class FleetRoster {
  readonly #workers: FleetWorker[] = [];
  /** Of the last bundle, by its descriptor. */
  readonly #turns = new Map<string, number>();
  #connections = 0;

  get all(): readonly FleetWorker[] {
    return this.#workers;
  }

  connect(id: string, control: Control): FleetWorker {
    const worker = new FleetWorker(id, this.#connections++, control);
    this.#workers.push(worker);
    return worker;
  }

  find(id: string): FleetWorker | undefined {
    return this.#workers.find((worker) => worker.id === id);
  }

  /** Another one than had the bundle before of this descriptor, where there are several. */
  next(descriptor: string): FleetWorker | undefined {
    const turn = (this.#turns.get(descriptor) ?? -1) + 1;
    this.#turns.set(descriptor, turn);
    return this.#workers[turn % this.#workers.length];
  }

  lose(worker: FleetWorker): void {
    worker.end();
    const place = this.#workers.indexOf(worker);
    if (place >= 0) this.#workers.splice(place, 1);
  }

  close(): void {
    for (const worker of this.#workers.splice(0)) worker.end();
  }
}
