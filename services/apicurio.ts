/** Apicurio Registry, from Maven: a schema registry with Confluent's interface too, that forgets all when it ends. */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "./discovery.js";
import { servicesHome } from "./home.js";
import { LocalServer, type LocalServerOptions } from "./local_server.js";
import { javaCommand, requireJava, resolveJars } from "./maven.js";
import { findJavaRuntime } from "./python.js";

export const APICURIO_VERSION = "3.3.3";

const POM = fileURLToPath(new URL("apicurio/pom.xml", import.meta.url));
const ADVICE = "Install Java 21 or newer and Maven.";
const JAVA_VERSION_MIN = 21;

/** Starts the registry; its address is the URL of Confluent's interface. Throws RequirementMissing or ServiceFailed. */
export async function startApicurio(options: LocalServerOptions): Promise<LocalServer> {
  const dataDir = resolve(options.dataDir);
  const where = {
    home: options.home ?? servicesHome(),
    log: options.log ?? (() => {}),
    signal: options.signal,
  };
  const [java, folder] = await Promise.all([
    requireJava(javaCommand(), ADVICE, JAVA_VERSION_MIN).then(
      () => javaCommand(),
      () => findJavaRuntime(where),
    ),
    resolveJars({ name: "apicurio", pom: POM, isArchive: true, advice: ADVICE, ...where }),
  ]);
  const port = options.port ?? (await freePort());
  const server = new LocalServer({
    name: "Apicurio Registry",
    version: APICURIO_VERSION,
    dataDir,
    port,
    address: `http://127.0.0.1:${port}/apis/ccompat/v7`,
    command: java,
    args: (mark) => [
      mark,
      "-Xmx512m",
      "-Dquarkus.http.host=127.0.0.1",
      `-Dquarkus.http.port=${port}`,
      // Its metrics and health would take port 9000 of every interface.
      "-Dquarkus.management.host=127.0.0.1",
      "-Dquarkus.management.port=0",
      "-jar",
      join(folder, "lib", "quarkus-run.jar"),
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
