/** A job from submission to its end, with a runner that does what runners do, and worse. */
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { runnerApi } from "../../../../../beam/model/apache_beam.js";
import { VarintCoder } from "../../../../../beam/model/coders/varint_coder.js";
import { artifactApi, type jobApi } from "../../../../../beam/runners/portable/job_api.js";
import {
  JobFailedError,
  type PortableRun,
  RunnerGoneError,
  runPortable,
  StopUnsupportedError,
} from "../../../../../beam/runners/portable/portable_run.js";
import { RunnerCallError } from "../../../../../beam/runners/portable/rpc.js";
import { create } from "../../../../../beam/sdk/create.js";
import { createPipeline } from "../../../../../beam/sdk/graph.js";
import { type Script, ScriptedJobServer } from "./scripted_job_server.js";

const quiet = { debug() {}, info() {}, warn() {} };

function pipeline() {
  const { pipeline, root } = createPipeline();
  create("Numbers", root, [1, 2, 3], VarintCoder.INSTANCE);
  return pipeline;
}

describe("a run on a portable runner", function () {
  this.timeout(30_000);
  let server: ScriptedJobServer | undefined;

  afterEach(() => {
    server?.kill();
    server = undefined;
  });

  async function start(script: Script, runnerEnded?: Promise<string>): Promise<PortableRun> {
    server = await ScriptedJobServer.start(script);
    return runPortable(pipeline(), {
      jobEndpoint: server.endpoint,
      jobName: "test",
      environment: { kind: "external", endpoint: "127.0.0.1:1" },
      pipelineOptions: { streaming: true, parallelism: 2, experiments: ["a"], savepoint_path: undefined },
      log: quiet,
      ...(runnerEnded !== undefined && { runnerEnded }),
    });
  }

  it("sends pipeline, environment and options, stages nothing, and ends with the job", async () => {
    let prepared: jobApi.PrepareJobRequest | undefined;
    const run = await start({
      prepare: (request) => {
        prepared = request;
      },
      job: (job) => {
        job.go("RUNNING");
        job.go("DONE");
      },
    });
    await run.finished;
    assert.deepEqual(
      server?.stagingResponses.map(({ stagingToken }) => stagingToken),
      ["token"],
    );
    const options = Object.entries(prepared!.pipelineOptions!.fields).map(([name, { kind }]) => [
      name,
      (kind as unknown as Record<string, unknown>)[kind.oneofKind!],
    ]);
    assert.deepEqual(options.slice(0, 3), [
      ["beam:option:job_name:v1", "test"],
      ["beam:option:streaming:v1", true],
      ["beam:option:parallelism:v1", "2"],
    ]);
    const [environment] = Object.values(prepared!.pipeline!.components!.environments);
    assert.equal(environment!.urn, "beam:env:external:v1");
    const payload = runnerApi.ExternalPayload.fromBinary(environment!.payload);
    assert.equal(payload.endpoint?.url, "127.0.0.1:1");
    assert.ok(environment!.capabilities.includes("beam:coder:varint:v1"));
  });

  it("answers a runner that resolves artifacts", async () => {
    const run = await start({
      stagingRequests: [
        artifactApi.ArtifactRequestWrapper.create({
          request: { oneofKind: "resolveArtifact", resolveArtifact: { artifacts: [], preferredUrns: [] } },
        }),
      ],
      job: (job) => job.go("DONE"),
    });
    await run.finished;
    assert.equal(server?.stagingResponses[1]?.response.oneofKind, "resolveArtifactResponse");
    assert.equal(server?.stagingResponses[1]?.isLast, true);
  });

  it("ends at once when the runner wants an artifact that there is not", async () => {
    const request = artifactApi.ArtifactRequestWrapper.create({
      request: {
        oneofKind: "getArtifact",
        getArtifact: { artifact: { typeUrn: "beam:artifact:type:file:v1" } },
      },
    } as never);
    await assert.rejects(
      start({ stagingRequests: [request] }),
      /asks for an artifact \(beam:artifact:type:file:v1\)/,
    );
  });

  it("tells why the runner does not take a pipeline", async () => {
    const script: Script = {
      prepare: () => {
        throw new Error("found 1 uses of features unimplemented");
      },
    };
    await assert.rejects(start(script), (error: Error) => {
      assert(error instanceof RunnerCallError);
      assert.match(error.message, /refused to prepare the job: found 1 uses of features unimplemented$/);
      return true;
    });
  });

  it("fails with the first error that the runner tells", async () => {
    const run = await start({
      job: (job) => {
        job.go("RUNNING");
        job.say("all is well", "JOB_MESSAGE_BASIC");
        job.say("Error: broken\n    at join.ts:1:2", "JOB_MESSAGE_ERROR");
        job.say("what follows from it", "JOB_MESSAGE_ERROR");
        job.go("FAILED");
      },
    });
    await assert.rejects(run.finished, (error: Error) => {
      assert(error instanceof JobFailedError);
      assert.equal(error.message, "the job failed: Error: broken");
      return true;
    });
  });

  it("is cancelled, and has what was counted before", async () => {
    let isCancelled = false;
    const run = await start({
      job: (job) => job.go("RUNNING"),
      cancel: (job) => {
        isCancelled = true;
        job.go("CANCELLED");
      },
    });
    await run.stop();
    assert.equal(isCancelled, true);
    await run.stop();
  });

  it("fails when somebody else cancels it", async () => {
    const run = await start({ job: (job) => job.go("CANCELLED") });
    await assert.rejects(run.finished, /cancelled, but not from here/);
  });

  it("is drained where the runner can", async () => {
    const run = await start({
      job: (job) => job.go("RUNNING"),
      drain: (job) => {
        job.go("DRAINING");
        job.go("DRAINED");
      },
    });
    await run.stop("expire");
  });

  it("goes on when the runner cannot drain, and says so", async () => {
    const run = await start({ job: (job) => job.go("RUNNING"), cancel: (job) => job.go("CANCELLED") });
    await assert.rejects(run.stop("expire"), (error: Error) => {
      assert(error instanceof StopUnsupportedError);
      assert.match(error.message, /cannot drain a job/);
      return true;
    });
    await run.stop("keep");
  });

  // The bound is the test's own limit of time, here and below.
  it("fails in bounded time when the runner goes away", async function () {
    this.timeout(60_000);
    const run = await start({ job: (job) => job.go("RUNNING") });
    server!.kill();
    await assert.rejects(run.finished, (error: Error) => {
      assert(error instanceof RunnerGoneError);
      assert.match(error.message, /went away while the job ran: .*cannot be reached/);
      return true;
    });
  });

  it("fails at once, with its last words, when a runner of ours ends", async () => {
    let end!: (words: string) => void;
    const ended = new Promise<string>((resolve) => {
      end = resolve;
    });
    const run = await start({ job: (job) => job.go("RUNNING") }, ended);
    end("Prism ended by itself (exit code 2): panic");
    await assert.rejects(run.finished, /^RunnerGoneError: Prism ended by itself \(exit code 2\): panic$/);
  });

  it("does not begin where nobody listens", async () => {
    const options = {
      jobEndpoint: "127.0.0.1:1",
      jobName: "test",
      environment: { kind: "external", endpoint: "127.0.0.1:1" },
      log: quiet,
    } as const;
    await assert.rejects(
      runPortable(pipeline(), options),
      /the runner at 127\.0\.0\.1:1 cannot be reached: connect ECONNREFUSED/,
    );
  });

  it("does not begin, nor wait for ever, where somebody listens who is no runner", async () => {
    const sockets: Socket[] = [];
    const deaf = createServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
    try {
      await new Promise((resolve) => deaf.once("listening", resolve));
      const { port } = deaf.address() as { port: number };
      const options = {
        jobEndpoint: `127.0.0.1:${port}`,
        jobName: "test",
        environment: { kind: "external", endpoint: "127.0.0.1:1" },
        log: quiet,
      } as const;
      await assert.rejects(runPortable(pipeline(), options), /did not answer|cannot be reached/);
    } finally {
      for (const socket of sockets) socket.destroy();
      deaf.close();
    }
  });
});
