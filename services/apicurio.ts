/** Apicurio Registry, from Maven: a schema registry with Confluent's interface too, that forgets all when it ends. */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "./discovery.js";
import { servicesHome } from "./home.js";
import { LocalServer, type LocalServerOptions } from "./local_server.js";
import { javaCommand, resolveJars } from "./maven.js";

export const APICURIO_VERSION = "2.6.13.Final";

const POM = fileURLToPath(new URL("apicurio/pom.xml", import.meta.url));
const ADVICE = "Install Java 17 or newer and Maven.";

/** Starts the registry; its address is the URL of Confluent's interface. Throws RequirementMissing or ServiceFailed. */
export async function startApicurio(options: LocalServerOptions): Promise<LocalServer> {
  const dataDir = resolve(options.dataDir);
  const folder = await resolveJars({
    name: "apicurio",
    pom: POM,
    isArchive: true,
    home: options.home ?? servicesHome(),
    log: options.log ?? (() => {}),
    signal: options.signal,
    advice: ADVICE,
  });
  const port = options.port ?? (await freePort());
  const server = new LocalServer({
    name: "Apicurio Registry",
    version: APICURIO_VERSION,
    dataDir,
    port,
    address: `http://127.0.0.1:${port}/apis/ccompat/v7`,
    command: javaCommand(),
    args: (mark) => [
      mark,
      "-Xmx512m",
      "-Dquarkus.http.host=127.0.0.1",
      `-Dquarkus.http.port=${port}`,
      "-jar",
      join(folder, "lib", `apicurio-registry-app-${APICURIO_VERSION}-runner.jar`),
    ],
    prepare: async () => {
      mkdirSync(dataDir, { recursive: true });
    },
    probe: probeRegistry,
  });
  await server.start(options.signal);
  return server;
}

async function probeRegistry(address: string, timeoutMs: number): Promise<void> {
  const response = await fetch(`${address}/subjects`, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`it answers ${response.status}`);
  await response.arrayBuffer();
}
