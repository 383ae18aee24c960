/** A certificate that is shown to a server takes the key that it was made for, and the key its passphrase. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { Problem } from "./read_settings.js";
import { secretReference } from "./secret_references.js";
import { variableOf } from "./setting.js";

/** The settings that hold them. */
export interface CertificateNames {
  readonly certificate: string;
  readonly key: string;
  readonly passphrase: string;
  /** What a setting must be. */
  readonly expected: (name: string) => string;
}

/** Settings that are wrong by themselves, or of other commands, are absent. */
export function clientCertificateProblems(
  settings: Readonly<Record<string, unknown>>,
  { certificate: certName, key: keyName, passphrase: passphraseName, expected }: CertificateNames,
): Problem[] {
  const [certificate, key, passphrase] = [certName, keyName, passphraseName].map(
    (name) => settings[name] as string | undefined,
  );
  const missing = (name: string, beside: string): Problem[] =>
    name in settings && settings[name] === undefined
      ? [{ name, text: `is not set: expected ${expected(name)}, to go with ${variableOf(beside)}` }]
      : [];
  const problems = [
    ...(certificate === undefined ? [] : missing(keyName, certName)),
    ...(key === undefined ? [] : missing(certName, keyName)),
  ];
  if (key === undefined || !(passphraseName in settings)) return problems;
  // A reference tells nothing of what it stands for.
  if ([certificate, key, passphrase].some((text) => text && secretReference.test(text))) return problems;
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey({ key, passphrase: passphrase ?? "" });
  } catch {
    if (!key.includes("ENCRYPTED")) {
      const text = "holds a private key that cannot be read: expected one in PEM";
      return [...problems, { name: keyName, text }];
    }
    const what = passphrase === undefined ? "is not set: expected the passphrase of" : "does not open";
    const text = `${what} the key in ${variableOf(keyName)}, which is encrypted`;
    return [...problems, { name: passphraseName, text }];
  }
  if (certificate !== undefined && !new X509Certificate(certificate).checkPrivateKey(privateKey)) {
    const text = `holds another key than the one that the certificate in ${variableOf(certName)} was made for`;
    problems.push({ name: keyName, text });
  }
  return problems;
}
