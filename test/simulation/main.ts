/**
 * make sim SEED=n [COUNT=m] [ARGS=…]
 *
 *   one seed     prints its trace, and what is wrong, if anything is; then a smaller scenario with the same fault
 *   many seeds   prints those that fail, and figures
 *
 *   --store=memory|durable --mode=bounded|streaming   instead of what the seed says
 *   --save=NAME     keeps the smaller scenario as a regression, which runs first from then on
 *   --replay=NAME   runs a regression
 *   --quiet         no trace
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type GenerateOptions, generateScenario } from "./generate_scenario.js";
import { regressionPath } from "./regressions.js";
import { MODES, type Scenario, STORES } from "./scenario.js";
import { simulateSeeds } from "./seed_pool.js";
import { shrink } from "./shrink.js";
import { type SimulationResult, simulate } from "./simulation.js";

const FAILURES_MAX = 10;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    count: { type: "string", default: "1" },
    store: { type: "string" },
    mode: { type: "string" },
    save: { type: "string" },
    replay: { type: "string" },
    quiet: { type: "boolean", default: false },
  },
});

const seed = numberOf("seed", values.seed);
const count = numberOf("count", values.count);
const store = oneOf("store", values.store, STORES);
const mode = oneOf("mode", values.mode, MODES);
const options: GenerateOptions = {
  ...(store === undefined ? {} : { store }),
  ...(mode === undefined ? {} : { mode }),
};

if (values.replay !== undefined) {
  await runOne(JSON.parse(readFileSync(regressionPath(values.replay), "utf8")));
} else if (count === 1) {
  await runOne(generateScenario(seed, options));
} else {
  await runMany();
}

async function runOne(scenario: Scenario): Promise<void> {
  console.log(`seed ${scenario.seed}: ${scenario.mode}, ${scenario.store} store`);
  const onTrace = values.quiet ? {} : { onTrace: (line: string) => console.log(line) };
  const result = await simulate(scenario, onTrace);
  console.log(JSON.stringify(result.figures));
  console.log(`trace ${result.trace}`);
  if (result.findings.length === 0) return;
  process.exitCode = 1;
  print(result);
  const [{ checker }] = result.findings as [SimulationResult["findings"][0]];
  const smaller = await shrink(scenario, checker);
  console.log(`\nWith ${smaller.arrivals.length} events it still fails; the faults that it needs:`);
  for (const fault of smaller.faults) console.log(`  ${JSON.stringify(fault)}`);
  print(await simulate(smaller));
  if (values.save === undefined) return;
  writeFileSync(regressionPath(values.save), `${JSON.stringify(smaller, null, 2)}\n`);
  console.log(`saved as ${regressionPath(values.save)}`);
}

async function runMany(): Promise<void> {
  const startedMs = performance.now();
  const totals = await simulateSeeds(
    { from: seed, count, failuresMax: FAILURES_MAX, ...options },
    (result) => {
      if (result.findings.length > 0) print(result);
    },
  );
  const { faults, failed, ...sums } = totals;
  for (const [name, sum] of Object.entries(sums))
    console.log(`${name.padEnd(16)} ${sum.toLocaleString("en-US")}`);
  for (const [kind, sum] of Object.entries(faults).sort()) {
    console.log(`  ${kind.padEnd(14)} ${sum.toLocaleString("en-US")}`);
  }
  console.log(`seconds          ${((performance.now() - startedMs) / 1_000).toFixed(1)}`);
  console.log(failed.length === 0 ? "nothing is wrong" : `${failed.length} seeds fail`);
  if (failed.length > 0) process.exitCode = 1;
}

function print({ seed, findings }: SimulationResult): void {
  console.log(`\nseed ${seed} fails: make sim SEED=${seed}`);
  for (const { checker, message } of findings.slice(0, 5)) console.log(`  ${checker}: ${message}`);
}

function numberOf(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`${name} is "${text}", not a number`);
  return number;
}

function oneOf<T extends string>(
  name: string,
  text: string | undefined,
  choices: readonly T[],
): T | undefined {
  if (text === undefined) return undefined;
  const found = choices.find((choice) => choice === text);
  if (found === undefined) throw new Error(`${name} is "${text}", not one of ${choices.join(", ")}`);
  return found;
}
