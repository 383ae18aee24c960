import assert from "node:assert/strict";
import { VirtualClock } from "../../../../beam/platform/clock.js";
import { Health } from "../../../../beam/platform/health.js";

describe("Health", () => {
  it("knows for each component what is wrong and since when, until it is cleared", () => {
    const clock = new VirtualClock(1_000);
    const told: string[] = [];
    const health = new Health(clock, (component, now) =>
      told.push(`${component}: ${now?.problem ?? "well"}`),
    );
    assert.deepEqual(health.problems(), []);
    health.clear("Kafka");
    health.report("MongoDB", "does not answer");
    clock.advanceTo(2_000);
    health.report("Kafka", "no broker answers");
    health.report("MongoDB", "does not answer");
    clock.advanceTo(3_000);
    health.report("MongoDB", "refuses the password");
    assert.deepEqual(health.problems(), [
      { component: "MongoDB", problem: "refuses the password", sinceMs: 1_000 },
      { component: "Kafka", problem: "no broker answers", sinceMs: 2_000 },
    ]);
    health.clear("MongoDB");
    health.clear("MongoDB");
    assert.deepEqual(
      health.problems().map(({ component }) => component),
      ["Kafka"],
    );
    health.clear("Kafka");
    assert.deepEqual(told, [
      "MongoDB: does not answer",
      "Kafka: no broker answers",
      "MongoDB: refuses the password",
      "MongoDB: well",
      "Kafka: well",
    ]);
  });
});
