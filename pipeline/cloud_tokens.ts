/**
 * Tokens for Kafka by the credentials of the machine in a cloud: Google's for its managed Kafka, Amazon's for MSK with IAM.
 * What speaks with the clouds is loaded when a login needs it.
 */
import { systemClock } from "@order-payment-stream/beam/io";
import {
  type FreshToken,
  keptTokens,
  TokenRefusedError,
  type TokenSource,
} from "@order-payment-stream/kafka";

const CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform";
/** Of a token whose issuer does not say how long it counts. */
const UNTOLD_LIFE_MS = 60_000;

/**
 * By Google's application default credentials: a file that GOOGLE_APPLICATION_CREDENTIALS names, gcloud's, or those of the
 * machine's service account. Rejects with a TokenRefusedError without any.
 */
export function googleTokens(): TokenSource {
  let issue: Promise<() => Promise<FreshToken>> | undefined;
  return keptTokens(async () => {
    issue ??= googleIssuer();
    try {
      return await (await issue)();
    } catch (error) {
      issue = undefined;
      const { message, status, code } = error as { message?: string; status?: number; code?: unknown };
      const answered = Number(status ?? code);
      const isRefused = answered >= 400 && answered < 500 && answered !== 408 && answered !== 429;
      if (isRefused || /default credentials|ENOENT|not valid JSON|private key/i.test(message ?? "")) {
        throw new TokenRefusedError("Google", String(message).replace(/\s+/g, " ").slice(0, 300));
      }
      throw new Error(`Google cannot be reached for a token: ${message}`, { cause: error });
    }
  });
}

async function googleIssuer(): Promise<() => Promise<FreshToken>> {
  const { GoogleAuth } = await import("google-auth-library");
  const auth = new GoogleAuth({ scopes: [CLOUD_PLATFORM] });
  const client = await auth.getClient();
  const account = (await auth.getCredentials().catch(() => undefined))?.client_email;
  return async () => {
    const { token } = await client.getAccessToken();
    if (!token) throw new Error("Google's answer holds no token");
    const nowMs = systemClock.now();
    const endsAtMs = client.credentials.expiry_date ?? nowMs + UNTOLD_LIFE_MS;
    return { value: googleKafkaToken(token, account, nowMs, endsAtMs), lifeMs: endsAtMs - nowMs };
  };
}

/**
 * The form that Google's brokers want: a JSON Web Token that has the access token in place of its signature. Source:
 * https://cloud.google.com/managed-service-for-apache-kafka/docs/authentication-kafka
 */
export function googleKafkaToken(
  accessToken: string,
  account: string | undefined,
  nowMs: number,
  endsAtMs: number,
): string {
  const claims = {
    exp: Math.floor(endsAtMs / 1_000),
    iss: "Google",
    iat: Math.floor(nowMs / 1_000),
    scope: "kafka",
    sub: account ?? "",
  };
  const header = { typ: "JWT", alg: "GOOG_OAUTH2_TOKEN" };
  return [JSON.stringify(header), JSON.stringify(claims), accessToken]
    .map((part) => Buffer.from(part).toString("base64url"))
    .join(".");
}

/**
 * By Amazon's default chain: AWS_ACCESS_KEY_ID and its like, a profile, a web identity, the role of the machine. Rejects
 * with a TokenRefusedError where it finds nothing at first; later that is an outage.
 */
export function mskTokens(region: string): TokenSource {
  let hasWorked = false;
  return keptTokens(async () => {
    const { generateAuthToken } = await import("aws-msk-iam-sasl-signer-js");
    try {
      const { token, expiryTime } = await generateAuthToken({ region });
      hasWorked = true;
      return { value: token, lifeMs: expiryTime - systemClock.now() };
    } catch (error) {
      const { name, message } = error as Error;
      if (!hasWorked && name === "CredentialsProviderError") throw new TokenRefusedError("AWS", message);
      throw new Error(`AWS gives no credentials for Kafka: ${message}`, { cause: error });
    }
  });
}

/** The region that a broker of MSK has in its name. */
export function mskRegionOf(brokers: readonly string[]): string | undefined {
  for (const broker of brokers) {
    const region = /\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?:\d+$/i.exec(broker)?.[1];
    if (region !== undefined) return region;
  }
  return undefined;
}
