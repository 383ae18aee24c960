/**
 * The job beside those that Beam's Go and Python SDKs send, field by field: what must be equal is, and each difference has
 * its reason here. A field that neither the job nor this table explains fails the test.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Collection, coders, create, createPipeline, flattenAll } from "@order-payment-stream/beam";
import { prepareDataflowJob, UnsupportedOnDataflowError } from "@order-payment-stream/beam/dataflow";
import { runnerApi } from "../../../../../beam/model/apache_beam.js";
import { urns } from "../../../../../beam/model/urns.js";
import { SDK_BASE_CAPABILITY, SDK_VERSION } from "../../../../../beam/model/version.js";
import { productGraph, REFERENCE_SUBMISSION } from "../../../../fixtures/dataflow_graph.js";

type Flat = Map<string, unknown>;

const FIXTURES = new URL("../../../../fixtures/dataflow_jobs/", import.meta.url);

function reference(name: string): Flat {
  return flat(JSON.parse(readFileSync(new URL(name, FIXTURES), "utf8")));
}

/** Leaves by path; what stands in lists counts as one leaf, but for worker pools and images. */
function flat(value: unknown, path = ""): Flat {
  const leaves: Flat = new Map();
  const isList = Array.isArray(value) && !/(workerPools|sdkHarnessContainerImages)$/.test(path);
  if (typeof value !== "object" || value === null || isList) return leaves.set(path, value);
  for (const [key, inner] of Object.entries(value)) {
    const name = /^\d+$/.test(key) ? `[${key}]` : `${path === "" ? "" : "."}${key}`;
    for (const [at, leaf] of flat(inner, path + name)) leaves.set(at, leaf);
  }
  return leaves;
}

const POOL = "environment.workerPools[0]";
const IMAGE = `${POOL}.sdkHarnessContainerImages[0]`;
const OPTIONS = "environment.sdkPipelineOptions";

/** Must be as in Go's job, which was submitted with the same options. */
const AS_GO = [
  "projectId",
  "name",
  "type",
  "labels.a",
  "environment.version.job_type",
  "environment.version.major",
  "environment.experiments",
  "environment.serviceAccountEmail",
  "environment.serviceOptions",
  "environment.tempStoragePrefix",
  `${OPTIONS}.options.experiments`,
  `${OPTIONS}.options.region`,
  `${OPTIONS}.options.tempLocation`,
  `${POOL}.kind`,
  `${POOL}.machineType`,
  `${POOL}.numWorkers`,
  `${POOL}.autoscalingSettings.maxNumWorkers`,
];
/** Must be as in Python's, which has the same image. */
const AS_PYTHON = [
  "name",
  "type",
  "environment.version.job_type",
  `${POOL}.kind`,
  `${POOL}.workerHarnessContainerImage`,
  `${IMAGE}.containerImage`,
  `${IMAGE}.useSingleCorePerContainer`,
];
/** Ours alone have these, or other values in them. */
const OWN: Readonly<Record<string, string>> = {
  location:
    "REST has it in the URL; the client of gRPC in the request, and the object of a template in the job",
  clientRequestId: "of each submission; Go sends none, Python one of its own kind",
  "environment.userAgent.name": "the SDK",
  "environment.userAgent.version": "the SDK's version",
  [`${OPTIONS}.display_data`]: "the options, by our names",
  [`${OPTIONS}.options.pipelineUrl`]: "a place of each submission below the staging location",
  [`${OPTIONS}.options.pipelineProtoHash`]: "of the graph",
  [`${OPTIONS}.options.project`]: "workers may ask for it; Python sends it too",
  [`${OPTIONS}.options.jobName`]: "workers may ask for it; Python sends it as job_name",
  [`${POOL}.workerHarnessContainerImage`]: "the image; Go's job has Go's own",
  [`${POOL}.packages`]:
    "empty: all that a worker needs is in its image; Go stages its binary, Python its session",
  [`${IMAGE}.containerImage`]: "the image; Go's job has Go's own",
  [`${IMAGE}.environmentId`]: "the key of the environment in the proto, whatever it is called",
  [`${IMAGE}.capabilities`]: "what our workers can do",
  [`${IMAGE}.useSingleCorePerContainer`]: "a worker has one event loop; Go's uses all cores, and says so",
};
/** Of the references, and not sent. */
const NOT_SENT: Readonly<Record<string, string>> = {
  "environment.debugOptions": "empty in Go's",
  [`${POOL}.ipConfiguration`]: "WORKER_IP_UNSPECIFIED in Go's is the default; sent when asked for",
  [`${OPTIONS}.options.diskProvisionedIops`]: "0 in Go's: not asked for",
  [`${OPTIONS}.options.diskProvisionedThroughputMibps`]: "0 in Go's: not asked for",
  [`${OPTIONS}.beam:option:go_options:v1`]: "flags of Go programs",
  "environment.clusterManagerApiService": "Python alone; a default of the service",
  "environment.dataset": "Python alone; of BigQuery",
  [`${POOL}.taskrunnerSettings`]: "Python alone; of workers before the portable ones",
  [`${POOL}.dataDisks`]: "Python alone; empty, and disks are the engine's with Streaming Engine",
  [`${OPTIONS}.options`]: "Python sends all of its options, defaults too; ours are those that workers need",
};

