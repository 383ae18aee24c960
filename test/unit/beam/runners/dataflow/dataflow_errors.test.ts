/** What the service says, in one line with what to do. */
import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { forgetSecret, rememberSecret } from "@order-payment-stream/beam/io";
import {
  explainDataflowError,
  explainJobMessage,
} from "../../../../../beam/runners/dataflow/dataflow_errors.js";

const ASKED = { project: "my-proj", region: "us-central1", what: "create a job", job: "orders" };

function explained(details: string, code?: number, more: object = {}): string {
  const error = Object.assign(new Error(`${code} X: ${details}`), { code, details, ...more });
  const { message } = explainDataflowError(error, ASKED);
  assert.ok(!message.includes("\n"), message);
  return message;
}

describe("errors of the Dataflow service", () => {
  const cases: readonly [string, number | undefined, RegExp][] = [
    [
      "Could not load the default credentials. Browse to https://cloud.google.com/docs for more information.",
      undefined,
      /there are no Google credentials: log in with `gcloud auth application-default login`/,
    ],
    [
      "Request had invalid authentication credentials",
      status.UNAUTHENTICATED,
      /does not accept the credentials/,
    ],
    [
      "Dataflow API has not been used in project 123 before or it is disabled.",
      status.PERMISSION_DENIED,
      /API is not enabled in the project my-proj: .*gcloud services enable dataflow\.googleapis\.com --project=my-proj/,
    ],
    [
      "(abc): Could not create workflow; user does not have write access to project: my-proj",
      status.PERMISSION_DENIED,
      /role roles\/dataflow\.developer/,
    ],
    [
      "Current user cannot act as service account 1-compute@developer.gserviceaccount.com",
      status.PERMISSION_DENIED,
      /role roles\/iam\.serviceAccountUser/,
    ],
    [
      "Quota exceeded for quota metric 'CPUS'",
      status.RESOURCE_EXHAUSTED,
      /a quota of the project my-proj in us-central1/,
    ],
    ["unexpected location: us-central1", status.INVALID_ARGUMENT, /does not know the region us-central1/],
    [
      "The workflow could not be created: bucket my-bucket does not exist",
      status.INVALID_ARGUMENT,
      /a bucket of TEMP_LOCATION or STAGING_LOCATION is not there/,
    ],
    [
      "there is already an active job named orders",
      status.ALREADY_EXISTS,
      /another JOB_NAME, replace it with --update/,
    ],
    [
      "container image not found",
      status.NOT_FOUND,
      /the image of SDK_CONTAINER_IMAGE cannot be used: push it/,
    ],
    [
      "(x): Information about job 17 could not be found",
      status.NOT_FOUND,
      /orders does not exist in my-proj, us-central1/,
    ],
    ["No connection established", status.UNAVAILABLE, /cannot be reached, or is overloaded/],
    ["something else", status.INVALID_ARGUMENT, /^Dataflow cannot create a job: something else$/],
  ];
  for (const [details, code, expected] of cases) {
    it(`says what to do: ${details.slice(0, 50)}`, () => assert.match(explained(details, code), expected));
  }

  it("knows an outage from a refusal", () => {
    const of = (code: number) =>
      explainDataflowError(Object.assign(new Error("x"), { code }), ASKED).isOutage;
    assert.ok(of(status.UNAVAILABLE) && of(status.DEADLINE_EXCEEDED));
    assert.ok(!of(status.INVALID_ARGUMENT) && !of(status.PERMISSION_DENIED));
  });

  it("shows no secret, and lets bugs be bugs", () => {
    rememberSecret("s3cret-token");
    assert.ok(!explained("bad s3cret-token", status.INVALID_ARGUMENT).includes("s3cret"));
    forgetSecret("s3cret-token");
    assert.throws(() => explainDataflowError(new TypeError("x is undefined"), ASKED), TypeError);
  });

  it("explains why a job failed", () => {
    const said = 'Failed to pull image "r/x:1": rpc error: manifest unknown';
    assert.match(explainJobMessage(said, ASKED), /push it .*make push-image/);
    assert.match(explainJobMessage("QUOTA_EXCEEDED: CPUS", ASKED), /lower MAX_NUM_WORKERS/);
    assert.equal(explainJobMessage("a\n  b", ASKED), "a b");
  });
});
