/**
 * Beam's job server for Flink, from Maven's jars: it submits to the cluster that it is told, or runs jobs on a Flink
 * inside itself ("[local]"). Its job and artifact services listen on every interface, whatever host they are given.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "./discovery.js";
import { servicesHome } from "./home.js";
import { LocalRunner } from "./local_runner.js";
import { javaCommand, resolveJars } from "./maven.js";
import type { LocalRunnerOptions } from "./prism.js";

const POM = fileURLToPath(new URL("flink/pom.xml", import.meta.url));
const ADVICE = "Install Java 17 or newer and Maven, or name a running job service in JOB_ENDPOINT.";
/** Flink 1.19 and Beam look into these by reflection. */
const OPENED_PACKAGES = [
  "java.lang",
  "java.lang.reflect",
  "java.util",
  "java.util.concurrent",
  "java.nio",
  "java.io",
  "java.net",
  "java.time",
  "java.text",
  "sun.net.util",
];

/**
 * Beam's Flink runner makes very many objects that live until their key expires, and the default collector then copies
 * them beside the work: this one takes a fifth less CPU an element, and half of the memory. See docs/performance.md.
 */
const JVM_ARGS = ["-XX:+UseParallelGC"];

export interface FlinkOptions extends LocalRunnerOptions {
  /** host:port of a cluster's REST endpoint; default "[local]". */
  readonly flinkMaster?: string;
  /** Heap of the JVM in MiB; default 4096. */
  readonly heapMaxMb?: number;
  /** Further options of the JVM, in place of JVM_ARGS. */
  readonly jvmArgs?: readonly string[];
}

/** Starts one on free ports. Throws RequirementMissing or ServiceFailed. */
export async function startFlink(options: FlinkOptions = {}): Promise<LocalRunner> {
  const { log = () => {}, env = process.env, signal } = options;
  const { flinkMaster = "[local]", heapMaxMb = 4096, jvmArgs = JVM_ARGS } = options;
  const jars = await prepareFlink(options);
  const [port, artifactPort, expansionPort] = [await freePort(), await freePort(), await freePort()];
  const runner = await LocalRunner.start({
    name: "Flink's job server",
    command: javaCommand(env),
    args: (folder) => [
      `-Xmx${heapMaxMb}m`,
      ...jvmArgs,
      ...OPENED_PACKAGES.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
      `-Djava.io.tmpdir=${folder}`,
      "-cp",
      join(jars, "lib", "*"),
      "org.apache.beam.runners.flink.FlinkJobServerDriver",
      "--job-host=localhost",
      `--job-port=${port}`,
      `--artifact-port=${artifactPort}`,
      `--expansion-port=${expansionPort}`,
      `--artifacts-dir=${join(folder, "artifacts")}`,
      `--flink-master=${flinkMaster}`,
    ],
    port,
    env,
    workerEnvironment: options.workerEnvironment,
    signal,
  });
  log(
    `started Flink's job server for ${flinkMaster} on port ${port} (pid ${runner.pid}). It listens on every interface and runs whatever command a job names: on a machine with other users, or that others can reach, run it and this program in a network namespace`,
  );
  return runner;
}

/** The folder with its jars, downloaded when there is none. */
export function prepareFlink({
  home = servicesHome(),
  log = () => {},
  signal,
}: LocalRunnerOptions = {}): Promise<string> {
  return resolveJars({ name: "flink", pom: POM, home, log, signal, advice: ADVICE });
}
