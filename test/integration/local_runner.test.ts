/** A runner that lives no longer than the program that started it. Here it is a shell that listens and has a child. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { freePort } from "../../services/discovery.js";
import { LocalRunner, ServiceFailed } from "../../services/index.js";
import { FROM_SOURCE } from "../fixtures/from_source.js";
import { until } from "../fixtures/until.js";

const LISTEN = `require("node:net").createServer().listen(Number(process.argv[1]), "127.0.0.1")`;
const MODULE = fileURLToPath(new URL("../../services/local_runner.ts", import.meta.url));

describe("a local runner", function () {
  this.timeout(30_000);

  async function recipe(script: string, more: object = {}) {
    const port = await freePort();
    const state = { folder: "" };
    const args = (folder: string): string[] => {
      state.folder = folder;
      return ["-c", script, process.execPath, LISTEN, String(port)];
    };
    return { state, recipe: { name: "Runner", command: "sh", args, port, ...more } };
  }

  it("is ended with all that it started, and leaves no file", async () => {
    const { state, recipe: given } = await recipe('sleep 1000 & "$0" -e "$1" "$2"');
    const runner = await LocalRunner.start(given);
    assert.equal(runner.endpoint, `127.0.0.1:${given.port}`);
    assert.ok(groupIsThere(runner.pid));
    await runner.stop();
    await until("the group to be gone", () => !groupIsThere(runner.pid));
    assert.equal(existsSync(state.folder), false);
    await runner.stop();
  });

  it("says why it did not come up", async () => {
    const { recipe: given } = await recipe("echo the port is taken >&2; exit 3");
    await assert.rejects(LocalRunner.start(given), (error: Error) => {
      assert(error instanceof ServiceFailed);
      assert.equal(error.message, "Runner ended by itself (exit code 3); its log ends: the port is taken");
      return true;
    });
  });

  it("says of a panic the line that counts", async () => {
    const script = 'echo "panic: no pool"; for i in $(seq 200); do echo "frame $i"; done; exit 2';
    const { recipe: given } = await recipe(script);
    await assert.rejects(LocalRunner.start(given), /exit code 2\); its log ends: panic: no pool$/);
  });

  it("tells when it ends by itself, and takes its children along", async () => {
    const { recipe: given } = await recipe('sleep 1000 & "$0" -e "$1" "$2" & sleep 1; exit 4');
    const runner = await LocalRunner.start(given);
    assert.match(await runner.ended, /^Runner ended by itself \(exit code 4\)/);
    await until("the group to be gone", () => !groupIsThere(runner.pid));
    await runner.stop();
  });

  it("tells of a worker that its log says was lost, with what stands before", async () => {
    const script = '(sleep 1; echo "why it ended"; echo "worker lost"; echo more) & "$0" -e "$1" "$2"';
    const { recipe: given } = await recipe(script, { workerLostLine: /^worker lost/ });
    const runner = await LocalRunner.start(given);
    assert.equal(await runner.workerLost, "why it ended\nworker lost");
    await runner.stop();
  });

  it("is gone, with its files, when the program is killed", async () => {
    const port = await freePort();
    const program = `
      import { LocalRunner } from ${JSON.stringify(MODULE)};
      let folder;
      const args = (own) => { folder = own; return ["-e", ${JSON.stringify(LISTEN)}, "${port}"]; };
      const runner = await LocalRunner.start({ name: "Runner", command: process.execPath, args, port: ${port} });
      console.log(JSON.stringify({ pid: runner.pid, folder }));
      setInterval(() => undefined, 1_000);`;
    const args = [...FROM_SOURCE, "--input-type=module", "--eval", program];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(child.stdout, "data");
    const { pid, folder } = JSON.parse(String(line));
    assert.ok(groupIsThere(pid));
    child.kill("SIGKILL");
    await until("the group to be gone", () => !groupIsThere(pid));
    assert.equal(existsSync(folder), false);
  });
});

function groupIsThere(pid: number): boolean {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}
