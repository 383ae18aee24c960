/**
 * Who may look. On loopback everybody on this machine, but no page of another site: a browser sends such a page's
 * requests with a Host of that site's choosing, or with its Origin. Elsewhere whoever has the token. Whether the process
 * lives and is ready may be asked by anybody, for those who ask know no token.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

const TOKEN_COOKIE = "order_payment_stream_token";
export const OPEN_PATHS: ReadonlySet<string> = new Set(["/healthz", "/readyz"]);

/** Of this machine alone. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

export interface Refusal {
  readonly status: 401 | 403;
  readonly message: string;
}

export class Access {
  readonly #digest: Buffer | undefined;

  /** @param token undefined: none is asked for, and the host must be a loopback address */
  constructor(
    private readonly host: string,
    token: string | undefined,
  ) {
    this.#digest = token === undefined ? undefined : digestOf(token);
  }

  /** Undefined: come in. */
  refusal(method: string, path: string, headers: IncomingHttpHeaders): Refusal | undefined {
    if (OPEN_PATHS.has(path)) return undefined;
    if (this.#digest === undefined && !this.#isOurName(hostOf(headers.host))) {
      return { status: 403, message: `this is not ${JSON.stringify(headers.host ?? "")}` };
    }
    const { origin } = headers;
    if (method !== "GET" && method !== "HEAD" && origin !== undefined) {
      const from = URL.canParse(origin) ? new URL(origin).host : "";
      if (from !== headers.host) return { status: 403, message: "a page of another site may not do that" };
    }
    if (this.#digest === undefined || this.#isToken(tokenOf(headers))) return undefined;
    return {
      status: 401,
      message: "the token is missing or wrong: open /?token=…, or send Authorization: Bearer … (UI_TOKEN)",
    };
  }

  /** The cookie for a browser that has named the token in the address; undefined: that was not it. */
  cookieFor(token: string): string | undefined {
    if (!this.#isToken(token)) return undefined;
    return `${TOKEN_COOKIE}=${encodeURIComponent(token)}; HttpOnly; SameSite=Strict; Path=/`;
  }

  #isOurName(name: string): boolean {
    return isLoopback(name) || name === this.host;
  }

  #isToken(given: string | undefined): boolean {
    return (
      given !== undefined && this.#digest !== undefined && timingSafeEqual(digestOf(given), this.#digest)
    );
  }
}

function tokenOf({ authorization, cookie }: IncomingHttpHeaders): string | undefined {
  const [, bearer] = /^Bearer (.+)$/i.exec(authorization ?? "") ?? [];
  if (bearer !== undefined) return bearer;
  for (const pair of (cookie ?? "").split(/;\s*/)) {
    const [name, value = ""] = pair.split("=");
    if (name === TOKEN_COOKIE) return decodeURIComponent(value);
  }
  return undefined;
}

/** Without the port, in lower case. */
function hostOf(header = ""): string {
  return header
    .toLowerCase()
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1");
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
