import { generateScenario } from "./generate_scenario.js";
import { simulate } from "./simulation.js";

for (let s = 1; s < 40; s++) {
  const a = await simulate(generateScenario(s, { store: "memory" }));
  const b = await simulate(generateScenario(s, { store: "memory" }));
  if (a.trace !== b.trace) console.log("differs", s);
}
console.log("done");
