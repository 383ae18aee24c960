/**
 * Jobs on Dataflow by the command line: submitted, listed, updated, drained, cancelled, written as a template, refused; and
 * no secret anywhere. The service is the fake; the jobs run in name alone.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { DataflowService, prepareDataflowJob } from "@order-payment-stream/beam/dataflow";
import { runnerApi } from "@order-payment-stream/beam/protos";
import { gcsObjects } from "@order-payment-stream/gcs";
import { CommandLine } from "../fixtures/command_line.js";
import { type DataflowUnderTest, IMAGE, startDataflow } from "../fixtures/dataflow.js";
import { productGraph, REFERENCE_SUBMISSION } from "../fixtures/dataflow_graph.js";
import { gcsFixture } from "../fixtures/services.js";
import { until } from "../fixtures/until.js";

const PASSWORD = "projects/my-project/secrets/kafka-password/versions/3";
const URI = "projects/my-project/secrets/mongodb-uri/versions/latest";
const LOGIN = [
  "--kafka_security_protocol=SASL_SSL",
  "--kafka_sasl_username=me",
  `--kafka_sasl_password=${PASSWORD}`,
  `--mongodb_uri=${URI}`,
];

describe("jobs on Dataflow", function () {
  this.timeout(120_000);
  const gcs = gcsFixture();
  let dataflow: DataflowUnderTest;
  let bucket: string;

  before(async () => {
    bucket = await gcs.newBucket();
    const place = { apiEndpoint: gcs.apiEndpoint(), bucket };
    dataflow = await startDataflow({ entrypoint: "/nonexistent" }, place, { isIdle: true });
  });

  after(() => dataflow?.close());

  async function program(
    ...args: string[]
  ): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const command = new CommandLine(args, dataflow.environment);
    const { code } = await command.ended;
    const { stdout, stderr } = command;
    return { code, stdout, stderr };
  }

  const submit = (...args: string[]) => program("run", ...dataflow.flags, "--no_wait", ...args);
  const jobs = (...args: string[]) =>
    program(
      "jobs",
      ...args,
      "--project=my-project",
      "--region=us-central1",
      `--dataflow_endpoint=${dataflow.service.endpoint}`,
    );
  /** The one line of a refusal. */
  async function refusal(...args: string[]): Promise<string> {
    const { code, stderr, stdout } = await submit(...args);
    assert.equal(code, 1, stderr);
    assert.equal(stdout, "");
    return stderr.trimEnd().split("\n").at(-1)!;
  }

  it("are submitted, shown, updated by name, drained and cancelled", async () => {
    const { service } = dataflow;
    const first = await submit("--job_name=orders");
    assert.equal(first.code, 0, first.stderr);
    assert.equal(first.stdout.trim(), service.latest.id);
    assert.match(first.stderr, /console\.cloud\.google\.com/);

    const [again, listed, shown, metrics] = await Promise.all([
      refusal("--job_name=orders"),
      jobs("list"),
      jobs("show", "orders"),
      jobs("metrics", "orders"),
    ]);
    assert.match(again, /a job called orders already runs .*another JOB_NAME, replace it with --update/);
    assert.match(listed.stdout, new RegExp(`^${service.latest.id}  running .* orders\n$`));
    assert.match(shown.stdout, /Worker configuration/);
    assert.match(metrics.stdout, /no metrics yet/);

    const jobsBefore = service.jobs.length;
    const incompatible = await submit(
      "--job_name=orders",
      "--update",
      '--transform_name_mapping={"Nobody":"WriteJoined"}',
    );
    assert.equal(incompatible.code, 1);
    assert.match(
      incompatible.stderr,
      /cannot be updated to this graph; nothing was sent\.\n {2}TRANSFORM_NAME_MAPPING names Nobody/,
    );
    assert.equal(service.jobs.length, jobsBefore);

    const updated = await submit("--job_name=orders", "--update", "--state_timeout_minutes=1");
    assert.equal(updated.code, 0, updated.stderr);
    const [old, now] = service.jobs;
    assert.equal(old!.state, "UPDATED");
    assert.equal(now!.received.replaceJobId, old!.id);
    assert.equal(now!.state, "RUNNING");

    assert.match(
      await refusal("--job_name=nobody", "--update"),
      /no job called nobody runs .*leave out --update/,
    );
    const drained = await jobs("drain", "orders");
    assert.match(drained.stdout, /draining/);
    assert.equal(now!.state, "DRAINED");
    const [none, over] = await Promise.all([jobs("list"), jobs("cancel", now!.id)]);
    assert.equal(none.stdout, "no active jobs\n");
    assert.equal(over.code, 1);
    assert.equal((await jobs("cancel", "orders")).code, 1);
  });

  it("have a page while they are followed, which says what Dataflow does not tell", async () => {
    const command = new CommandLine(["run", ...dataflow.flags, "--job_name=watched"], {
      ...dataflow.environment,
      UI_PORT: "0",
    });
    try {
      const at = await until("the page", () => /"at":"(http:[^"]+)"/.exec(command.stderr)?.[1]);
      const view = await until("a look at the job", async () => {
        const now = (await (await fetch(`${at}/api/now`)).json()) as any;
        return now.phase === "running" && now;
      });
      assert.equal(view.state.sentence, "running on dataflow, which reports no figures while a job runs");
      assert.deepEqual([view.runner, view.tellsFigures, view.stages], ["dataflow", false, []]);
      const asked = await fetch(`${at}/api/explain?order_id=o-1`);
      assert.match(await asked.text(), /this page asks no MongoDB/);
    } finally {
      command.kill("SIGTERM");
    }
    assert.deepEqual(await command.ended, { code: 0, signal: null }, command.stderr);
    assert.match((await jobs("cancel", "watched")).stdout, /cancell/);
  });

  it("are not updated to a graph that cannot take over their state: nothing is sent, and each change is named", async () => {
    // As another version of this program would have submitted it.
    const prepared = prepareDataflowJob(productGraph(), {
      ...REFERENCE_SUBMISSION,
      project: "my-project",
      jobName: "older",
      tempLocation: `gs://${bucket}/tmp`,
      stagingLocation: `gs://${bucket}/staging`,
      sdkContainerImage: IMAGE,
    });
    const older = runnerApi.Pipeline.fromBinary(prepared.staged.bytes);
    for (const transform of Object.values(older.components!.transforms)) {
      if (transform.uniqueName === "WriteJoined") transform.uniqueName = "WritePairs";
      if (transform.uniqueName !== "JoinOrdersPayments") continue;
      const payload = runnerApi.ParDoPayload.fromBinary(transform.spec!.payload);
      payload.stateSpecs.seen = payload.stateSpecs.waiting!;
      transform.spec!.payload = runnerApi.ParDoPayload.toBinary(payload);
    }
    const bytes = runnerApi.Pipeline.toBinary(older);
    const { url } = prepared.staged;
    await gcsObjects({ apiEndpoint: gcs.apiEndpoint() }).write(url, bytes);
    const job = structuredClone(prepared.job) as any;
    job.environment.sdkPipelineOptions.options.pipelineProtoHash = createHash("sha256")
      .update(bytes)
      .digest("hex");
    const place = {
      project: "my-project",
      region: "us-central1",
      dataflowEndpoint: dataflow.service.endpoint,
    };
    const client = new DataflowService(place);
    await client.create(job);
    await client.close();

    const running = dataflow.service.latest;
    const { code, stderr } = await submit("--job_name=older", "--update");
    assert.equal(code, 1);
    assert.match(stderr, /nothing was sent\.\n/);
    assert.match(stderr, /the state cell seen of the step JoinOrdersPayments is gone/);
    assert.match(
      stderr,
      /the step WritePairs is gone: name the one that replaces it in TRANSFORM_NAME_MAPPING/,
    );
    assert.equal(dataflow.service.latest, running);
    assert.equal(running.state, "RUNNING");
    const cancelled = await jobs("cancel", "older");
    assert.equal(cancelled.code, 0, cancelled.stderr);
    assert.equal(running.state, "CANCELLED");
  });

  it("are followed to their end, which a signal does not bring", async () => {
    const command = new CommandLine(["run", ...dataflow.flags, "--job_name=followed"], dataflow.environment);
    await untilLine(command, /state of the job.*running|"state":"running"/);
    command.kill("SIGINT");
    const { code } = await command.ended;
    assert.equal(code, 0, command.stderr);
    assert.match(command.stderr, /the job goes on; end it with `order-payment-stream jobs drain/);
    assert.equal(dataflow.service.latest.state, "RUNNING");
    dataflow.service.latest.cancel();
  });

  it("are refused in one line that says what to do", async () => {
    const { service } = dataflow;
    const cases: readonly [number, string, RegExp][] = [
      [status.PERMISSION_DENIED, "user does not have write access to project", /roles\/dataflow\.developer/],
      [
        status.PERMISSION_DENIED,
        "Dataflow API has not been used in project 1 before or it is disabled",
        /gcloud services enable/,
      ],
      [
        status.RESOURCE_EXHAUSTED,
        "Quota exceeded for CPUS",
        /a quota of the project my-project in us-central1 is used up/,
      ],
    ];
    for (const [code, details, expected] of cases) {
      service.refuseNext("CreateJob", code, details);
      assert.match(await refusal("--job_name=refused"), expected);
    }
    const [region, noBucket, noImage] = await Promise.all([
      refusal("--job_name=refused-a", "--region=mars-north1"),
      refusal("--job_name=refused-b", "--temp_location=gs://there-is-no-such-bucket/x"),
      program("run", ...dataflow.flags, "--sdk_container_image=nobody/has-pushed:it", "--job_name=refused-c"),
    ]);
    assert.match(region, /does not know the region mars-north1/);
    assert.match(noBucket, /gs:\/\/there-is-no-such-bucket does not exist: .*gcloud storage buckets create/);
    assert.equal(noImage.code, 1);
    assert.match(noImage.stderr, /the job failed: the image of SDK_CONTAINER_IMAGE cannot be used: push it/);
  });

  it("need credentials, and say so in one line", async () => {
    const home = mkdtempSync(join(tmpdir(), "no-credentials-"));
    const flags = dataflow.flags.filter((flag) => !flag.startsWith("--dataflow_endpoint"));
    const command = new CommandLine(["run", ...flags, "--no_wait"], {
      HOME: home,
      METADATA_SERVER_DETECTION: "none",
    });
    const { code } = await command.ended;
    rmSync(home, { recursive: true });
    assert.equal(code, 1);
    assert.match(
      command.stderr.trimEnd().split("\n").at(-1)!,
      /^there are no Google credentials: log in with `gcloud auth application-default login`/,
    );
  });

  it("are written to an object for a template's launcher, and not submitted", async () => {
    const jobsBefore = dataflow.service.jobs.length;
    const object = `gs://${bucket}/templates/job_object`;
    // As Google's launcher for Go calls a program.
    const launched = await program(
      "run",
      "--job_name=from-template",
      "--machine_type=n2-standard-2",
      "--project=my-project",
      "--region=us-central1",
      "--runner=DataflowRunner",
      "--sdk_container_image=image:1",
      "--service_account_email=a@b.iam.gserviceaccount.com",
      `--staging_location=gs://${bucket}/staging`,
      `--temp_location=gs://${bucket}/tmp`,
      `--template_location=${object}`,
    );
    assert.equal(launched.code, 0, launched.stderr);
    assert.equal(dataflow.service.jobs.length, jobsBefore);
    const objects = gcsObjects({ apiEndpoint: gcs.apiEndpoint() });
    const job = JSON.parse(Buffer.from(await objects.read(object)).toString());
    assert.equal(job.name, "from-template");
    assert.equal(job.environment.version.job_type, "FNAPI_STREAMING");
    assert.equal(job.environment.workerPools[0].machineType, "n2-standard-2");
    assert.ok((await objects.read(job.environment.sdkPipelineOptions.options.pipelineUrl)).length > 1_000);
  });

  it("hold no secret: not in the job, the graph, the log or the command line", async () => {
    const values = ["s3cret-of-kafka", "s3cret-of-mongodb"];
    const [dry, sent] = await Promise.all([
      program("run", ...dataflow.flags, "--dry_run", ...LOGIN),
      submit("--job_name=secrets", ...LOGIN),
    ]);
    assert.equal(dry.code, 0, dry.stderr);
    assert.equal(sent.code, 0, sent.stderr);
    const { latest } = dataflow.service;
    const everything = [
      dry.stdout,
      dry.stderr,
      sent.stdout,
      sent.stderr,
      JSON.stringify(latest.received),
      Buffer.from(latest.checked.bytes).toString("latin1"),
    ].join("\n");
    for (const value of values) assert.ok(!everything.includes(value));
    assert.equal((latest.checked.options as any).kafka_sasl_password, PASSWORD);
    assert.equal((latest.checked.options as any).mongodb_uri, URI);
    latest.cancel();
    // The values themselves never leave: they are refused before anything is sent.
    const refused = await submit(
      "--job_name=open",
      ...LOGIN.slice(0, 2),
      `--kafka_sasl_password=${values[0]}`,
      `--mongodb_uri=mongodb://u:${values[1]}@h`,
    );
    assert.equal(refused.code, 2);
    for (const value of values) assert.ok(!refused.stderr.includes(value), refused.stderr);
  });
});

async function untilLine(command: CommandLine, pattern: RegExp): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!pattern.test(command.stderr)) {
    if (Date.now() > deadline || command.hasEnded) throw new Error(`no ${pattern}:\n${command.stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
