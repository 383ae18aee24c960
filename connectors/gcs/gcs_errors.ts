/**
 * What Google Cloud Storage and its client throw, told apart: what may pass by itself, and what a person must mend.
 * The client marks nothing: a failed request is an error with the HTTP status as its `code`, a failed connection one
 * with the system's code, somewhere along the chain of causes.
 */
import { AssertionError } from "node:assert";

/** It cannot be reached, or is overloaded; trying again may help, and has been tried. */
export class GcsUnavailableError extends Error {
  override readonly name = "GcsUnavailableError";
}

/** Somebody has to change something: a bucket, a permission, credentials. */
export class GcsRefusedError extends Error {
  override readonly name = "GcsRefusedError";
}

/** Nothing came or went for too long, or a connection ended too soon. */
export class StalledError extends Error {
  override readonly name = "StalledError";
}

/** What is wrong on this machine, and stays so: files that hold credentials, and certificates. */
const REFUSAL_CODES =
  /^(ENOENT|EACCES|EPERM|EISDIR|ENOTDIR|EPROTO|ERR_INVALID_\w+|.*(CERT|SIGNATURE|ISSUER|CRL|TLS|SSL).*)$/;

/** What Google's libraries say without a code about credentials that cannot be used. */
const CREDENTIALS_WORDS =
  /could not load the default credentials|could not refresh access token|invalid_grant|unable to (detect|find) a project id/i;

const PROGRAMMER_CLASSES = [TypeError, ReferenceError, SyntaxError, RangeError, EvalError, AssertionError];

/**
 * - `transient`: an outage, and whatever is not known to be something else.
 * - `refused`: an answer, credentials or a certificate that waiting does not change.
 * - `programmer`: a bug, or no error at all.
 */
export type GcsFailure = "transient" | "refused" | "programmer";

export function classifyGcsError(error: unknown): GcsFailure {
  if (error instanceof GcsRefusedError) return "refused";
  const status = statusOf(error);
  if (status !== undefined) {
    return status === 408 || status === 429 || status >= 500 ? "transient" : "refused";
  }
  if (!(error instanceof Error)) return "programmer";
  for (const cause of causes(error)) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (typeof code === "string" && REFUSAL_CODES.test(code)) return "refused";
    if (CREDENTIALS_WORDS.test(message)) return "refused";
  }
  return PROGRAMMER_CLASSES.some((known) => error instanceof known) ? "programmer" : "transient";
}

/** The HTTP status of an answer, if it is one. */
export function statusOf(error: unknown): number | undefined {
  for (const cause of causes(error)) {
    const { code, status, response } = cause as {
      code?: unknown;
      status?: unknown;
      response?: { status?: unknown };
    };
    for (const value of [code, status, response?.status]) {
      const number = Number(value);
      if (number >= 400 && number < 600) return number;
    }
  }
  return undefined;
}

export function isTransient(error: unknown): boolean {
  return classifyGcsError(error) === "transient";
}

/**
 * As an error that says in one line what is wrong and what to do. What it was made from is left out: a failed request
 * carries pages of text, and headers with credentials.
 * @param path what was asked for
 */
export function explainGcsError(error: unknown, path: string): Error {
  if (error instanceof GcsUnavailableError || error instanceof GcsRefusedError) return error;
  const [bucket] = /^gs:\/\/[^/]+/.exec(path) ?? [path];
  const said = oneLine(error);
  const status = statusOf(error);
  const failure = classifyGcsError(error);
  if (failure === "programmer") return error instanceof Error ? error : new TypeError(said);
  if (CREDENTIALS_WORDS.test(said)) {
    return new GcsRefusedError(
      `no valid credentials for ${bucket}: log in with \`gcloud auth application-default login\`, ` +
        `or name a key file in GOOGLE_APPLICATION_CREDENTIALS (${said})`,
    );
  }
  if (status === 401 || status === 403) {
    return new GcsRefusedError(
      `no permission for ${path}: the account needs to read, list, create and delete objects there, ` +
        `for example by the role roles/storage.objectAdmin (${said})`,
    );
  }
  if (status === 404) {
    return new GcsRefusedError(
      `${bucket} does not exist: correct the name, or create it with \`gcloud storage buckets create ${bucket}\``,
    );
  }
  if (failure === "transient") {
    const fault = status === undefined ? rootOf(error) : `${status} ${said}`;
    return new GcsUnavailableError(`${path} cannot be reached: ${fault}`);
  }
  return new GcsRefusedError(`${path}: ${status === undefined ? "" : `${status} `}${said}`);
}

/** What the innermost cause says: the outer ones repeat it, or say less. */
function rootOf(error: unknown): string {
  let said = oneLine(error);
  for (const cause of causes(error)) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (typeof code === "string") return message || code;
    if (message) said = oneLine(cause);
  }
  return said;
}

function* causes(error: unknown): Generator<object> {
  let cause = error;
  for (let depth = 0; depth < 5 && typeof cause === "object" && cause !== null; depth++) {
    yield cause;
    const { errors } = cause as { errors?: unknown };
    if (Array.isArray(errors) && errors[0] instanceof Error) yield errors[0];
    cause = (cause as Error).cause;
  }
}

/** Answers come as a page of JSON or XML at times. */
function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const [, inJson] = /"message":\s*"((?:[^"\\]|\\.)*)"/.exec(text) ?? [];
  const line = (inJson ?? text).replace(/\s+/g, " ").trim();
  return line.length > 200 ? `${line.slice(0, 200)}…` : line || "no reason given";
}
