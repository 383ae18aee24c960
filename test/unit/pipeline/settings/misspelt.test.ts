import assert from "node:assert/strict";
import { misspeltVariables, nearestOf } from "../../../../pipeline/settings/misspelt.js";
import { RUN_SETTINGS } from "../../../../pipeline/settings/options.js";

const SETTINGS = Object.keys(RUN_SETTINGS);
const NOTHING = { wrong: [], doubtful: [] };

describe("nearestOf", () => {
  const known = ["kafka_bootstrap", "kafka_start", "drain"];

  it("finds what was meant", () => {
    assert.equal(nearestOf("kafka_bootstrp", known), "kafka_bootstrap");
    assert.equal(nearestOf("drian", known), "drain");
  });

  it("finds nothing where nothing is near", () => {
    assert.equal(nearestOf("colour", known), undefined);
  });
});

describe("misspelt variables", () => {
  it("in .env are refused, each with what was most likely meant", () => {
    const file = { KAFKA_BOOTSTARP: "x", MONGO_URI: "x", state_timeout_minute: "1", KAFKA_GROUP_ID: "x" };
    assert.deepEqual(misspeltVariables(SETTINGS, file, {}).wrong, [
      "KAFKA_BOOTSTARP in .env is unknown: did you mean KAFKA_BOOTSTRAP?",
      "MONGO_URI in .env is unknown: did you mean MONGODB_URI?",
      "state_timeout_minute in .env is unknown: did you mean STATE_TIMEOUT_MINUTES?",
    ]);
  });

  it("that may be another program's are told of once", () => {
    const file = { COMPOSE_PROJECT_NAME: "x", SOMEBODYS_TOKEN: "s3cr3t", PRISM: "/bin/prism" };
    assert.deepEqual(misspeltVariables(SETTINGS, file, {}), {
      wrong: [],
      doubtful: [
        ".env sets names that this program does not know and ignores: COMPOSE_PROJECT_NAME, SOMEBODYS_TOKEN",
      ],
    });
  });

  it("in the environment are told of where they look like ours", () => {
    const environment = {
      KAFKA_BOOTSTARP: "x",
      KAFKA_HOME: "/opt",
      KAFKA_HEAP_OPTS: "-Xmx1g",
      TERM: "x",
      DRAIM: "x",
    };
    assert.deepEqual(misspeltVariables(SETTINGS, {}, environment), {
      wrong: [],
      doubtful: [
        "KAFKA_BOOTSTARP in the environment is unknown and has no effect: did you mean KAFKA_BOOTSTRAP?",
      ],
    });
    assert.deepEqual(misspeltVariables(SETTINGS, {}, { KAFKA_START: "latest", PATH: "/bin" }), NOTHING);
  });
});
