import assert from "node:assert/strict";
import fc from "fast-check";
import {
  isPlainAddress,
  maskAddress,
  maskSecrets,
  rememberSecretsOf,
} from "../../../../beam/platform/masking.js";

const SPECIAL = [..."/?#@:[]%&=+;,.!$'()*~^`|\\<>{}\"_- \t"];
/** Long and odd enough that no other part of a message can hold it by chance. */
const password = fc
  .array(fc.constantFrom(...SPECIAL, "q", "Z", "7", "ü", "€", "😀"), { minLength: 1, maxLength: 8 })
  .map((units) => `Qx${units.join("")}zJ9`);
const scheme = fc.constantFrom("mongodb://", "mongodb+srv://", "http://", "SASL_SSL://");
const host = fc.constantFrom("h:27017", "db.example.net", "a:1,b:2", "[::1]:27017");

/** The parts that nobody may read: the password, and each stretch of it that says something. */
function revealing(secret: string): string[] {
  return [secret, encodeURIComponent(secret), ...secret.split(/[^\w€ü😀]+/u)].filter(
    (part) => part.length >= 3,
  );
}

function assertHides(shown: string, secret: string): void {
  for (const part of revealing(secret)) assert.ok(!shown.includes(part), `${shown} shows ${part}`);
}

describe("masking", () => {
  it("shows of an address what is certain, and no query", () => {
    for (const [address, shown] of [
      ["mongodb://root:Secr3t@db:27017/x", "mongodb://***@db:27017/x"],
      ["mongodb+srv://u:p%40w@db.example.net/?retryWrites=true", "mongodb+srv://***@db.example.net"],
      ["mongodb://a:1,b:2/x?replicaSet=r", "mongodb://a:1,b:2/x"],
      ["bob:pw@host:9092", "***@host:9092"],
      ["mongodb://root:Secr3t?tail@db:27017", "mongodb://***"],
      ["mongodb://root:Secr3t#tail@db", "mongodb://***"],
      ["mongodb://root:Sec/r3t@db", "mongodb://***"],
      ["mongodb://root:Secr3t", "mongodb://***"],
      ["mongodb:/root:Secr3t@db", "***"],
      ["mongodb://h/?x=ab@cd", "mongodb://***"],
      ["http://[::1]:8081/path", "http://[::1]:8081/path"],
      ["127.0.0.1:9092,b:9092", "127.0.0.1:9092,b:9092"],
    ] as const) {
      assert.equal(maskAddress(address), shown, address);
    }
  });

  it("hides any password in any address, whole or broken", () => {
    const forms: ((scheme: string, secret: string, host: string) => string)[] = [
      (s, p, h) => `${s}root:${p}@${h}/db`,
      (s, p, h) => `${s}root:${encodeURIComponent(p)}@${h}/db?authSource=admin`,
      (s, p, h) => `${s}:${p}@${h}`,
      (s, p, h) => `${s}ro?ot:${p}@${h}`,
      (_, p, h) => `root:${p}@${h}`,
      (s, p, h) => `${s.replace("//", "/")}root:${p}@${h}`,
      (s, p, h) => `${s} root:${p}@${h}`,
      // With a host missing, what follows an `@` of the password looks like one.
      (s, p) => `${s}root:${p.replaceAll("@", "")}`,
      (s, p, h) => `${s}${h}/?tlsCertificateKeyFilePassword=${p}`,
      (s, p, h) => `${s}root:x@${h}/db?proxyPassword=${p}&x=a@b`,
    ];
    fc.assert(
      fc.property(scheme, password, host, fc.constantFrom(...forms), (s, secret, h, form) => {
        assertHides(maskAddress(form(s, secret, h)), secret);
      }),
      { numRuns: 5_000 },
    );
  });

  it("hides in any text what is secret in an address that is in use", () => {
    fc.assert(
      fc.property(scheme, password, host, fc.string(), (s, secret, h, around) => {
        const encoded = encodeURIComponent(secret);
        rememberSecretsOf(`${s}root:${encoded}@${h}/db`);
        for (const form of [secret, encoded, JSON.stringify({ reason: secret })]) {
          const shown = maskSecrets(`${around} login with ${form} failed`);
          assert.ok(!shown.includes(secret) && !shown.includes(encoded), shown);
          assert.ok(!shown.includes(JSON.stringify(secret)), shown);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("hides in a text what stands in addresses, whose rest may go on behind a blank", () => {
    for (const [text, shown] of [
      [
        'cannot read "mongodb://bob:p@ss@host/db" or http://a:b@c, write to me@example.net',
        'cannot read "mongodb://***@host/db" or http://***@c, write to me@example.net',
      ],
      ["no answer from http://h:80/x.", "no answer from http://h:80/x."],
      ['"mongodb://u:12 ab" cd@h" is wrong', '"mongodb://***@h" is wrong'],
      ["mongodb://u:ab?cd is wrong", "mongodb://*** is wrong"],
      ["two plain ones: http://a:1 and http://b:2", "two plain ones: http://a:1 and http://b:2"],
    ] as const) {
      assert.equal(maskSecrets(text), shown);
    }
  });

  it("takes the time that the text takes", () => {
    const long = `mongodb://${"a:@".repeat(20_000)}`;
    const startedMs = performance.now();
    maskAddress(long);
    maskSecrets(long);
    assert.ok(performance.now() - startedMs < 1_000);
    assert.ok(isPlainAddress("mongodb://h"));
  });
});
