/**
 * sfc32 (Chris Doty-Humphrey's "Small Fast Counter", from PractRand): a reproducible generator, not a secure
 * one. It is reseeded for every order, so that an order's story depends on the seed and its number alone and
 * not on what was drawn before it.
 */

const WARM_UP_ROUNDS = 12;

export class Random {
  private a = 0;
  private b = 0;
  private c = 0;
  private counter = 1;

  /** Starts stream number `stream` (a non-negative safe integer) of a seed (any integer; its low 32 bits count). */
  reseed(seed: number, stream: number): void {
    this.a = seed | 0;
    this.b = stream | 0;
    this.c = Math.floor(stream / 2 ** 32) | 0;
    this.counter = 1;
    for (let round = 0; round < WARM_UP_ROUNDS; round++) this.next();
  }

  /** A signed 32-bit integer. */
  next(): number {
    const result = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + result) | 0;
    return result;
  }

  /** In [0, 1). */
  uniform(): number {
    return (this.next() >>> 0) / 2 ** 32;
  }

  /** An integer in [low, high]; low if high is lower. */
  between(low: number, high: number): number {
    return high <= low ? low : low + Math.floor(this.uniform() * (high - low + 1));
  }

  /** An integer in [0, high], the more often low the higher `power` is; the mean is high / (power + 1). */
  skewed(high: number, power: number): number {
    return Math.floor(high * this.uniform() ** power);
  }

  /** Always draws, so that changing one probability does not change what the next draws give. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }
}
