import assert from "node:assert/strict";
import { RUN_LOCAL_SETTINGS } from "../../../../pipeline/commands/command_options.js";
import { PRODUCE_SETTINGS, sharesOf } from "../../../../pipeline/commands/load_options.js";
import { whereToLook } from "../../../../pipeline/commands/run_local.js";
import { RUN_SETTINGS } from "../../../../pipeline/settings/options.js";
import { readSettings } from "../../../../pipeline/settings/read_settings.js";
import type { SettingsTable } from "../../../../pipeline/settings/setting.js";
import { DEFAULT_SHARES } from "../../../../producers/shares.js";

const NOTHING = { flags: {}, environment: {}, file: {} };

describe("the settings of the commands", () => {
  const tables: Readonly<Record<string, SettingsTable>> = {
    RUN_SETTINGS,
    PRODUCE_SETTINGS,
    RUN_LOCAL_SETTINGS,
  };
  for (const [name, table] of Object.entries(tables)) {
    it(`${name} have defaults that they would accept themselves`, () => {
      readSettings(table, NOTHING);
    });
  }

  it("have a flag for each share of a fault", () => {
    const { settings } = readSettings(PRODUCE_SETTINGS, NOTHING);
    assert.equal(settings.far_duplicate_share, DEFAULT_SHARES.farDuplicate);
    assert.deepEqual(sharesOf(settings), DEFAULT_SHARES);
    const flags = Object.keys(PRODUCE_SETTINGS).filter((name) => name.endsWith("_share"));
    assert.equal(flags.length, Object.keys(DEFAULT_SHARES).length);
  });

  it("are short for run-local, unless something else is set", () => {
    const { settings } = readSettings(RUN_LOCAL_SETTINGS, NOTHING);
    assert.equal(settings.state_timeout_minutes, 30_000);
    assert.equal(settings.max_out_of_orderness, 5_000);
    const environment = { STATE_TIMEOUT_MINUTES: "15", MAX_OUT_OF_ORDERNESS: "30" };
    const set = readSettings(RUN_LOCAL_SETTINGS, { ...NOTHING, environment }).settings;
    assert.equal(set.state_timeout_minutes, 900_000);
    assert.equal(set.max_out_of_orderness, 30_000);
  });
});

describe("whereToLook", () => {
  it("names a database that mongosh finds, and no password", () => {
    const { settings } = readSettings(RUN_SETTINGS, NOTHING);
    const lines = whereToLook({ ...settings, mongodb_uri: "mongodb://bob:pw@host:1/admin?tls=true" }).join(
      "\n",
    );
    assert.match(lines, /mongosh mongodb:\/\/\*\*\*@host:1\/spark_streaming --eval/);
    assert(!lines.includes("pw"));
  });
});
