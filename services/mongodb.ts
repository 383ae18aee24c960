/**
 * A server that speaks the MongoDB protocol, from Maven's jars: mongo-java-server, not mongod. It has no transactions,
 * no change streams and no authentication. With the file backend, writes that were acknowledged to {w: "majority"} or
 * {j: true} survive kill(), others after 100 ms.
 */
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { serverEnvironment } from "./child_environment.js";
import { freePort, probeMongodb } from "./discovery.js";
import { servicesHome } from "./home.js";
import { LocalServer, type LocalServerOptions } from "./local_server.js";
import { javaCommand, resolveJars } from "./maven.js";

const run = promisify(execFile);

export const MONGO_JAVA_SERVER_VERSION = "1.47.0";

const WORTH_A_WORD_BYTES = 2 ** 30;

const POM = fileURLToPath(new URL("mongodb/pom.xml", import.meta.url));
const MAIN = fileURLToPath(new URL("mongodb/MongoServerMain.java", import.meta.url));

export interface MongodbOptions extends LocalServerOptions {
  /** Where documents live: `file` survives a restart, `memory` is several times faster and does not. */
  readonly backend: "file" | "memory";
  /** Heap of the JVM in MiB; default 1024. */
  readonly heapMaxMb?: number;
}

/** Starts the server; its address is a mongodb:// URI. Throws RequirementMissing or ServiceFailed. */
export async function startMongodb(options: MongodbOptions): Promise<LocalServer> {
  const log = options.log ?? (() => {});
  const home = options.home ?? servicesHome();
  const dataDir = resolve(options.dataDir);
  const request = {
    name: "mongodb",
    pom: POM,
    sources: [MAIN],
    build: compile,
    home,
    log,
    signal: options.signal,
  };
  const jars = await resolveJars(request);
  const port = options.port ?? (await freePort());
  const file = options.backend === "file" ? [join(dataDir, "documents.h2")] : [];
  const server = new LocalServer({
    name: "MongoDB",
    version: MONGO_JAVA_SERVER_VERSION,
    dataDir,
    port,
    address: `mongodb://127.0.0.1:${port}`,
    command: javaCommand(),
    args: (mark) => [
      mark,
      `-Xmx${options.heapMaxMb ?? 1024}m`,
      "-cp",
      [join(jars, "classes"), join(jars, "lib", "*")].join(delimiter),
      "MongoServerMain",
      String(port),
      ...file,
    ],
    prepare: async () => {
      mkdirSync(dataDir, { recursive: true });
      for (const path of file) tellSize(path, log);
    },
    probe: probeMongodb,
  });
  await server.start(options.signal);
  return server;
}

/** Documents stay for as long as nobody removes them. */
function tellSize(path: string, log: (line: string) => void): void {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes < WORTH_A_WORD_BYTES) return;
  log(
    `its documents take ${(bytes / 2 ** 30).toFixed(1)} GiB at ${path}; drop the collections that nobody needs, or remove the file`,
  );
}

async function compile(folder: string): Promise<void> {
  const jars = readdirSync(join(folder, "lib")).map((jar) => join(folder, "lib", jar));
  const classPath = jars.join(delimiter);
  const args = ["-17", "-proc:none", "-nowarn", "-cp", classPath, "-d", join(folder, "classes"), MAIN];
  await run(javaCommand(), ["-cp", classPath, "org.eclipse.jdt.internal.compiler.batch.Main", ...args], {
    env: serverEnvironment(),
  });
}
