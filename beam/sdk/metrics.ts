/**
 * What a DoFn counts. Declared as `metrics = { paired: counter() }` on the DoFn; a cell holds only what the current
 * bundle added; the runner collects and resets it when the bundle ends, so an abandoned bundle counts nothing.
 */

/** A sum that only the DoFn changes. */
export class Counter {
  readonly kind = "counter";
  /** What the current bundle added. */
  delta = 0;
  inc(by = 1): void {
    this.delta += by;
  }
}

/** Count, sum, smallest and largest of the values seen. */
export class Distribution {
  readonly kind = "distribution";
  count = 0;
  sum = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  update(value: number): void {
    this.count++;
    this.sum += value;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }
}

/** The latest value. */
export class Gauge {
  readonly kind = "gauge";
  value: number | undefined;
  set(value: number): void {
    this.value = value;
  }
}

/** The values of all finished bundles of a run. */
export interface DistributionValue {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
}

/** A metric of a DoFn. */
export type MetricCell = Counter | Distribution | Gauge;
/** The metrics of a DoFn, by name. */
export type MetricCells = Readonly<Record<string, MetricCell>>;

/** For `metrics` of a DoFn: a sum. */
export const counter = (): Counter => new Counter();
/** For `metrics` of a DoFn: count, sum, smallest and largest of whole numbers. */
export const distribution = (): Distribution => new Distribution();
/** For `metrics` of a DoFn: the latest of some whole numbers. */
export const gauge = (): Gauge => new Gauge();
