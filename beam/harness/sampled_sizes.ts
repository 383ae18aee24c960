/** Sizes of elements on the wire, of some of them: as a distribution, which is how runners are told. */

/** Of so many elements one counts, the first in any case. */
const ELEMENTS = 16;

export class SampledSizes {
  count = 0;
  sum = 0;
  min = Number.POSITIVE_INFINITY;
  max = 0;
  #seen = 0;

  reset(): void {
    this.count = 0;
    this.sum = 0;
    this.min = Number.POSITIVE_INFINITY;
    this.max = 0;
    this.#seen = 0;
  }

  /** For each element. */
  add(bytes: number): void {
    if (this.#seen++ % ELEMENTS !== 0) return;
    this.count++;
    this.sum += bytes;
    if (bytes < this.min) this.min = bytes;
    if (bytes > this.max) this.max = bytes;
  }
}
