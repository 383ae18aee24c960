/** The states of a job, by the names of jobs.proto: the client tells them by number or by name. */
import type { Job } from "./dataflow_service.js";

const NAMES = [
  "JOB_STATE_UNKNOWN",
  "JOB_STATE_STOPPED",
  "JOB_STATE_RUNNING",
  "JOB_STATE_DONE",
  "JOB_STATE_FAILED",
  "JOB_STATE_CANCELLED",
  "JOB_STATE_UPDATED",
  "JOB_STATE_DRAINING",
  "JOB_STATE_DRAINED",
  "JOB_STATE_PENDING",
  "JOB_STATE_CANCELLING",
  "JOB_STATE_QUEUED",
  "JOB_STATE_RESOURCE_CLEANING_UP",
  "JOB_STATE_PAUSING",
  "JOB_STATE_PAUSED",
];

export const TERMINAL: ReadonlySet<string> = new Set([
  "JOB_STATE_DONE",
  "JOB_STATE_FAILED",
  "JOB_STATE_CANCELLED",
  "JOB_STATE_UPDATED",
  "JOB_STATE_DRAINED",
]);

/** Of a job, such as JOB_STATE_RUNNING. */
export function stateOf({ currentState }: Job): string {
  return typeof currentState === "number"
    ? (NAMES[currentState] ?? "JOB_STATE_UNKNOWN")
    : (currentState ?? "JOB_STATE_UNKNOWN");
}
