import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { googleTokens, mskRegionOf, mskTokens } from "../../../pipeline/cloud_tokens.js";

/** Sets variables for one test. */
async function withEnvironment(variables: Record<string, string | undefined>, test: () => Promise<void>) {
  const before = { ...process.env };
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  try {
    await test();
  } finally {
    for (const name of Object.keys(variables)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
}

describe("tokens for MSK with IAM", () => {
  // The signer's own test: src/getMSKAuthToken.spec.ts of aws-msk-iam-sasl-signer-js 1.0.3.
  const CREDENTIALS = {
    AWS_ACCESS_KEY_ID: "testAccessKeyId",
    AWS_SECRET_ACCESS_KEY: "testSecretAccessKey",
    AWS_SESSION_TOKEN: "testSessionToken",
  };

  it("are what the signer's own tests want of them, and signed as AWS says", () =>
    withEnvironment(CREDENTIALS, async () => {
      const url = new URL(Buffer.from(await mskTokens("us-east-1")(), "base64url").toString());
      assert.equal(`${url.protocol}//${url.host}${url.pathname}`, "https://kafka.us-east-1.amazonaws.com/");
      const parameters = Object.fromEntries(url.searchParams);
      const day = parameters["X-Amz-Date"]!.slice(0, 8);
      assert.equal(parameters.Action, "kafka-cluster:Connect");
      assert.equal(parameters["X-Amz-Algorithm"], "AWS4-HMAC-SHA256");
      assert.equal(
        parameters["X-Amz-Credential"],
        `testAccessKeyId/${day}/us-east-1/kafka-cluster/aws4_request`,
      );
      assert.equal(parameters["X-Amz-Security-Token"], "testSessionToken");
      assert.equal(parameters["X-Amz-SignedHeaders"], "host");
      assert.equal(parameters["X-Amz-Expires"], "900");
      assert.match(parameters["User-Agent"]!, /^aws-msk-iam-sasl-signer-js/);
      assert.equal(parameters["X-Amz-Signature"], signatureOf(url, "testSecretAccessKey"));
    }));

  it("are refused in one line without credentials", () =>
    withEnvironment(
      {
        AWS_ACCESS_KEY_ID: undefined,
        AWS_SECRET_ACCESS_KEY: undefined,
        AWS_PROFILE: undefined,
        AWS_EC2_METADATA_DISABLED: "true",
        AWS_SHARED_CREDENTIALS_FILE: "/nowhere",
        AWS_CONFIG_FILE: "/nowhere",
      },
      async () => {
        await assert.rejects(
          mskTokens("us-east-1")(),
          /^TokenRefusedError: AWS refuses to give a token for Kafka: .*credentials/,
        );
      },
    ));

  it("are of the region in the brokers' names", () => {
    assert.equal(mskRegionOf(["b-1.cluster.abc.c2.kafka.eu-central-1.amazonaws.com:9098"]), "eu-central-1");
    assert.equal(mskRegionOf(["boot-x.c1.kafka-serverless.us-west-2.amazonaws.com:9098"]), "us-west-2");
    assert.equal(mskRegionOf(["b-1.x.kafka.cn-north-1.amazonaws.com.cn:9098"]), "cn-north-1");
    assert.equal(mskRegionOf(["broker:9098"]), undefined);
  });
});

/** AWS Signature Version 4 of a URL, but for what was added behind it. */
function signatureOf(url: URL, secretKey: string): string {
  const hash = (text: string) => createHash("sha256").update(text).digest("hex");
  const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();
  const query = [...url.searchParams]
    .filter(([name]) => name !== "X-Amz-Signature" && name !== "User-Agent")
    .map((pair) => pair.map(encodeURIComponent).join("="))
    .sort()
    .join("&");
  const request = ["GET", "/", query, `host:${url.host}\n`, "host", hash("")].join("\n");
  const date = url.searchParams.get("X-Amz-Date")!;
  const scope = `${date.slice(0, 8)}/us-east-1/kafka-cluster/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", date, scope, hash(request)].join("\n");
  let key: string | Buffer = `AWS4${secretKey}`;
  for (const part of scope.split("/")) key = hmac(key, part);
  return hmac(key, toSign).toString("hex");
}

describe("tokens for Google's managed Kafka", () => {
  let folder: string;
  let server: Server;
  let asked = 0;
  let status = 200;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "google-tokens-"));
    server = createServer((_, response) => {
      asked++;
      response.writeHead(status, { "content-type": "application/json" });
      const token = { access_token: `ya29.${asked}`, expires_in: 3_600, token_type: "Bearer" };
      response.end(
        JSON.stringify(status === 200 ? token : { error: "invalid_grant", error_description: "no" }),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    writeFileSync(join(folder, "subject"), "who I am");
    writeFileSync(
      join(folder, "credentials.json"),
      JSON.stringify({
        type: "external_account",
        audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
        token_url: `http://127.0.0.1:${port}/v1/token`,
        credential_source: { file: join(folder, "subject") },
      }),
    );
  });

  after(() => {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true });
  });

  const environment = (file: string) => ({
    GOOGLE_APPLICATION_CREDENTIALS: join(folder, file),
    METADATA_SERVER_DETECTION: "none",
    GOOGLE_CLOUD_PROJECT: "test",
  });

  it("are access tokens in the form that its brokers want, asked for once", () =>
    withEnvironment(environment("credentials.json"), async () => {
      const tokens = googleTokens();
      const token = await tokens();
      const [header, claims, accessToken] = token
        .split(".")
        .map((part) => Buffer.from(part, "base64url").toString());
      assert.deepEqual(JSON.parse(header!), { typ: "JWT", alg: "GOOG_OAUTH2_TOKEN" });
      const { iss, scope, iat, exp } = JSON.parse(claims!);
      assert.deepEqual([iss, scope], ["Google", "kafka"]);
      assert.ok(exp - iat > 3_000 && exp - iat <= 3_600, `${exp - iat} s`);
      assert.equal(accessToken, "ya29.1");
      assert.equal(await tokens(), token);
      assert.equal(asked, 1);
    }));

  it("are refused in one line by Google, and without credentials", async () => {
    status = 400;
    await withEnvironment(environment("credentials.json"), async () => {
      await assert.rejects(
        googleTokens()(),
        /^TokenRefusedError: Google refuses to give a token for Kafka: .*invalid_grant/,
      );
    });
    status = 503;
    await withEnvironment(environment("credentials.json"), async () => {
      await assert.rejects(googleTokens()(), /^Error: Google cannot be reached for a token/);
    });
    await withEnvironment(environment("nowhere.json"), async () => {
      await assert.rejects(
        googleTokens()(),
        /^TokenRefusedError: Google refuses to give a token for Kafka: .*nowhere/,
      );
    });
  });
});
