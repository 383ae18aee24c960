/**
 * Tokens for logins by OAUTHBEARER, from an OpenID Connect issuer by the client-credentials grant (RFC 6749, section
 * 4.4). One is kept until half of its life is over, and beyond while the issuer is away and it still counts.
 */
import { type Clock, forgetSecret, rememberSecret, systemClock } from "@order-payment-stream/beam/io";
import { TokenRefusedError } from "./client/kafka_errors.js";

/** Who asks for tokens, and where. */
export interface OAuthClient {
  readonly tokenEndpointUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope?: string | undefined;
  /** What the tokens are for, in messages. Default: Kafka. */
  readonly purpose?: string;
}

/** Resolves with a token that counts now. */
export type TokenSource = () => Promise<string>;

const FETCH_TIMEOUT_MS = 5_000;
/**
 * After this share of its life a token is replaced. A broker ends the session with the token, so a login with one that is
 * nearly over would last too short a time to log in again.
 */
const REFRESH_SHARE = 0.5;
/** Of a token whose issuer does not say how long it lives. */
const UNTOLD_LIFE_MS = 60_000;

/** A token as its issuer gives it. */
export interface FreshToken {
  readonly value: string;
  /** How long it counts, ms. */
  readonly lifeMs: number;
}

interface Token {
  readonly value: string;
  /** By the clock's measured time. */
  readonly refreshAtMs: number;
  readonly endsAtMs: number;
}

/**
 * Rejects with a TokenRefusedError when the endpoint refuses the client, and with another error while it is away.
 * @param clock in ms
 */
export function oauthTokens(client: OAuthClient, clock: Pick<Clock, "elapsed"> = systemClock): TokenSource {
  return keptTokens(() => fetchToken(client), clock);
}

/**
 * Keeps an issuer's token, and requests the next one in time.
 * @param issue rejects with a TokenRefusedError where trying again is of no use
 * @param clock in ms
 */
export function keptTokens(
  issue: () => Promise<FreshToken>,
  clock: Pick<Clock, "elapsed"> = systemClock,
): TokenSource {
  let token: Token | undefined;
  let fetching: Promise<Token> | undefined;
  const fetchNext = async (): Promise<Token> => {
    const startedAtMs = clock.elapsed();
    const { value, lifeMs } = await issue();
    return { value, refreshAtMs: startedAtMs + lifeMs * REFRESH_SHARE, endsAtMs: startedAtMs + lifeMs };
  };
  return async () => {
    if (token !== undefined && clock.elapsed() < token.refreshAtMs) return token.value;
    fetching ??= fetchNext().finally(() => {
      fetching = undefined;
    });
    try {
      const fetched = await fetching;
      if (token !== undefined && token.value !== fetched.value) forgetSecret(token.value);
      rememberSecret(fetched.value);
      token = fetched;
    } catch (error) {
      const isStillGood = token !== undefined && clock.elapsed() < token.endsAtMs;
      if (!isStillGood || error instanceof TokenRefusedError) throw error;
    }
    return token!.value;
  };
}

async function fetchToken(client: OAuthClient): Promise<FreshToken> {
  const { tokenEndpointUrl, clientId, clientSecret, scope } = client;
  const form = new URLSearchParams({ grant_type: "client_credentials" });
  if (scope !== undefined) form.set("scope", scope);
  let status: number;
  let body: string;
  try {
    const answer = await fetch(tokenEndpointUrl, {
      method: "POST",
      headers: {
        accept: "application/json",
        authorization: `Basic ${Buffer.from(`${encode(clientId)}:${encode(clientSecret)}`).toString("base64")}`,
      },
      body: form,
      // Another place might be another's.
      redirect: "error",
      signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
    });
    status = answer.status;
    body = await answer.text();
  } catch (error) {
    const { cause, message } = error as Error;
    const reason = cause instanceof Error ? cause.message || (cause as { code?: string }).code : message;
    throw new Error(`the token endpoint ${tokenEndpointUrl} cannot be reached: ${reason}`, { cause: error });
  }
  const fields = fieldsOf(body);
  const endpoint = `the token endpoint ${tokenEndpointUrl}`;
  if (status === 408 || status === 429 || status >= 500) {
    throw new Error(`the token endpoint ${tokenEndpointUrl} answers with status ${status}`);
  }
  const { access_token: value, expires_in: expiresIn } = fields;
  if (status !== 200) {
    throw new TokenRefusedError(endpoint, `status ${status}${reasonOf(fields)}`, client.purpose);
  }
  if (typeof value !== "string" || !/^[\x21-\x7e]+$/.test(value)) {
    throw new TokenRefusedError(endpoint, "its answer holds no access_token", client.purpose);
  }
  const lifeMs = Number(expiresIn) > 0 ? Number(expiresIn) * 1_000 : UNTOLD_LIFE_MS;
  return { value, lifeMs };
}

/** As RFC 6749, section 2.3.1, wants it in front of Basic. */
function encode(text: string): string {
  return new URLSearchParams({ _: text }).toString().slice(2);
}

function fieldsOf(body: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(body));
  } catch {
    return {};
  }
}

function reasonOf({ error, error_description }: Readonly<Record<string, unknown>>): string {
  const reasons = [error, error_description].filter((each) => typeof each === "string");
  return reasons.length === 0 ? "" : `, ${reasons.join(": ").slice(0, 300)}`;
}
