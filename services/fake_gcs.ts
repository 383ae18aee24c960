/**
 * fake-gcs-server: speaks the JSON API of Google Cloud Storage, without credentials, with objects in a folder. It keeps
 * preconditions of uploads, and ignores those of deletions.
 */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { freePort } from "./discovery.js";
import { installGoCommand } from "./go.js";
import { servicesHome } from "./home.js";
import { LocalServer, type LocalServerOptions } from "./local_server.js";

export const FAKE_GCS_VERSION = "1.56.1";

/** Starts the server; its address is a URL. Throws RequirementMissing or ServiceFailed. */
export async function startFakeGcs(options: LocalServerOptions): Promise<LocalServer> {
  const log = options.log ?? (() => {});
  const dataDir = resolve(options.dataDir);
  const command = await installGoCommand({
    name: "fake-gcs-server",
    package: "github.com/fsouza/fake-gcs-server",
    version: FAKE_GCS_VERSION,
    advice: "Install Go 1.24 or newer.",
    home: options.home ?? servicesHome(),
    log,
    signal: options.signal,
  });
  const port = options.port ?? (await freePort());
  const address = `http://127.0.0.1:${port}`;
  const objects = join(dataDir, "objects");
  const server = new LocalServer({
    name: "fake-gcs-server",
    version: FAKE_GCS_VERSION,
    dataDir,
    port,
    address,
    command,
    args: (mark) => [
      ...["-scheme", "http", "-host", "127.0.0.1", "-port", String(port)],
      ...["-backend", "filesystem", "-filesystem-root", objects],
      ...["-public-host", `127.0.0.1:${port}`, "-external-url", address],
      ...["-log-level", "warn"],
      // What comes behind the dashes it does not look at.
      "--",
      mark,
    ],
    prepare: async () => {
      mkdirSync(objects, { recursive: true });
    },
    probe: probeFakeGcs,
  });
  await server.start(options.signal);
  return server;
}

/** Makes a bucket, unless it is there. */
export async function createBucket(address: string, name: string): Promise<void> {
  const response = await fetch(`${address}/storage/v1/b?project=test`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name }),
  });
  if (!response.ok && response.status !== 409) {
    throw new Error(`cannot make the bucket ${name}: ${response.status} ${await response.text()}`);
  }
}

async function probeFakeGcs(address: string, timeoutMs: number): Promise<void> {
  const url = `${address}/storage/v1/b?project=test`;
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`it answers ${response.status}`);
  await response.arrayBuffer();
}
