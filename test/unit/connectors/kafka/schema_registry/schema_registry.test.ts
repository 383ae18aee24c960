import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  oauthTokens,
  type RegisteredSchema,
  type SchemaLookup,
  SchemaRegistry,
  type SchemaRegistryConfig,
} from "@order-payment-stream/kafka";
import { NotReady } from "../../../../../connectors/kafka/record_decoder.js";
import { UnknownSchema } from "../../../../../connectors/kafka/schema_registry/schema_registry.js";
import { type Certificate, CertificateAuthority } from "../../../../fixtures/certificates.js";
import { ConfluentRegistry } from "../../../../fixtures/confluent_registry.js";
import { OidcIssuer } from "../../../../fixtures/oidc_issuer.js";

const SCHEMA = '{"type":"record","name":"A","fields":[]}';
const SECRET = "Secr3t of the registry";

describe("a schema registry", () => {
  let server: ConfluentRegistry;
  const opened: SchemaRegistry[] = [];
  const problems: string[] = [];
  const health = {
    report: (_: string, problem: string) => void problems.push(problem),
    clear: () => void problems.push("well"),
  };

  beforeEach(async () => {
    server = await ConfluentRegistry.start();
    problems.length = 0;
  });

  afterEach(async () => {
    for (const each of opened.splice(0)) each.close();
    await server.close();
  });

  function registry(config: Partial<SchemaRegistryConfig> = {}): SchemaRegistry {
    const made = new SchemaRegistry({ urls: [server.url], health, ...config });
    opened.push(made);
    return made;
  }

  /** As a reader does it: comes again when it is told to. */
  async function settled(
    look: (asked: SchemaRegistry) => SchemaLookup,
    asked = registry(),
  ): Promise<RegisteredSchema | UnknownSchema> {
    for (;;) {
      const found = look(asked);
      if (!(found instanceof NotReady)) return found;
      await new Promise<void>((resolve) => found.onReady(resolve));
    }
  }

  const unknown = (found: RegisteredSchema | UnknownSchema): string => {
    assert.ok(found instanceof UnknownSchema, JSON.stringify(found));
    return found.reason;
  };

  it("is asked once for each id, however many want it, and never again", async () => {
    const { id, guid } = server.add("a-value", SCHEMA);
    const asked = registry();
    const lookups = [1, 2, 3].map(() => settled(() => asked.byId(id)));
    assert.deepEqual(await lookups[0], { schemaType: "AVRO", schema: SCHEMA, references: [] });
    await Promise.all(lookups);
    assert.ok(!(asked.byId(id) instanceof NotReady));
    assert.deepEqual(await settled(() => asked.byGuid(guid)), await lookups[0]);
    assert.deepEqual(server.requests, [`GET /schemas/ids/${id}`, `GET /schemas/guids/${guid}`]);
  });

  it("tells a watch that begins too late, and none that was ended", async () => {
    const { id } = server.add("a-value", SCHEMA);
    const asked = registry();
    const notReady = asked.byId(id) as NotReady;
    let told = 0;
    notReady.onReady(() => told++)();
    await settled(() => asked.byId(id));
    assert.equal(told, 0);
    notReady.onReady(() => told++);
    assert.equal(told, 1);
  });

  it("gives the schemas that one refers to, the innermost first, each once", async () => {
    const money = server.add("money", '{"type":"record","name":"Money","fields":[]}');
    const refer = (to: { subject: string; version: number }) => ({
      name: to.subject,
      subject: to.subject,
      version: to.version,
    });
    const line = server.add("line", '{"type":"record","name":"Line","fields":[]}', {
      references: [refer(money)],
    });
    const { id } = server.add("a-value", SCHEMA, { references: [refer(line), refer(money)] });
    const found = await settled((asked) => asked.byId(id));
    assert.deepEqual((found as RegisteredSchema).references, [money.schema, line.schema]);
    const broken = server.add("b-value", SCHEMA, {
      references: [{ name: "x", subject: "gone", version: 3 }],
    });
    assert.match(
      unknown(await settled((asked) => asked.byId(broken.id))),
      /refers to version 3 of gone, which/,
    );
  });

  it("says of what type a schema is", async () => {
    const { id } = server.add("a-value", "syntax = …", { schemaType: "PROTOBUF" });
    assert.equal(((await settled((asked) => asked.byId(id))) as RegisteredSchema).schemaType, "PROTOBUF");
  });

  it("is asked twice for an id that it does not know, and not for each record", async () => {
    const asked = registry();
    const reason = unknown(await settled(() => asked.byId(4711)));
    assert.match(reason, new RegExp(`${server.url} does not know \\(status 404, 40403: Schema not found\\)`));
    assert.equal(server.requests.length, 2);
    unknown(asked.byId(4711) as UnknownSchema);
    assert.equal(server.requests.length, 2);
  });

  it("does not hold up what has very many ids that there are not", async () => {
    const asked = registry();
    // At once, so that these are waited for at once.
    await Promise.all(Array.from({ length: 16 }, (_, i) => settled(() => asked.byId(1_000 + i))));
    const beganAt = performance.now();
    for (let i = 0; i < 20; i++) unknown(await settled(() => asked.byId(2_000 + i)));
    assert.ok(performance.now() - beganAt < 20 * 400, "not half a second each");
    assert.equal(server.requests.length, 2 * 36);
  });

  it("may learn of an id between the two", async () => {
    const asked = registry();
    const found = settled(() => asked.byId(1));
    while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    server.add("a-value", SCHEMA);
    assert.equal(((await found) as RegisteredSchema).schema, SCHEMA);
  });

  it("that does not look up GUIDs does not know them", async () => {
    server.failure = {
      status: 404,
      body: { error_code: 0, message: "RESTEASY003210: Could not find resource" },
    };
    const found = await settled((asked) => asked.byGuid("89791762-2336-186f-b8df-4a71c2ea5a24"));
    assert.match(unknown(found), /does not look up GUIDs \(status 404: RESTEASY/);
  });

  it("that is away is an outage, told and over when it is there again", async () => {
    const { id } = server.add("a-value", SCHEMA);
    for (const failure of [
      { status: 500, body: { error_code: 50001, message: "Error in the backend data store" } },
      { status: 429, body: "" },
    ]) {
      server.failure = failure;
      const found = settled((asked) => asked.byId(id), registry({ retryMaxMs: 60_000 }));
      while (!problems.some((problem) => problem.includes(`status ${failure.status}`))) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      server.failure = undefined;
      assert.equal(((await found) as RegisteredSchema).schema, SCHEMA);
      assert.equal(problems.at(-1), "well");
    }
  });

  it("that stays away ends the read, in one line", async () => {
    const { url } = server;
    const asked = registry({ retryMaxMs: 300 });
    await server.close();
    await assert.rejects(
      settled(() => asked.byId(1), asked),
      new RegExp(`schema registry cannot be reached at ${url}: connect ECONNREFUSED`),
    );
    assert.match(problems[0]!, /cannot be reached/);
    assert.ok(asked.byId(1) instanceof NotReady, "the next reader tries anew");
    server = await ConfluentRegistry.start();
  });

  it("is looked for at the next address when one is away", async () => {
    const { id } = server.add("a-value", SCHEMA);
    const found = await settled(
      (asked) => asked.byId(id),
      registry({ urls: ["http://127.0.0.1:1", server.url] }),
    );
    assert.equal((found as RegisteredSchema).schema, SCHEMA);
    assert.deepEqual(problems, ["well"]);
  });

  it("that is none is no outage", async () => {
    const answers = [
      {
        failure: { status: 404, body: { error_code: 404, message: "HTTP 404 Not Found" } },
        says: /status 404/,
      },
      { failure: { status: 404, body: "<html>" }, says: /status 404/ },
      { failure: { status: 200, body: "<html>" }, says: /something else/ },
      { failure: { status: 200, body: { hello: 1 } }, says: /something else/ },
      { failure: { status: 302, body: "" }, says: /status 302/ },
    ];
    for (const { failure, says } of answers) {
      server.failure = failure;
      const found = settled((asked) => asked.byId(1));
      await assert.rejects(found, /there is no schema registry at http:.*apis\/ccompat\/v7/);
      await assert.rejects(found, says);
      await assert.rejects(registry().check(), says);
    }
  });

  describe("that wants a login", () => {
    const basic = `Basic ${Buffer.from(`bob:${SECRET}`).toString("base64")}`;

    it("takes a user and a password, or a token", async () => {
      server.add("a-value", SCHEMA);
      server.authorization = basic;
      await registry({ login: { username: "bob", password: SECRET } }).check();
      server.authorization = "Bearer t0ken";
      await registry({ login: { bearerToken: "t0ken" } }).check();
    });

    it("takes a token of an issuer, with the headers of Confluent Cloud", async () => {
      const issuer = await OidcIssuer.start("client", SECRET);
      try {
        const tokens = oauthTokens({
          tokenEndpointUrl: issuer.tokenUrl,
          clientId: "client",
          clientSecret: SECRET,
        });
        server.authorization = `Bearer ${await tokens()}`;
        const headers = { "target-sr-cluster": "lsrc-1", "Confluent-Identity-Pool-Id": "pool-1" };
        await registry({ login: { tokens }, headers }).check();
        assert.equal(server.headers["target-sr-cluster"], "lsrc-1");
        assert.equal(server.headers["confluent-identity-pool-id"], "pool-1");
        const refused = oauthTokens({
          tokenEndpointUrl: issuer.tokenUrl,
          clientId: "client",
          clientSecret: "wrong",
          purpose: "the schema registry",
        });
        await assert.rejects(
          settled((asked) => asked.byId(1), registry({ login: { tokens: refused } })),
          /refuses to give a token for the schema registry: status 401/,
        );
      } finally {
        issuer.close();
      }
    });

    it("refuses a wrong one, or none, at once", async () => {
      server.authorization = basic;
      const wrong = registry({ login: { username: "bob", password: "wrong" } });
      await assert.rejects(
        settled(() => wrong.byId(1)),
        /refuses the login: status 401, 401: Unauthorized/,
      );
      await assert.rejects(registry().check(), /requires a login, and none is set: status 401/);
      server.failure = { status: 403, body: { error_code: 40301, message: "User is denied" } };
      await assert.rejects(
        registry().register("a", SCHEMA),
        /does not allow what was asked .* 40301: User is denied/,
      );
    });
  });

  describe("by TLS", () => {
    let folder: string;
    let authority: CertificateAuthority;

    before(() => {
      folder = mkdtempSync(join(tmpdir(), "schema-registry-tls-"));
      authority = new CertificateAuthority(folder, "authority");
    });

    after(() => rmSync(folder, { recursive: true }));

    const contentOf = (file: string): string => readFileSync(file, "utf8");

    async function failure(certificate: Certificate, tls: object, wantsOne = false): Promise<string> {
      const [cert, key] = [certificate.certFile, certificate.keyFile].map(contentOf);
      const ca = contentOf(authority.certFile);
      const guarded = await ConfluentRegistry.start({
        tls: { cert: cert!, key: key!, ca, requestCert: wantsOne, rejectUnauthorized: wantsOne },
      });
      try {
        const beganAt = performance.now();
        const error = await registry({ urls: [guarded.url], tls, retryMaxMs: 60_000 })
          .check()
          .then(
            () => undefined,
            (error: Error) => error,
          );
        assert.ok(performance.now() - beganAt < 5_000);
        return error?.message ?? "well";
      } finally {
        await guarded.close();
      }
    }

    it("says at once what is wrong with a certificate, and what to do", async () => {
      const ca = [contentOf(authority.certFile)];
      const good = authority.issue("good", { alternativeNames: "IP:127.0.0.1" });
      assert.equal(await failure(good, { ca }), "well");
      assert.match(await failure(good, {}), /by an authority that is not trusted here: name its CA file\)$/);
      const elsewhere = authority.issue("elsewhere", { alternativeNames: "DNS:registry.example" });
      assert.match(
        await failure(elsewhere, { ca }),
        /certificate is for other names: connect by one of those\)$/,
      );
      const expired = authority.issue("expired", { alternativeNames: "IP:127.0.0.1", days: -1 });
      assert.match(await failure(expired, { ca }), /the schema registry's certificate is not valid now\)$/);
    });

    it("shows its own to a registry that wants one, and says when that has none", async () => {
      const ca = [contentOf(authority.certFile)];
      const good = authority.issue("server", { alternativeNames: "IP:127.0.0.1" });
      const bob = authority.issue("bob");
      const own = { ca, cert: contentOf(bob.certFile), key: contentOf(bob.keyFile) };
      assert.equal(await failure(good, own, true), "well");
      assert.match(await failure(good, { ca }, true), /the schema registry requires a client certificate/);
    });
  });

  it("takes a schema once", async () => {
    const asked = registry();
    const id = await asked.register("orders:v1/value", SCHEMA);
    assert.equal(await asked.register("orders:v1/value", SCHEMA), id);
    assert.deepEqual(server.subjects(), ["orders:v1/value"]);
    server.failure = {
      status: 409,
      body: { error_code: 409, message: "Schema being registered is incompatible" },
    };
    await assert.rejects(
      asked.register("a-value", SCHEMA),
      /does not accept the schema of a-value: status 409, 409: Schema being/,
    );
  });
});
