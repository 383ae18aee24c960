/**
 * Who may have workers of a pool. A worker does what its runner says, with the rights and the connections of the pool's
 * process, so a pool serves either whoever knows its token, or runners on this machine only.
 *
 * Runners send neither certificates nor metadata with StartWorker, but they hand on the parameters of the job's
 * environment: the token is the one called "token".
 */
import { createHash, timingSafeEqual } from "node:crypto";

/** Who may have workers of a pool. */
export interface PoolAdmission {
  /** Every request must present it. */
  readonly token?: string | undefined;
  /**
   * Hosts that workers may connect to, in addition to this machine. Default: any with a token, none without.
   */
  readonly runnerHosts?: readonly string[] | undefined;
}

const HOST_AND_PORT = /^\[?([^\s/@[\]]+?)\]?:\d{1,5}$/;

/** @throws Error for an address where others than users of this machine could ask */
export function checkBinding(host: string, { token }: PoolAdmission): void {
  if (token !== undefined || isLoopback(host)) return;
  throw new Error(
    `a worker pool at ${host} would do what anybody says who can reach it: expected a loopback address such as 127.0.0.1, or a token in WORKER_POOL_TOKEN`,
  );
}

/** Why a request is refused; undefined: it is not. */
export function refusalOf(
  params: Readonly<Record<string, string>>,
  endpoints: readonly string[],
  admission: PoolAdmission,
): string | undefined {
  const { token } = admission;
  if (token !== undefined && !isSame(params.token ?? "", token)) {
    return "the job does not name this worker pool's token: expected the same WORKER_POOL_TOKEN where the job is submitted as at the pool";
  }
  return refusalOfEndpoints(endpoints, admission);
}

/** As refusalOf, for endpoints that the runner told later. */
export function refusalOfEndpoints(
  endpoints: readonly string[],
  { token, runnerHosts }: PoolAdmission,
): string | undefined {
  if (token !== undefined && runnerHosts === undefined) return undefined;
  for (const endpoint of endpoints) {
    const [, host] = HOST_AND_PORT.exec(endpoint) ?? [];
    if (host === undefined) return `${JSON.stringify(endpoint)} is not an endpoint: expected host:port`;
    if (isLoopback(host) || runnerHosts?.includes(host.toLowerCase())) continue;
    return `this worker pool's workers do not connect to ${host}: expected a runner on this machine, or its host in the pool's WORKER_POOL_RUNNERS`;
  }
  return undefined;
}

function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host);
}

/** In a time that tells nothing of where they differ. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** An IPv6 address as it stands before a port. */
export function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
