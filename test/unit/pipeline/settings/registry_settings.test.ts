import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registryConfig } from "../../../../pipeline/connections.js";
import { readSettings, SettingsError } from "../../../../pipeline/settings/read_settings.js";
import {
  REGISTRY_SETTINGS,
  registryProblems,
  WRITER_SCHEMA_SETTINGS,
} from "../../../../pipeline/settings/registry_settings.js";

const SECRET = "Secr3t of the registry";
const TABLE = { ...REGISTRY_SETTINGS, ...WRITER_SCHEMA_SETTINGS };

function read(environment: Readonly<Record<string, string>>) {
  return readSettings(TABLE, { flags: {}, environment, file: {} }, registryProblems).settings;
}

function problems(environment: Readonly<Record<string, string>>): readonly string[] {
  try {
    read(environment);
  } catch (error) {
    assert(error instanceof SettingsError);
    assert(!error.message.includes(SECRET), error.message);
    return error.problems;
  }
  return [];
}

describe("the settings of a schema registry", () => {
  const at = (more: Readonly<Record<string, string>>) => ({
    SCHEMA_REGISTRY_URL: "https://a.example/, http://b.example:8081/api",
    ...more,
  });

  it("name one or more, and one way to log in", () => {
    assert.equal(registryConfig(read({})), undefined);
    const basic = at({ SCHEMA_REGISTRY_USERNAME: "bob", SCHEMA_REGISTRY_PASSWORD: SECRET });
    const { urls, login } = registryConfig(read(basic))!;
    assert.deepEqual(urls, ["https://a.example", "http://b.example:8081/api"]);
    assert.deepEqual(login, { username: "bob", password: SECRET });
    const token = registryConfig(read(at({ SCHEMA_REGISTRY_BEARER_TOKEN: SECRET })))!;
    assert.deepEqual(token.login, { bearerToken: SECRET });
    const cloud = at({
      SCHEMA_REGISTRY_OAUTH_TOKEN_ENDPOINT_URL: "https://issuer.example/token",
      SCHEMA_REGISTRY_OAUTH_CLIENT_ID: "bob",
      SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET: SECRET,
      SCHEMA_REGISTRY_LOGICAL_CLUSTER: "lsrc-1",
      SCHEMA_REGISTRY_IDENTITY_POOL_ID: "pool-1",
    });
    assert.deepEqual(registryConfig(read(cloud))!.headers, {
      "target-sr-cluster": "lsrc-1",
      "Confluent-Identity-Pool-Id": "pool-1",
    });
  });

  it("are refused where they lack something, contradict one another, or go nowhere", () => {
    const [half] = problems(at({ SCHEMA_REGISTRY_USERNAME: "bob" }));
    assert.match(
      half!,
      /^SCHEMA_REGISTRY_PASSWORD .* is not set: expected a password, to go with SCHEMA_REGISTRY_USERNAME/,
    );
    const [client] = problems(at({ SCHEMA_REGISTRY_OAUTH_SCOPE: "read" }));
    assert.match(client!, /^SCHEMA_REGISTRY_OAUTH_TOKEN_ENDPOINT_URL .* is not set/);
    const [both] = problems(
      at({
        SCHEMA_REGISTRY_USERNAME: "bob",
        SCHEMA_REGISTRY_PASSWORD: SECRET,
        SCHEMA_REGISTRY_BEARER_TOKEN: SECRET,
      }),
    );
    assert.match(
      both!,
      /^SCHEMA_REGISTRY_BEARER_TOKEN .* is set, and so is SCHEMA_REGISTRY_USERNAME: expected only one way/,
    );
    const [nowhere] = problems({ SCHEMA_REGISTRY_BEARER_TOKEN: SECRET });
    assert.match(nowhere!, /^SCHEMA_REGISTRY_URL .* is not set: .* to go with SCHEMA_REGISTRY_BEARER_TOKEN/);
    for (const url of [
      "registry:8081",
      "ftp://a",
      "http://a?x=1",
      `http://bob:${encodeURIComponent(SECRET)}@a`,
    ]) {
      assert.match(problems({ SCHEMA_REGISTRY_URL: url })[0]!, /^SCHEMA_REGISTRY_URL .*expected http:/, url);
    }
  });
});

describe("schemas of other writers", () => {
  let folder: string;
  const file = (name: string, content: string): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "writer-schemas-"));
  });

  after(() => rmSync(folder, { recursive: true }));

  it("are read from their files, and refused where no event can be read from their values", () => {
    const schema = JSON.stringify({
      type: "record",
      name: "Paid",
      fields: ["order_id", "payment_id"]
        .map((name): object => ({ name, type: "string" }))
        .concat(
          ["payment_date", "created_at"].map((name) => ({ name, type: "long" })),
          [{ name: "amount", type: "int" }],
        ),
    });
    const good = file("good.avsc", schema);
    assert.deepEqual(read({ AVRO_WRITER_SCHEMAS: `${good}, ${good}` }).avro_writer_schemas, [schema, schema]);
    const refused = (path: string) => problems({ AVRO_WRITER_SCHEMAS: path })[0]!;
    assert.match(refused(file("none.avsc", "{")), /none\.avsc: it is not JSON/);
    assert.match(refused(join(folder, "nowhere.avsc")), /ENOENT/);
    const other = file("other.avsc", '{"type":"record","name":"Other","fields":[]}');
    assert.match(
      refused(other),
      /no orders \(its schema has no field order_id.*no payments \(its schema has no field payment_id/,
    );
  });
});
