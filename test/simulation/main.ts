import { generateScenario } from "./generate_scenario.js";
import { simulate } from "./simulation.js";

const seed = Number(process.argv[2] ?? 1),
  count = Number(process.argv[3] ?? 1),
  verbose = process.argv[4] === "v";
let bad = 0;
for (let s = seed; s < seed + count; s++) {
  const sc = generateScenario(s, { store: "memory" });
  const t = performance.now();
  const r = await simulate(sc, verbose ? { onTrace: (l) => console.log(l) } : {});
  if (r.findings.length > 0 || count === 1) {
    bad++;
    console.log(
      s,
      sc.mode,
      sc.isWithinBound,
      sc.faults.map((f) => f.kind).join(","),
      JSON.stringify(r.figures),
      (performance.now() - t).toFixed(0) + "ms",
    );
    for (const f of r.findings.slice(0, 3)) console.log("   ", f.checker, f.message.slice(0, 600));
  }
}
console.log(bad, "bad of", count);
