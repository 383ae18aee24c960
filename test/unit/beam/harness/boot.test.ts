import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fetchArtifacts } from "../../../../beam/harness/artifacts.js";
import { LoggingChannel } from "../../../../beam/harness/logging_channel.js";
import { fnApi, provisionApi, runnerApi } from "../../../../beam/model/apache_beam.js";
import { FakeFnRunner } from "../../../fixtures/fake_fn_runner.js";
import { FROM_SOURCE } from "../../../fixtures/from_source.js";
import { until } from "../../../fixtures/until.js";

const PROCESS = fileURLToPath(new URL("../../../../beam/harness/worker_process.ts", import.meta.url));

describe("booting a worker", () => {
  let runner: FakeFnRunner;
  let folder: string;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    runner = await FakeFnRunner.start();
    folder = mkdtempSync(join(tmpdir(), "worker-boot-"));
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    runner.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  function artifact(path: string, stagedName: string, sha256: string): runnerApi.ArtifactInformation {
    return {
      typeUrn: "beam:artifact:type:file:v1",
      typePayload: runnerApi.ArtifactFilePayload.toBinary({ path, sha256 }),
      roleUrn: "beam:artifact:role:staging_to:v1",
      rolePayload: runnerApi.ArtifactStagingToRolePayload.toBinary({ stagedName }),
    };
  }

  it("fetches what was staged, under its name, and checks it", async () => {
    const content = Buffer.from("a file of some bytes");
    const sha256 = createHash("sha256").update(content).digest("hex");
    runner.files.set("/there", content);
    const [path] = await fetchArtifacts(
      runner.endpoint,
      "w",
      [artifact("/there", "here.txt", sha256)],
      folder,
    );
    assert.equal(path, join(folder, "here.txt"));
    assert.deepEqual(readFileSync(path!), content);
    await assert.rejects(
      fetchArtifacts(runner.endpoint, "w", [artifact("/there", "other", "00")], folder),
      /has the SHA-256/,
    );
    await assert.rejects(
      fetchArtifacts(runner.endpoint, "w", [artifact("/there", "../escape", sha256)], folder),
      /lies elsewhere/,
    );
  });

  it("sends its log to the runner, batch by batch", async () => {
    const log = new LoggingChannel(runner.endpoint, "w");
    log.warn("mind the gap", { reason: "none" });
    log.error("broken");
    await until("the log", () => runner.logged.length === 2, 5_000);
    assert.deepEqual(
      runner.logged.map(({ message, severity }) => [message, severity]),
      [
        ["mind the gap reason=none", fnApi.LogEntry_Severity_Enum.WARN],
        ["broken", fnApi.LogEntry_Severity_Enum.ERROR],
      ],
    );
    log.close();
  });

  /** The worker process, with a program that prepares nothing. */
  function start(...flags: string[]): ChildProcess & { errors: string } {
    const script = join(folder, "worker.mts");
    writeFileSync(
      script,
      `import { runWorkerProcess } from ${JSON.stringify(PROCESS)};
       runWorkerProcess(process.argv.slice(2)).then(
         () => process.exit(0),
         (error) => { console.error(error.message); process.exit(1); },
       );`,
    );
    const child = Object.assign(spawn(process.execPath, [...FROM_SOURCE, script, ...flags]), {
      errors: "",
    });
    child.stderr!.on("data", (text) => {
      child.errors += text;
    });
    children.push(child);
    return child;
  }

  it("starts a process for each sibling, and ends when the runner closes the control streams", async () => {
    runner.provision = provisionApi.ProvisionInfo.create({
      controlEndpoint: { url: runner.endpoint },
      siblingWorkerIds: ["w2"],
    });
    const child = start("--id='w1'", `--provision_endpoint=${runner.endpoint}`);
    await until("both workers", () => runner.workerIds.has("w1") && runner.workerIds.has("w2"), 20_000);
    await until("both control streams", () => runner.controlStreams === 2, 20_000);
    runner.endStreams();
    const [code] = await once(child, "exit");
    assert.equal(code, 0, child.errors);
  }).timeout(30_000);
});
