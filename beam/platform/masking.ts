/**
 * How secrets are kept out of what people read: the one rule for settings, errors, logs and what a worker tells its
 * runner. Hiding too much is the better mistake.
 *
 * - An address is shown as far as it is certain that none of it is a password: without user, password and query. One
 *   that has not the shape of an address is hidden but for its scheme, for a password with a `/`, `?` or `#` in it that
 *   was not escaped may stand anywhere.
 * - Secrets that the process knows are replaced wherever they stand.
 */

export const MASK = "***";

/** user:password@ | hosts | path | query, of which the first and the last are not shown. */
const ADDRESS =
  /^([a-z][a-z0-9+._-]*:\/\/)?([^/?#]*@)?((?:\[[0-9a-f:.%]*\]|[\w.-]*)(?::\d{1,5})?(?:,(?:\[[0-9a-f:.%]*\]|[\w.-]*)(?::\d{1,5})?)*)(\/[^?#@]*)?(?:[?#][^@]*)?$/i;
const SCHEME = /^[a-z][a-z0-9+._-]*:\/\//i;
const URL_IN_TEXT = /[a-z][a-z0-9+._-]*:\/\/[^\s"'<>`]*/gi;
const TRAILING_PUNCTUATION = /[).,:;\]}]+$/;
/** Names of parameters of a query whose values are secrets. */
const SECRET_PARAMETER = /pass|secret|token|credential|key|properties/i;
/** What is shorter stands in half of all texts, and says little. */
const SECRET_LENGTH_MIN = 3;

/** True when it is certain which part of the text is which, as far as a text can tell. */
export function isPlainAddress(text: string): boolean {
  return ADDRESS.test(text);
}

/** scheme://***@host:port/path of an address; all but the scheme hidden where the parts cannot be told apart. */
export function maskAddress(text: string): string {
  const parts = ADDRESS.exec(text);
  if (parts === null) return `${SCHEME.exec(text)?.[0] ?? ""}${MASK}`;
  const [, scheme = "", user, hosts, path = ""] = parts;
  return `${scheme}${user === undefined ? "" : `${MASK}@`}${hosts}${path === "/" ? "" : path}`;
}

/** Of this process, longest first, so that none is hidden half because another is a part of it. */
let secrets: readonly string[] = [];

/** From now on `maskSecrets` hides this text wherever it occurs. */
export function rememberSecret(secret: string): void {
  // Also as it stands in a line of JSON.
  for (const form of [secret, JSON.stringify(secret).slice(1, -1)]) {
    if (form.length < SECRET_LENGTH_MIN || secrets.includes(form)) continue;
    secrets = [...secrets, form].sort((a, b) => b.length - a.length);
  }
}

/** For a text that is no longer secret, such as a token that has been replaced. */
export function forgetSecret(secret: string): void {
  const forms = [secret, JSON.stringify(secret).slice(1, -1)];
  secrets = secrets.filter((known) => !forms.includes(known));
}

/** As rememberSecret, for what is secret in an address, as it is written and as it is sent. */
export function rememberSecretsOf(address: string): void {
  const rest = address.replace(SCHEME, "");
  const [, password] = /^[^:@]*:([^@]*)@/.exec(rest) ?? [];
  if (password !== undefined) rememberBoth(password);
  for (const [, name, value] of rest.matchAll(/[?&]([^=&]+)=([^&#]*)/g)) {
    if (SECRET_PARAMETER.test(name!)) rememberBoth(value!);
  }
}

function rememberBoth(encoded: string): void {
  rememberSecret(encoded);
  try {
    rememberSecret(decodeURIComponent(encoded));
  } catch {
    // It is no encoding, so nobody decodes it.
  }
}

/** A message, a log line or a stack without the secrets of this process, and without those of addresses in it. */
export function maskSecrets(text: string): string {
  let masked = text;
  for (const secret of secrets) {
    if (masked.includes(secret)) masked = masked.replaceAll(secret, MASK);
  }
  if (!masked.includes("://")) return masked;
  return maskUrls(masked);
}

function maskUrls(text: string): string {
  let masked = "";
  let at = 0;
  URL_IN_TEXT.lastIndex = 0;
  for (let found = URL_IN_TEXT.exec(text); found !== null; found = URL_IN_TEXT.exec(text)) {
    const end = found.index + found[0].length;
    const punctuation = TRAILING_PUNCTUATION.exec(found[0])?.[0] ?? "";
    const url = found[0].slice(0, found[0].length - punctuation.length);
    masked += text.slice(at, found.index);
    // A password may have blanks and quotes in it: without a user before them, nothing is sure up to the last `@`.
    const last = isPlainAddress(url) && url.includes("@") ? -1 : text.lastIndexOf("@");
    if (last >= end) {
      masked += (SCHEME.exec(url)?.[0] ?? "") + MASK;
      at = last;
      URL_IN_TEXT.lastIndex = at;
    } else {
      masked += maskAddress(url) + punctuation;
      at = end;
    }
  }
  return masked + text.slice(at);
}
