/**
 * What Google's services and their client answer, in one line with what to do. Nothing of the request is repeated, so no
 * credential is either. Source: google.rpc.Code and ErrorInfo; the texts are those that Dataflow, IAM and Compute Engine
 * send.
 */
import { status as Code } from "@grpc/grpc-js";
import { maskSecrets } from "../../platform/masking.js";
import type { DataflowPlace } from "./dataflow_options.js";

/** The service refused, or could not be reached; somebody has to do what the message says. */
export class DataflowError extends Error {
  override readonly name = "DataflowError";

  constructor(
    message: string,
    /** Asking again may help. */
    readonly isOutage = false,
  ) {
    super(message);
  }
}

/** What an answer is about, as far as the message should say it. */
export interface Asked extends DataflowPlace {
  /** Ends "cannot …". */
  readonly what: string;
  readonly job?: string | undefined;
  readonly serviceAccountEmail?: string | undefined;
}

const OUTAGES: ReadonlySet<number> = new Set([
  Code.UNAVAILABLE,
  Code.DEADLINE_EXCEEDED,
  Code.INTERNAL,
  Code.ABORTED,
]);
const NO_CREDENTIALS =
  /could not load the default credentials|unable to (detect|find) a project id|ENOENT.*credential/i;
const BAD_CREDENTIALS = /invalid_grant|could not refresh access token|invalid_rapt|reauth/i;

export function explainDataflowError(error: unknown, asked: Asked): DataflowError {
  if (error instanceof DataflowError) return error;
  const { project, region, what, job = "the job", serviceAccountEmail } = asked;
  const { code, reason } = error as { code?: unknown; reason?: unknown };
  const said = oneLine(error);
  const refused = (advice: string) => new DataflowError(`${advice} (${said})`);
  if (NO_CREDENTIALS.test(said)) {
    return refused(
      "there are no Google credentials: log in with `gcloud auth application-default login`, or name a key file in GOOGLE_APPLICATION_CREDENTIALS",
    );
  }
  if (BAD_CREDENTIALS.test(said) || code === Code.UNAUTHENTICATED) {
    return refused(
      "Google does not accept the credentials: log in again with `gcloud auth application-default login`",
    );
  }
  if (reason === "SERVICE_DISABLED" || /has not been used in project|api.*(is|it is) disabled/i.test(said)) {
    return refused(
      `the Dataflow API is not enabled in the project ${project}: enable it with \`gcloud services enable dataflow.googleapis.com --project=${project}\``,
    );
  }
  if (code === Code.PERMISSION_DENIED) return refused(permissionAdvice(said, asked));
  if (code === Code.RESOURCE_EXHAUSTED || /quota/i.test(said)) {
    return refused(
      `a quota of the project ${project} in ${region} is used up: ask for more at https://console.cloud.google.com/iam-admin/quotas?project=${project}, or lower NUM_WORKERS, MAX_NUM_WORKERS or MACHINE_TYPE`,
    );
  }
  if (code === Code.ALREADY_EXISTS) return nameInUse(job, asked, said);
  if (isAboutRegion(said, region)) {
    return refused(
      `Dataflow does not know the region ${region}: expected one of https://cloud.google.com/dataflow/docs/resources/locations in REGION`,
    );
  }
  if (/bucket|gs:\/\/|staging|temp.?location/i.test(said) && isRefusal(code)) {
    return refused(
      `a bucket of TEMP_LOCATION or STAGING_LOCATION is not there, elsewhere, or not readable for Dataflow: expected one in ${region}, or near it, that the worker's service account can use`,
    );
  }
  if (/image|container/i.test(said) && isRefusal(code)) return refused(IMAGE_ADVICE);
  if (/service account|serviceaccount/i.test(said) && isRefusal(code)) {
    return refused(
      `the service account ${serviceAccountEmail ?? "of the workers"} cannot be used: expected one that is there and has the role roles/dataflow.worker in SERVICE_ACCOUNT_EMAIL`,
    );
  }
  if (code === Code.NOT_FOUND) {
    return refused(`${job} does not exist in ${project}, ${region}: see \`order-payment-stream jobs list\``);
  }
  if (typeof code === "number" && OUTAGES.has(code)) {
    return new DataflowError(`the Dataflow service cannot be reached, or is overloaded: ${said}`, true);
  }
  if (isProgrammers(error)) throw error;
  return new DataflowError(`Dataflow cannot ${what}: ${said}`);
}

export function nameInUse(job: string, { project, region }: DataflowPlace, said?: string): DataflowError {
  return new DataflowError(
    `a job called ${job} already runs in ${project}, ${region}: choose another JOB_NAME, replace it with --update, or end it with \`order-payment-stream jobs drain ${job}\`${said === undefined ? "" : ` (${said})`}`,
  );
}

const IMAGE_ADVICE =
  "the image of SDK_CONTAINER_IMAGE cannot be used: push it (`make push-image`), and give the worker's service account the role roles/artifactregistry.reader";

/** What the service tells of a job that failed, with what to do where that is known. */
export function explainJobMessage(text: string, asked: DataflowPlace): string {
  const said = line(text);
  if (/ImagePullBackOff|ErrImagePull|pull(ing)? image|manifest (unknown|for)|image.*not found/i.test(said)) {
    return `${IMAGE_ADVICE} (${said})`;
  }
  if (/quota/i.test(said)) {
    return `a quota of the project ${asked.project} in ${asked.region} is used up: lower MAX_NUM_WORKERS or MACHINE_TYPE, or ask for more (${said})`;
  }
  return said;
}

function permissionAdvice(said: string, { project, what, serviceAccountEmail }: Asked): string {
  if (/actAs|serviceAccountUser|act as/i.test(said)) {
    return `your account may not use the service account ${serviceAccountEmail ?? "of the workers"}: it needs the role roles/iam.serviceAccountUser there`;
  }
  if (/bucket|storage\./i.test(said)) {
    return "no permission for a bucket of TEMP_LOCATION or STAGING_LOCATION: the role roles/storage.objectAdmin is needed there, for you and for the worker's service account";
  }
  const role = /cannot list|show|metrics|messages/.test(what)
    ? "roles/dataflow.viewer"
    : "roles/dataflow.developer";
  return `no permission in the project ${project} to ${what}: your account needs the role ${role}`;
}

function isAboutRegion(said: string, region: string): boolean {
  return (
    /(unexpected|invalid|unsupported|unknown|not (a )?(valid|supported)).*(region|location|endpoint)/i.test(
      said,
    ) ||
    (said.includes(region) && /\b(region|location)\b.*(not found|not exist|invalid)/i.test(said))
  );
}

function isRefusal(code: unknown): boolean {
  return (
    code === Code.INVALID_ARGUMENT ||
    code === Code.NOT_FOUND ||
    code === Code.FAILED_PRECONDITION ||
    code === Code.PERMISSION_DENIED
  );
}

/** What gax itself throws for an outage has a code. */
function isProgrammers(error: unknown): error is Error {
  return error instanceof TypeError || error instanceof ReferenceError;
}

/** Without the number that gRPC puts in front, and without secrets. */
function oneLine(error: unknown): string {
  const { details, message } = error as { details?: unknown; message?: unknown };
  return line(typeof details === "string" && details !== "" ? details : String(message ?? error));
}

function line(text: string): string {
  const flat = maskSecrets(text).replace(/\s+/g, " ").trim();
  return flat.length > 300 ? `${flat.slice(0, 300)}…` : flat || "no reason given";
}
