/**
 * Secrets by name: where a setting would hold a password, it may hold the name of a version in Secret Manager instead, and
 * the process that needs the password asks for it with its own account. So what travels with a job is no secret.
 */
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rememberSecret, rememberSecretsOf } from "@order-payment-stream/beam/io";

/** A version of a secret; with a location, one that is kept there alone. */
export const secretReference =
  /^projects\/[\w.:-]+(?:\/locations\/[\w-]+)?\/secrets\/[\w-]{1,255}\/versions\/(?:latest|\d+|[\w-]+)$/;

/** What is asked for a secret. */
export type AccessSecret = (name: string) => Promise<string>;

/** The secret is not there, or may not be read; names it, and never its value. */
export class SecretAccessError extends Error {
  override readonly name = "SecretAccessError";
}

/**
 * Options with each reference replaced by what it stands for; for a setting that names a file, by the path of a file with
 * that content, which only this user can read.
 * @param referable names of the options that may be references
 * @throws SecretAccessError
 */
export async function resolveSecrets(
  options: Readonly<Record<string, unknown>>,
  referable: readonly string[],
  access: AccessSecret = accessSecret,
): Promise<Record<string, unknown>> {
  const resolved: Record<string, unknown> = { ...options };
  for (const name of referable) {
    const reference = options[name];
    if (typeof reference !== "string" || !secretReference.test(reference)) continue;
    const secret = await access(reference);
    rememberSecret(secret);
    if (secret.includes("://")) rememberSecretsOf(secret);
    resolved[name] = name.endsWith("_file") ? privateFile(name, secret) : secret;
  }
  return resolved;
}

const CALL_TIMEOUT_MS = 30_000;
/** Of google.rpc.Code. */
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;

/** Asks Secret Manager, or the emulator that SECRET_MANAGER_EMULATOR_HOST names (host:port). */
export async function accessSecret(name: string): Promise<string> {
  const { SecretManagerServiceClient } = await import("@google-cloud/secret-manager");
  const emulator = process.env.SECRET_MANAGER_EMULATOR_HOST;
  const client = new SecretManagerServiceClient(emulator ? await emulated(emulator) : {});
  try {
    const [{ payload }] = await client.accessSecretVersion({ name }, { timeout: CALL_TIMEOUT_MS });
    // A newline at the end is one that an editor or `echo` has put there.
    return Buffer.from(payload?.data ?? "")
      .toString("utf8")
      .replace(/\r?\n$/, "");
  } catch (error) {
    throw new SecretAccessError(`the secret ${name} cannot be read: ${whyNot(error)}`);
  } finally {
    await client.close();
  }
}

async function emulated(address: string) {
  const { credentials } = await import("@grpc/grpc-js");
  // It asks for no account, so none is looked for.
  process.env.METADATA_SERVER_DETECTION ??= "none";
  const [host, port] = address.split(":");
  return {
    fallback: false,
    apiEndpoint: host!,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
  };
}

function whyNot(error: unknown): string {
  const { code, details, message } = error as { code?: unknown; details?: string; message?: string };
  if (code === NOT_FOUND) return "there is no such secret, or no such version of it";
  if (code === PERMISSION_DENIED) {
    return "no permission: the account that workers run as needs the role roles/secretmanager.secretAccessor";
  }
  if (/could not load the default credentials/i.test(message ?? "")) return "there are no Google credentials";
  return (details || message || String(error)).replace(/\s+/g, " ").slice(0, 200);
}

let folder: string | undefined;

function privateFile(name: string, content: string): string {
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), "order-payment-stream-secrets-"));
    chmodSync(folder, 0o700);
  }
  const file = join(folder, name);
  writeFileSync(file, content.endsWith("\n") ? content : `${content}\n`, { mode: 0o600 });
  return file;
}
