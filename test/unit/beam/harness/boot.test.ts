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
import { superviseSiblings } from "../../../../beam/harness/sibling_workers.js";
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

  /** The worker process. */
  function start(program: string, ...flags: string[]): ChildProcess & { errors: string } {
    const script = join(folder, "worker.mts");
    writeFileSync(
      script,
      `import { runWorkerProcess } from ${JSON.stringify(PROCESS)};
       runWorkerProcess(process.argv.slice(2), ${program}).then(
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

  /** With a program that does this before its first bundle. */
  const withPreparation = (preparation: string): string => `{ prepare: async () => { ${preparation} } }`;

  it("passes on what is printed, tells of what nobody catches, and fails with it", async () => {
    runner.provision = provisionApi.ProvisionInfo.create({
      controlEndpoint: { url: runner.endpoint },
      loggingEndpoint: { url: runner.endpoint },
    });
    const child = start(
      withPreparation(
        `console.log("printed"); console.error("complained"); setTimeout(() => { throw new Error("a bug"); }, 100);`,
      ),
      "--id=w1",
      `--provision_endpoint=${runner.endpoint}`,
    );
    const [code] = await once(child, "exit");
    assert.equal(code, 1);
    const texts = runner.logged.map(
      ({ message, severity }) => `${fnApi.LogEntry_Severity_Enum[severity]} ${message}`,
    );
    assert.ok(texts.includes("INFO printed"), texts.join("\n"));
    assert.ok(texts.includes("WARN complained"), texts.join("\n"));
    assert.ok(texts.some((text) => /^ERROR an uncaught error ends the worker.*a bug/s.test(text)));
  }).timeout(30_000);

  it("ends in order when it is told to, siblings too", async () => {
    runner.provision = provisionApi.ProvisionInfo.create({
      controlEndpoint: { url: runner.endpoint },
      siblingWorkerIds: ["w2"],
    });
    const child = start("{}", "--id=w1", `--provision_endpoint=${runner.endpoint}`);
    await until("both control streams", () => runner.controlStreams === 2, 20_000);
    child.kill("SIGTERM");
    const [code, signal] = await once(child, "exit");
    assert.deepEqual([code, signal], [0, null], child.errors);
  }).timeout(30_000);

  it("starts a sibling again when it fails, four times in all, and then fails itself", async () => {
    const starts: string[] = [];
    const script = join(folder, "sibling.sh");
    writeFileSync(script, '#!/bin/sh\necho started >> "$1"; exit 7\n', { mode: 0o755 });
    const notes = join(folder, "starts");
    const sibling = { id: "w2", command: script, args: [notes], env: process.env };
    const log = {
      debug: () => undefined,
      info: () => undefined,
      error: () => undefined,
      warn: (text: string) => starts.push(text),
    };
    await assert.rejects(
      superviseSiblings([sibling], log),
      /the worker w2 ended 4 times, the last time with exit code 7/,
    );
    assert.equal(readFileSync(notes, "utf8"), "started\n".repeat(4));
    assert.equal(starts.length, 3);
    // One that ends because it is needed no more is left alone.
    await superviseSiblings([{ ...sibling, command: "/bin/true", args: [] }], log);
  });

  it("starts a process for each sibling, and ends when the runner closes the control streams", async () => {
    runner.provision = provisionApi.ProvisionInfo.create({
      controlEndpoint: { url: runner.endpoint },
      siblingWorkerIds: ["w2"],
    });
    const child = start("{}", "--id='w1'", `--provision_endpoint=${runner.endpoint}`);
    await until("both workers", () => runner.workerIds.has("w1") && runner.workerIds.has("w2"), 20_000);
    await until("both control streams", () => runner.controlStreams === 2, 20_000);
    runner.endStreams();
    const [code] = await once(child, "exit");
    assert.equal(code, 0, child.errors);
  }).timeout(30_000);
});
