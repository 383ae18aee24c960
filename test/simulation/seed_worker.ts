/** A process that simulates the seeds it is told to, one after the other. */
import { type GenerateOptions, generateScenario } from "./generate_scenario.js";
import { type SimulationResult, simulate } from "./simulation.js";

export interface SeedRequest {
  readonly from: number;
  readonly count: number;
  readonly options: GenerateOptions;
}

process.on("message", (request: SeedRequest) => {
  simulateAll(request).then(
    (results) => process.send!(results),
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
});

async function simulateAll({ from, count, options }: SeedRequest): Promise<SimulationResult[]> {
  const results: SimulationResult[] = [];
  for (let seed = from; seed < from + count; seed++) {
    // Also before it begins, so that a seed that hangs is known.
    process.title = `seed ${seed}`;
    results.push(await simulate(generateScenario(seed, options)));
  }
  return results;
}
