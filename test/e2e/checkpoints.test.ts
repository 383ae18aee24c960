/** Checkpoints as a user has them: by settings, flags and commands, in an emulator of Google Cloud Storage. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { GcsObjectStore } from "../../beam/io/gcs/gcs_object_store.js";
import { systemClock } from "../../beam/model/clock.js";
import { CheckpointWriter } from "../../beam/store/checkpoint/checkpoint_writer.js";
import { CommandLine } from "../fixtures/command_line.js";
import { MemoryDirectory } from "../fixtures/memory_directory.js";
import { gcsFixture } from "../fixtures/services.js";

describe("checkpoints list", function () {
  this.timeout(60_000);
  const gcs = gcsFixture();

  async function listed(
    path: string | undefined,
    ...args: string[]
  ): Promise<{ code: number | null; text: string; errors: string }> {
    const command = new CommandLine(["checkpoints", "list", ...args], {
      STORAGE_EMULATOR_HOST: gcs.apiEndpoint(),
      ...(path !== undefined && { GCS_CHECKPOINT_PATH: path }),
    });
    const { code } = await command.ended;
    return { code, text: command.stdout, errors: command.stderr };
  }

  it("shows what can be restored, newest first, and which is the latest", async () => {
    const bucket = await gcs.newBucket();
    assert.deepEqual(await listed(`gs://${bucket}/a`), {
      code: 0,
      text: `gs://${bucket}/a holds no checkpoint\n`,
      errors: "",
    });
    const objects = await GcsObjectStore.open({ bucket, prefix: "a" }, { apiEndpoint: gcs.apiEndpoint() });
    const directory = new MemoryDirectory();
    directory.files.set("log", randomBytes(2_500_000));
    const options = { keptMax: 5, clock: systemClock, sessionId: "s", host: "somewhere" };
    const writer = await CheckpointWriter.open(objects, directory, options);
    const ids: string[] = [];
    for (const commit of [7, 12]) {
      ids.push((await writer.publish({ files: [{ name: "log", length: 2_500_000 }], commit })).id);
    }
    const { code, text } = await listed(`gs://${bucket}/a/`);
    assert.equal(code, 0);
    const lines = text
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {2,}/));
    assert.deepEqual(
      lines.map(([id]) => id),
      ids.reverse(),
    );
    assert.deepEqual(lines[0]!.slice(3), ["2.5 MB", "commit 12", "of somewhere"]);
    assert.equal(lines[0]![1], "latest");
  });

  it("says in one line what is wrong", async () => {
    const missing = await listed("gs://nobodys-bucket/a");
    assert.deepEqual([missing.code, missing.text], [1, ""]);
    assert.match(missing.errors, /^gs:\/\/nobodys-bucket does not exist: [^\n]+\n$/);
    const unset = await listed(undefined);
    assert.equal(unset.code, 2);
    assert.match(unset.errors, /GCS_CHECKPOINT_PATH .*is not set: expected gs:\/\/bucket/);
    const wrong = await listed("s3://bucket/a");
    assert.equal(wrong.code, 2);
    assert.match(wrong.errors, /GCS_CHECKPOINT_PATH .* is "s3:\/\/bucket\/a": expected gs:\/\/bucket/);
    const away = await listed("gs://bucket/a", "--storage_emulator_host=http://127.0.0.1:1");
    assert.equal(away.code, 1);
    assert.match(away.errors, /^gs:\/\/bucket\/a cannot be reached: [^\n]*ECONNREFUSED[^\n]*\n$/);
  });
});
