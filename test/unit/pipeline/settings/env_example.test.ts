import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import dotenv from "dotenv";
import { envExample } from "../../../../pipeline/settings/env_example.js";
import { checkTogether, RUN_SETTINGS, SETTINGS_BY_SUBJECT } from "../../../../pipeline/settings/options.js";
import { readSettings } from "../../../../pipeline/settings/read_settings.js";
import { variableOf } from "../../../../pipeline/settings/setting.js";

const FILE = new URL("../../../../.env.example", import.meta.url);

describe(".env.example", () => {
  it("is what the settings say (UPDATE_ENV_EXAMPLE=1 writes it)", () => {
    if (process.env.UPDATE_ENV_EXAMPLE) writeFileSync(FILE, envExample());
    assert.equal(readFileSync(FILE, "utf8"), envExample());
  });

  it("has every setting that works, and no other", () => {
    const shown = [...envExample().matchAll(/^#?([A-Z_]+)=/gm)].map(([, variable]) => variable!);
    const working = Object.entries(RUN_SETTINGS)
      .filter(([, setting]) => !("isFlagOnly" in setting))
      .map(([name]) => variableOf(name));
    assert.deepEqual(shown.sort(), working.sort());
  });

  it("changes nothing when it is copied as it is", () => {
    const sources = { flags: {}, environment: {} };
    const copied = readSettings(
      RUN_SETTINGS,
      { ...sources, file: dotenv.parse(envExample()) },
      checkTogether,
    );
    assert.deepEqual(copied.settings, readSettings(RUN_SETTINGS, { ...sources, file: {} }).settings);
  });

  it("names no address, so that run-local brings up its own", () => {
    const file = dotenv.parse(envExample());
    assert.equal(file.KAFKA_BOOTSTRAP, undefined);
    assert.equal(file.MONGODB_URI, undefined);
  });

  it("describes each setting once", () => {
    const names = [...SETTINGS_BY_SUBJECT.values()].flatMap((table) => Object.keys(table));
    assert.equal(new Set(names).size, names.length);
  });
});
