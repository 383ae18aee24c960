/** Chance by seed. Each purpose has a stream of its own, so that one more draw in one place changes nothing elsewhere. */
import { Random } from "../../../producers/random.js";

const STREAMS = {
  scenario: 1,
  order: 2,
  kafka: 3,
  mongodb: 4,
  disk: 5,
  process: 6,
  brokers: 7,
  standstill: 8,
} as const;

export type Purpose = keyof typeof STREAMS;

export function randomFor(seed: number, purpose: Purpose): Random {
  const random = new Random();
  random.reseed(seed, STREAMS[purpose]);
  return random;
}

export function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[random.between(0, choices.length - 1)]!;
}
