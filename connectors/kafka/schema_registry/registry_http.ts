/**
 * Requests to a schema registry: where to, as whom, and what each kind of answer means. One that is away, or says that it
 * cannot just now, is tried again by whoever asks; one request goes to each address in turn.
 *
 * The interface is that of Confluent's registry, which Apicurio's has too, under /apis/ccompat/v7.
 * Source: https://docs.confluent.io/platform/current/schema-registry/develop/api.html
 */
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { ConnectionOptions } from "node:tls";

import { certificateHint } from "../client/certificate_hints.js";
import { TokenRefusedError } from "../client/kafka_errors.js";
import type { TokenSource } from "../oauth_tokens.js";
import { NoRegistryError, RegistryRefusedError, RegistryUnreachableError } from "./registry_errors.js";

/** How to be let in. */
export type RegistryLogin =
  | { readonly username: string; readonly password: string }
  | { readonly bearerToken: string }
  | { readonly tokens: TokenSource };

/** Where a registry is, and who asks. */
export interface RegistryAddress {
  /** http:// or https://, without a slash at the end; the others are asked when the first is away. */
  readonly urls: readonly string[];
  readonly login?: RegistryLogin | undefined;
  /** Authorities, and the certificate to show. Default: the system's, and none. */
  readonly tls?: Pick<ConnectionOptions, "ca" | "cert" | "key" | "passphrase"> | undefined;
  /** Beside those of the protocol; Confluent Cloud wants some with OAuth. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** What a registry says. */
export interface RegistryAnswer {
  readonly url: string;
  readonly status: number;
  /** Undefined: the body is not JSON. */
  readonly body: unknown;
  /** Of the body, if it has one: the status and two digits more, 40403 for a schema that there is not. */
  readonly errorCode: number | undefined;
  /** Goes on after a status: ", 40403: Schema not found"; empty when nothing is said. */
  readonly reason: string;
}

const REQUEST_TIMEOUT_MS = 5_000;
const ANSWER_MAX_BYTES = 16 * 1024 * 1024;
const REASON_LENGTH_MAX = 300;
const CONTENT_TYPE = "application/vnd.schemaregistry.v1+json";

/**
 * An answer that is neither an outage nor a refusal.
 * @throws RegistryRefusedError, TokenRefusedError; RegistryUnreachableError: another attempt may do
 */
export async function askRegistry(
  address: RegistryAddress,
  path: string,
  body?: unknown,
): Promise<RegistryAnswer> {
  let failure: unknown;
  for (const url of address.urls) {
    try {
      const answer = await send(url, path, address, body);
      const { status, reason } = answer;
      if (status === 401 || status === 403) {
        throw new RegistryRefusedError(url, status, reason, address.login !== undefined);
      }
      if (status !== 408 && status !== 429 && status < 500) return answer;
      failure = new Error(`it answers with status ${status}${reason}`);
    } catch (error) {
      if (error instanceof RegistryRefusedError || error instanceof TokenRefusedError) throw error;
      failure = error;
    }
  }
  throw new RegistryUnreachableError(address.urls, failure, failure instanceof TlsError);
}

/** @throws NoRegistryError */
export function unexpected({ url, status, reason }: RegistryAnswer, path: string): NoRegistryError {
  return new NoRegistryError(url, path, status === 200 ? "something else" : `status ${status}${reason}`);
}

async function send(
  url: string,
  path: string,
  { login, tls, headers }: RegistryAddress,
  body: unknown,
): Promise<RegistryAnswer> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const authorization = await authorizationOf(login);
  const options = {
    method: text === undefined ? "GET" : "POST",
    // A connection of its own: requests are few, and one that was left idle may be dead.
    agent: false as const,
    headers: {
      accept: `${CONTENT_TYPE}, application/json`,
      ...(text !== undefined && { "content-type": CONTENT_TYPE, "content-length": Buffer.byteLength(text) }),
      ...(authorization !== undefined && { authorization }),
      ...headers,
    },
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  };
  const { status, content } = await new Promise<{ status: number; content: string }>((resolve, reject) => {
    const onAnswer = (answer: IncomingMessage): void => {
      read(answer).then((content) => resolve({ status: answer.statusCode ?? 0, content }), reject);
    };
    const target = url + path;
    const request = target.startsWith("https:")
      ? requestHttps(target, { ...options, ...tls }, onAnswer)
      : requestHttp(target, options, onAnswer);
    request.once("error", (error) => reject(plain(error)));
    request.end(text);
  });
  return answerOf(url, status, content);
}

async function authorizationOf(login: RegistryLogin | undefined): Promise<string | undefined> {
  if (login === undefined) return undefined;
  if ("bearerToken" in login) return `Bearer ${login.bearerToken}`;
  if ("tokens" in login) return `Bearer ${await login.tokens()}`;
  return `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`;
}

async function read(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of answer) {
    length += part.length;
    if (length > ANSWER_MAX_BYTES) {
      answer.destroy();
      throw new Error(`its answer is longer than ${ANSWER_MAX_BYTES} bytes`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function answerOf(url: string, status: number, content: string): RegistryAnswer {
  let body: unknown;
  try {
    body = JSON.parse(content);
  } catch {
    body = undefined;
  }
  const { error_code: code, message } = Object(body) as { error_code?: unknown; message?: unknown };
  const errorCode = typeof code === "number" ? code : undefined;
  const said =
    typeof message === "string" ? `: ${message.replace(/\s+/g, " ").slice(0, REASON_LENGTH_MAX)}` : "";
  return { url, status, body, errorCode, reason: `${errorCode ? `, ${errorCode}` : ""}${said}` };
}

/** Does not get better by waiting. */
class TlsError extends Error {}

/** Node's errors of a connection, in words; several addresses of one host are one error with others inside. */
function plain(error: Error): Error {
  const { code, errors } = error as NodeJS.ErrnoException & { errors?: readonly Error[] };
  if (error.name === "TimeoutError" || error.name === "AbortError") {
    return new Error(`no answer within ${REQUEST_TIMEOUT_MS / 1_000} s`);
  }
  const first = errors?.[0];
  if (first !== undefined) return first;
  const hint = certificateHint(code ?? "", "schema registry");
  if (hint !== undefined) return new TlsError(`${error.message} (${hint})`, { cause: error });
  return error.message === "" ? new Error(code ?? error.name, { cause: error }) : error;
}
