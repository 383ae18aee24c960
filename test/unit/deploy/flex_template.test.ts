/** The Flex Template: the files that stand for it, and that each parameter is a setting that the program takes. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { templateMetadata, templateSpec } from "../../../pipeline/settings/flex_template.js";
import { RUN_SETTINGS } from "../../../pipeline/settings/options.js";
import type { Setting } from "../../../pipeline/settings/setting.js";

const IMAGE = "REGION-docker.pkg.dev/PROJECT/REPOSITORY/order-payment-stream:TAG";
const FILES = [
  ["metadata.json", templateMetadata()],
  ["spec.json", templateSpec(IMAGE)],
] as const;
const { parameters } = templateMetadata();

function settingOf(name: string): Setting {
  const setting = (RUN_SETTINGS as Readonly<Record<string, Setting>>)[name];
  assert.ok(setting !== undefined, `${name} is no setting`);
  return setting;
}

describe("the Flex Template", () => {
  for (const [name, content] of FILES) {
    it(`${name} is what the settings say (UPDATE_TEMPLATE=1 writes it)`, () => {
      const file = new URL(`../../../deploy/template/${name}`, import.meta.url);
      if (process.env.UPDATE_TEMPLATE) writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
      assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), JSON.parse(JSON.stringify(content)));
    });
  }

  it("has parameters that are settings, with regexes that their defaults pass", () => {
    for (const { name, regexes = [], defaultValue, enumOptions, isOptional, helpText } of parameters) {
      const setting = settingOf(name);
      assert.match(name, /^[A-Za-z][\w-]*$/);
      assert.ok(helpText.length > 10);
      if (isOptional) assert.equal(defaultValue, setting.default);
      for (const regex of regexes) {
        const pattern = new RegExp(regex);
        if (defaultValue !== undefined) assert.match(defaultValue, pattern, name);
      }
      assert.ok(regexes.length > 0 || enumOptions !== undefined, `${name} is not checked in the form`);
      for (const { value } of enumOptions ?? []) assert.ok(setting.schema.safeParse(value).success, value);
    }
    assert.deepEqual(
      parameters.filter(({ isOptional }) => !isOptional).map(({ name }) => name),
      ["kafka_bootstrap", "mongodb_uri"],
    );
  });

  it("takes references for secrets, and no secret itself", () => {
    const secrets = parameters.filter(({ name }) => settingOf(name).isSecret);
    assert.ok(secrets.length >= 2);
    for (const { name, regexes } of [...secrets, parameters.find(({ name }) => name === "mongodb_uri")!]) {
      const pattern = new RegExp(regexes![0]!);
      assert.match("projects/p/secrets/s/versions/latest", pattern, name);
      assert.doesNotMatch(name === "mongodb_uri" ? "mongodb://u:p@h" : "hunter2", pattern, name);
    }
    assert.match(
      "mongodb://10.0.0.5:27017",
      new RegExp(parameters.find(({ name }) => name === "mongodb_uri")!.regexes![0]!),
    );
  });
});
