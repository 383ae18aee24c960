/**
 * What Google Cloud Storage and its client throw, told apart: what may pass by itself, and what a person must mend.
 * The client marks nothing: a failed request is an error with the HTTP status as its `code`, a failed connection one
 * with the system's code, somewhere along the chain of causes.
 */

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

const NETWORK_CODES: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "ESOCKETTIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ERR_STREAM_PREMATURE_CLOSE",
]);
const NETWORK_WORDS =
  /socket hang up|premature close|unexpected connection closure|socket connection timeout/i;

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
  const status = statusOf(error);
  if (status !== undefined) return status === 408 || status === 429 || status >= 500;
  return networkFault(error) !== undefined;
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
  if (/could not load the default credentials|could not refresh access token|invalid_grant/i.test(said)) {
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
  if (isTransient(error)) {
    const fault = status === undefined ? (networkFault(error) ?? said) : `${status} ${said}`;
    return new GcsUnavailableError(`${path} cannot be reached: ${fault}`);
  }
  return new GcsRefusedError(`${path}: ${status === undefined ? "" : `${status} `}${said}`);
}

function networkFault(error: unknown): string | undefined {
  for (const cause of causes(error)) {
    if (cause instanceof StalledError) return cause.message;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (typeof code === "string" && NETWORK_CODES.has(code)) return message || code;
    if (NETWORK_WORDS.test(message)) return message;
  }
  return undefined;
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