describe("a job on Dataflow", () => {
  const { job, staged, proto } = prepareDataflowJob(productGraph(), REFERENCE_SUBMISSION);
  const ours = flat(job);

  it("is Go's and Python's where it must be", () => {
    const go = reference("go_job_streaming.json");
    const python = reference("python_job_streaming_min.json");
    for (const path of AS_GO) assert.deepEqual(ours.get(path), go.get(path), path);
    for (const path of AS_PYTHON) assert.deepEqual(ours.get(path), python.get(path), path);
  });

  it("has nothing else that is not explained", () => {
    const explained = new Set([...AS_GO, ...AS_PYTHON, ...Object.keys(OWN)]);
    assert.deepEqual(
      [...ours.keys()].filter((path) => !explained.has(path)),
      [],
    );
    assert.deepEqual(
      Object.keys(OWN).filter((path) => !ours.has(path)),
      [],
    );
  });

  it("leaves out nothing of the references without a reason", () => {
    const paths = [
      ...reference("go_job_streaming.json").keys(),
      ...reference("python_job_streaming_min.json").keys(),
    ];
    const isExplained = (path: string) =>
      Object.keys(NOT_SENT).some(
        (known) => path === known || path.startsWith(`${known}.`) || path.startsWith(`${known}[`),
      );
    assert.deepEqual(
      paths.filter((path) => !ours.has(path) && !isExplained(path)),
      [],
    );
  });

  it("names the graph by its URL and its SHA-256", () => {
    const options = (job.environment.sdkPipelineOptions as any).options;
    assert.equal(options.pipelineUrl, staged.url);
    assert.match(staged.url, /^gs:\/\/my-bucket\/staging\/probe-job-[\w-]+\/pipeline\.pb$/);
    assert.equal(options.pipelineProtoHash, createHash("sha256").update(staged.bytes).digest("hex"));
    assert.notEqual(prepareDataflowJob(productGraph(), REFERENCE_SUBMISSION).staged.url, staged.url);
  });

  it("has images that are those of the graph's environments", () => {
    const { environments } = runnerApi.Pipeline.fromBinary(staged.bytes).components!;
    const images = job.environment.workerPools[0].sdkHarnessContainerImages;
    assert.equal(images.length, Object.keys(environments).length);
    for (const { environmentId, containerImage, capabilities } of images) {
      const { urn, payload, capabilities: inGraph } = environments[environmentId]!;
      assert.equal(urn, "beam:env:docker:v1");
      assert.equal(runnerApi.DockerPayload.fromBinary(payload).containerImage, containerImage);
      assert.deepEqual(capabilities, inGraph);
      assert.ok(capabilities.includes(SDK_BASE_CAPABILITY));
    }
  });

  it("has a graph in topological order, without environments on what the service does", () => {
    const { components, rootTransformIds, requirements } = proto;
    const made = new Set<string>();
    for (const { inputs, outputs, subtransforms, spec, environmentId } of Object.values(
      components!.transforms,
    )) {
      if (subtransforms.length > 0) continue;
      for (const input of Object.values(inputs)) assert.ok(made.has(input), input);
      for (const output of Object.values(outputs)) made.add(output);
      const isOfTheService = [urns.impulse, urns.groupByKey, urns.flatten].includes(spec?.urn as never);
      assert.equal(environmentId === "", isOfTheService, spec?.urn);
    }
    assert.deepEqual(new Set(rootTransformIds).size, rootTransformIds.length);
    assert.deepEqual([...requirements].sort(), [
      urns.requirementFinalization,
      urns.requirementSplittable,
      urns.requirementStateful,
    ]);
  });

  it("of a bounded pipeline is a batch", () => {
    const bounded = prepareDataflowJob(productGraph({ isBounded: true }), REFERENCE_SUBMISSION).job;
    assert.equal(bounded.type, "JOB_TYPE_BATCH");
    assert.equal(bounded.environment.version.job_type, "FNAPI_BATCH");
    assert.ok(!bounded.environment.experiments.includes("enable_streaming_engine"));
  });

  it("says whatever else was asked for", () => {
    const { environment } = prepareDataflowJob(productGraph(), {
      ...REFERENCE_SUBMISSION,
      autoscalingAlgorithm: "NONE",
      usePublicIps: false,
      network: "net",
      subnetwork: "regions/us-central1/subnetworks/sub",
      diskSizeGb: 50,
      kmsKey: "key",
      workerZone: "us-central1-a",
    }).job;
    const [pool] = environment.workerPools;
    assert.equal(pool.autoscalingSettings.algorithm, "AUTOSCALING_ALGORITHM_NONE");
    assert.equal(pool.ipConfiguration, "WORKER_IP_PRIVATE");
    assert.equal(pool.network, "net");
    assert.equal(pool.subnetwork, "regions/us-central1/subnetworks/sub");
    assert.equal(pool.diskSizeGb, 50);
    assert.equal(environment.serviceKmsKeyName, "key");
    assert.equal(environment.workerZone, "us-central1-a");
  });

  it("is refused by name where Dataflow cannot run it", () => {
    const { pipeline, root } = createPipeline();
    const numbers: Collection<number> = create("Numbers", root, [1, 2], coders.int);
    flattenAll("Twice", [numbers, numbers]);
    assert.throws(
      () => prepareDataflowJob(pipeline, REFERENCE_SUBMISSION),
      (error) => error instanceof UnsupportedOnDataflowError && /^Twice: .*with itself$/.test(error.message),
    );
  });

  it("tells the version of the package", () => {
    const { version } = JSON.parse(
      readFileSync(new URL("../../../../../beam/package.json", import.meta.url), "utf8"),
    );
    assert.equal(SDK_VERSION, version);
  });
});
