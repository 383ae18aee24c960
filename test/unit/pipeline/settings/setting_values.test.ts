import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import type { z } from "zod";
import {
  brokers,
  checkpoint,
  collectionName,
  databaseName,
  decimal,
  durationMs,
  gcsPath,
  httpUrl,
  minutesMs,
  mongoUri,
  oneOf,
  pemFile,
  saslExtensions,
  startPoint,
  timestampMs,
  tokenEndpoint,
  wholeNumber,
  whyNot,
  yesOrNo,
} from "../../../../pipeline/settings/setting_values.js";

const WRONG = Symbol("wrong");

function parse(schema: z.ZodType<unknown, string>, text: string): unknown {
  const result = schema.safeParse(text);
  return result.success ? result.data : WRONG;
}

function cases(name: string, schema: z.ZodType<unknown, string>, expected: readonly [string, unknown][]) {
  describe(name, () => {
    for (const [text, value] of expected) {
      it(`${JSON.stringify(text)} ${value === WRONG ? "is refused" : `is ${JSON.stringify(value)}`}`, () => {
        assert.deepEqual(parse(schema, text), value);
      });
    }
  });
}

cases("a duration", durationMs(0), [
  ["30", 30_000],
  ["30s", 30_000],
  ["500ms", 500],
  [" 1.5 s ", 1500],
  ["2m", 120_000],
  ["1h", 3_600_000],
  ["0", 0],
  ["-1", WRONG],
  ["1d", WRONG],
  ["s", WRONG],
  ["1e3", WRONG],
  ["1.2.3", WRONG],
  ["9999999999h", WRONG],
]);
cases("a duration above 0", durationMs(1), [
  ["1ms", 1],
  ["0.1ms", WRONG],
]);
cases("minutes", minutesMs, [
  ["15", 900_000],
  ["0.5", 30_000],
  [".001", 60],
  ["0", WRONG],
  ["15m", WRONG],
  ["Infinity", WRONG],
  ["0x10", WRONG],
]);
cases("a whole number", wholeNumber(1, 10), [
  ["10", 10],
  ["0", WRONG],
  ["11", WRONG],
  ["1.5", WRONG],
]);
cases("a decimal", decimal(0, 1), [
  ["0.02", 0.02],
  ["1", 1],
  ["1.01", WRONG],
  ["NaN", WRONG],
]);
cases("yes or no", yesOrNo, [
  ["true", true],
  ["NO", false],
  ["perhaps", WRONG],
]);
cases("one of several", oneOf("SASL_SSL", "keep"), [
  ["sasl_ssl", "SASL_SSL"],
  ["Keep", "keep"],
  ["kept", WRONG],
]);
cases("brokers", brokers, [
  ["a:1", ["a:1"]],
  ["a.b:9092, [::1]:9093", ["a.b:9092", "[::1]:9093"]],
  ["a", WRONG],
  ["a:0", WRONG],
  ["a:65536", WRONG],
  ["a:1,", WRONG],
  ["http://a:1", WRONG],
  ["bob@a:1", WRONG],
]);
cases("a time", timestampMs, [
  ["2026-01-31T12:00:00Z", Date.UTC(2026, 0, 31, 12)],
  ["2026-01-31T12:00:00+01:00", Date.UTC(2026, 0, 31, 11)],
  ["2026-01-31T12:00:00", Date.UTC(2026, 0, 31, 12)],
  ["2026-01-31", Date.UTC(2026, 0, 31)],
  ["1769860800000", 1_769_860_800_000],
  ["2026-02-30", WRONG],
  ["yesterday", WRONG],
]);
cases("a start", startPoint, [
  ["Latest", "latest"],
  ["group", "group"],
  ["2026-01-31", { timestampMs: Date.UTC(2026, 0, 31) }],
  ["newest", WRONG],
]);
cases("a MongoDB URI", mongoUri, [
  ["mongodb://127.0.0.1:27017", "mongodb://127.0.0.1:27017"],
  ["mongodb+srv://cluster.example.net/db", "mongodb+srv://cluster.example.net/db"],
  ["http://127.0.0.1", WRONG],
  ["mongodb://", WRONG],
  ["mongodb://127.0.0.1:27017/?nonsense=1", WRONG],
]);

cases("a place in Google Cloud Storage", gcsPath, [
  ["gs://bucket/a/b/", { bucket: "bucket", prefix: "a/b" }],
  ["gs://bucket", { bucket: "bucket", prefix: "" }],
  ["s3://bucket/a", WRONG],
  ["bucket", WRONG],
]);

cases("a URL", httpUrl, [
  ["http://127.0.0.1:4443/", "http://127.0.0.1:4443"],
  ["127.0.0.1:4443", WRONG],
  ["gs://bucket", WRONG],
]);

cases("a checkpoint", checkpoint, [
  ["Latest", "latest"],
  ["20260131T120000Z-0a1b2c3d", "20260131T120000Z-0a1b2c3d"],
  ["2026-01-31", WRONG],
]);

describe("a PEM file", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "pem-file-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("is its content", () => {
    const path = join(folder, "ca.pem");
    const content = `${rootCertificates[0]}\n${rootCertificates[1]}\n`;
    writeFileSync(path, content);
    assert.equal(parse(pemFile, path), content);
  });

  it("is refused with the reason", () => {
    const path = join(folder, "other.pem");
    writeFileSync(path, "nothing");
    const why = (file: string) => whyNot(pemFile.safeParse(file).error!);
    assert.match(why(path)!, /no certificate/);
    writeFileSync(
      path,
      `${rootCertificates[0]}\n-----BEGIN CERTIFICATE-----\nxyz\n-----END CERTIFICATE-----\n`,
    );
    assert.match(why(path)!, /certificate 2 of 2 .* is not valid/);
    assert.match(why(join(folder, "missing.pem"))!, /ENOENT/);
  });
});

const name = (text: string): [string, unknown] => [text, text];
const refused = (text: string): [string, unknown] => [text, WRONG];

cases("extensions of a login", saslExtensions, [
  ["logicalCluster=lkc-1,identityPoolId=pool-2", { logicalCluster: "lkc-1", identityPoolId: "pool-2" }],
  [" a=b=c ", { a: "b=c" }],
  ...["", "a", "a=", "=b", "a1=b", "a=1,a=2", "auth=x", "a=b\u0001c"].map((text): [string, unknown] => [
    text,
    WRONG,
  ]),
]);

cases("a token endpoint", tokenEndpoint, [
  ["https://issuer.example/oauth2/token/", "https://issuer.example/oauth2/token/"],
  ["http://127.0.0.1:8080/token?tenant=1", "http://127.0.0.1:8080/token?tenant=1"],
  ...["issuer.example", "ftp://issuer", "https://a:b@issuer/"].map((text): [string, unknown] => [
    text,
    WRONG,
  ]),
]);

cases("the name of a database", databaseName, [
  ...["spark_streaming", "a-b", "é", "x".repeat(63)].map(name),
  ...["", "a.b", "a/b", "a\\b", "a b", "a$b", 'a"b', "a*b", "a<b", "a:b", "a|b", "a?b", "a\0b"].map(refused),
  ...["x".repeat(64), "é".repeat(32), "local", "config"].map(refused),
]);

cases("the name of a collection", collectionName, [
  ...["dead_letters", "a.b", "a b", "x".repeat(190)].map(name),
  ...["", "a$b", "system.users", ".a", "a.", "a..b", "a\0b", "x".repeat(191)].map(refused),
]);
