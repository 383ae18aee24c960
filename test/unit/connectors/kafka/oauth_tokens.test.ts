import assert from "node:assert/strict";
import { maskSecrets } from "@order-payment-stream/beam/io";
import { isOutage } from "../../../../connectors/kafka/client/cluster.js";
import { oauthTokens } from "../../../../connectors/kafka/oauth_tokens.js";
import { OidcIssuer } from "../../../fixtures/oidc_issuer.js";

const SECRET = "Secr3t: of+the client%";

describe("tokens for OAUTHBEARER", () => {
  let issuer: OidcIssuer;
  let nowMs = 0;
  const clock = { elapsed: () => nowMs };
  const source = (clientSecret = SECRET) =>
    oauthTokens(
      { tokenEndpointUrl: issuer.tokenUrl, clientId: "a:client", clientSecret, scope: "kafka read" },
      clock,
    );
  const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());

  beforeEach(async () => {
    issuer = await OidcIssuer.start("a:client", SECRET);
    issuer.lifeSeconds = 100;
    nowMs = 0;
  });

  afterEach(() => issuer.close());

  it("are asked for with client, secret and scope, and shown to nobody", async () => {
    const token = await source()();
    assert.equal(claimsOf(token).scope, "kafka read");
    assert.equal(maskSecrets(`said ${token}`), "said ***");
  });

  it("are asked for once, and again when half of the life is over", async () => {
    const token = source();
    const [first, same] = await Promise.all([token(), token()]);
    assert.equal(first, same);
    nowMs = 49_000;
    assert.equal(await token(), first);
    assert.equal(issuer.tokens, 1);
    nowMs = 50_000;
    const second = await token();
    assert.notEqual(second, first);
    assert.equal(issuer.tokens, 2);
    // Of the past ones none is kept, however many there were.
    assert.equal(maskSecrets(`${first} ${second}`), `${first} ***`);
  });

  it("serve to their end while the issuer is away, which is an outage", async () => {
    const token = source();
    const first = await token();
    issuer.failure = { status: 503, body: "" };
    nowMs = 99_000;
    assert.equal(await token(), first);
    nowMs = 100_000;
    const failsAs = (expected: RegExp) =>
      assert.rejects(token(), (error: Error) => expected.test(error.message) && isOutage(error));
    await failsAs(/^the token endpoint http:.* answers with status 503$/);
    issuer.close();
    await failsAs(/^the token endpoint http:.* cannot be reached: ./);
  });

  it("are refused in one line", async () => {
    const refused = (expected: RegExp, secret = SECRET) =>
      assert.rejects(source(secret)(), (error: Error) => {
        assert.match(error.message, expected);
        assert(!error.message.includes("\n") && !error.message.includes(secret));
        return !isOutage(error);
      });
    await refused(/refuses to give a token for Kafka: status 401, invalid_client: no such client$/, "wrong");
    issuer.failure = { status: 404, body: "<html>" };
    await refused(/status 404$/);
    issuer.failure = { status: 200, body: "<html>" };
    await refused(/its answer holds no access_token$/);
  });

  it("are not asked for elsewhere, where a redirect leads", async () => {
    issuer.failure = { status: 307, body: "", location: "http://127.0.0.1:1/" };
    await assert.rejects(source()(), /cannot be reached: unexpected redirect/);
  });
});
