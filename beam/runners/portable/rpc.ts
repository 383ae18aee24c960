/**
 * What all calls to a runner share: channels without a limit on message sizes, a deadline for each call, and errors
 * that tell an endpoint where nobody answers from a runner that refuses.
 */
import { type ClientOptions, status as GrpcStatus, type ServiceError } from "@grpc/grpc-js";
import { systemClock } from "../../platform/clock.js";

export const CHANNEL_OPTIONS: ClientOptions = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  // A runner that comes up a moment later is tried again soon.
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 2_000,
};

/** A call to the runner failed. */
export class RunnerCallError extends Error {
  override readonly name: string = "RunnerCallError";

  constructor(
    message: string,
    readonly code: GrpcStatus,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** Nobody answered; what was asked may have been done all the same. */
  get isUnanswered(): boolean {
    return this.code === GrpcStatus.UNAVAILABLE || this.code === GrpcStatus.DEADLINE_EXCEEDED;
  }

  get isUnimplemented(): boolean {
    return this.code === GrpcStatus.UNIMPLEMENTED;
  }
}

export function deadlineIn(timeoutMs: number): Date {
  return new Date(systemClock.now() + timeoutMs);
}

type UnaryCall<Response> = (
  options: { readonly deadline: Date },
  callback: (error: ServiceError | null, response?: Response) => void,
) => unknown;

/** One call. Rejects with a RunnerCallError, at the deadline at the latest. */
export function callOnce<Response>(
  what: string,
  endpoint: string,
  timeoutMs: number,
  call: UnaryCall<Response>,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    call({ deadline: deadlineIn(timeoutMs) }, (error, response) => {
      if (error !== null) reject(callError(what, endpoint, error, timeoutMs));
      else resolve(response!);
    });
  });
}

export function callError(
  what: string,
  endpoint: string,
  error: ServiceError,
  timeoutMs?: number,
): RunnerCallError {
  return new RunnerCallError(messageOf(what, endpoint, error, timeoutMs), error.code, { cause: error });
}

function messageOf(
  what: string,
  endpoint: string,
  { code, details }: ServiceError,
  timeoutMs: number | undefined,
): string {
  switch (code) {
    case GrpcStatus.UNAVAILABLE: {
      const [, last = details] = /Last error: (.*?)(?:\. Resolution note:.*)?$/s.exec(details) ?? [];
      return `the runner at ${endpoint} cannot be reached: ${last.trim().replace(/^Error: /, "")}`;
    }
    case GrpcStatus.DEADLINE_EXCEEDED:
      return `the runner at ${endpoint} did not answer ${what}${timeoutMs === undefined ? "" : ` within ${timeoutMs / 1000} s`}`;
    case GrpcStatus.UNIMPLEMENTED:
      return `the runner at ${endpoint} cannot ${what}`;
    default:
      return `the runner at ${endpoint} refused to ${what}: ${details.trim() || GrpcStatus[code]}`;
  }
}
