import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kafkaSecurity } from "../../../../pipeline/connections.js";
import { loginProblems } from "../../../../pipeline/settings/kafka_login.js";
import { KAFKA_SETTINGS } from "../../../../pipeline/settings/options.js";
import { readSettings, SettingsError } from "../../../../pipeline/settings/read_settings.js";
import { type Certificate, CertificateAuthority, encryptKey } from "../../../fixtures/certificates.js";

const PASSPHRASE = "Secr3t-passphrase";

function read(environment: Readonly<Record<string, string>>) {
  return readSettings(KAFKA_SETTINGS, { flags: {}, environment, file: {} }, loginProblems).settings;
}

function problems(environment: Readonly<Record<string, string>>): readonly string[] {
  try {
    read(environment);
  } catch (error) {
    assert(error instanceof SettingsError);
    assert(!error.message.includes(PASSPHRASE), error.message);
    return error.problems;
  }
  return [];
}

describe("a client certificate", () => {
  let folder: string;
  let authority: CertificateAuthority;
  let bob: Certificate;
  let encrypted: string;
  const tls = (more: Readonly<Record<string, string>>) => ({ KAFKA_SECURITY_PROTOCOL: "SSL", ...more });
  const of = ({ certFile, keyFile }: Certificate) =>
    tls({ KAFKA_SSL_CERT_FILE: certFile, KAFKA_SSL_KEY_FILE: keyFile });

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "kafka-login-"));
    authority = new CertificateAuthority(folder, "authority");
    bob = authority.issue("bob");
    encrypted = encryptKey(bob.keyFile, PASSPHRASE);
  });

  after(() => rmSync(folder, { recursive: true }));

  it("goes with its key to whoever is connected to by TLS", () => {
    const { ssl } = kafkaSecurity(read(of(bob)));
    assert(typeof ssl === "object");
    assert.match(String(ssl.cert), /BEGIN CERTIFICATE/);
    assert.match(String(ssl.key), /BEGIN PRIVATE KEY/);
    const environment = { ...of({ ...bob, keyFile: encrypted }), KAFKA_SSL_KEY_PASSWORD: PASSPHRASE };
    const secured = kafkaSecurity(read(environment)).ssl;
    assert(typeof secured === "object");
    assert.equal(secured.passphrase, PASSPHRASE);
  });

  it("is refused without the other part", () => {
    const { certFile, keyFile } = bob;
    assert.match(problems(tls({ KAFKA_SSL_CERT_FILE: certFile }))[0]!, /^KAFKA_SSL_KEY_FILE .* is not set/);
    assert.match(problems(tls({ KAFKA_SSL_KEY_FILE: keyFile }))[0]!, /^KAFKA_SSL_CERT_FILE .* is not set/);
  });

  it("is refused with another's key", () => {
    const refusals = problems(of({ ...bob, keyFile: authority.issue("eve").keyFile }));
    assert.equal(refusals.length, 1);
    assert.match(refusals[0]!, /^KAFKA_SSL_KEY_FILE .* holds another key/);
  });

  it("is refused with a wrong passphrase, and without one that is needed", () => {
    const environment = of({ ...bob, keyFile: encrypted });
    assert.match(problems(environment)[0]!, /^KAFKA_SSL_KEY_PASSWORD .* is not set/);
    const [refusal, ...others] = problems({ ...environment, KAFKA_SSL_KEY_PASSWORD: "wrong" });
    assert.match(refusal!, /^KAFKA_SSL_KEY_PASSWORD .* does not open the key/);
    assert.deepEqual(others, []);
  });

  it("is refused when it has expired", () => {
    const [refusal, ...others] = problems(of(authority.issue("late", { days: -1 })));
    assert.match(refusal!, /^KAFKA_SSL_CERT_FILE .*\(the certificate in the file has expired on /);
    assert.deepEqual(others, []);
  });

  it("is refused when the files hold something else", () => {
    const other = join(folder, "other");
    writeFileSync(other, "-----BEGIN PRIVATE KEY-----\nxyz\n-----END PRIVATE KEY-----\n");
    assert.match(problems(of({ ...bob, keyFile: other }))[0]!, /^KAFKA_SSL_KEY_FILE .* cannot be read/);
    assert.match(problems(of({ ...bob, keyFile: bob.certFile }))[0]!, /no private key/);
    assert.match(problems(of({ ...bob, certFile: bob.keyFile }))[0]!, /no certificate/);
  });
});

describe("a login by the credentials of a cloud", () => {
  const login = (more: Readonly<Record<string, string>>) => ({
    KAFKA_SECURITY_PROTOCOL: "SASL_SSL",
    KAFKA_SASL_MECHANISM: "OAUTHBEARER",
    ...more,
  });

  it("needs nothing else for Google, and for MSK the region, which brokers have in their names", () => {
    assert.deepEqual(problems(login({ KAFKA_SASL_OAUTHBEARER_METHOD: "google" })), []);
    const msk = login({ KAFKA_SASL_OAUTHBEARER_METHOD: "aws_msk_iam", KAFKA_BOOTSTRAP: "broker:9098" });
    assert.match(problems(msk)[0]!, /^AWS_REGION .* is not set: expected a region .* brokers' names do not/);
    assert.deepEqual(problems({ ...msk, AWS_REGION: "eu-central-1" }), []);
    const named = "b-1.x.c2.kafka.eu-central-1.amazonaws.com:9098";
    assert.deepEqual(problems({ ...msk, KAFKA_BOOTSTRAP: named }), []);
  });

  it("sends no such token in the open", () => {
    const open = login({
      KAFKA_SASL_OAUTHBEARER_METHOD: "google",
      KAFKA_SECURITY_PROTOCOL: "SASL_PLAINTEXT",
    });
    assert.match(problems(open)[0]!, /^KAFKA_SECURITY_PROTOCOL .* is "SASL_PLAINTEXT": expected SASL_SSL/);
  });
});
