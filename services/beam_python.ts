/**
 * A Python that has Beam's own SDK: the one that BEAM_PYTHON names, or, once, a virtual environment in `<home>/cache`
 * that pip fills (800 MB). Nothing of the product needs it: comparisons do.
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

const PROBE_TIMEOUT_MS = 60_000;
const INSTALL_TIMEOUT_MS = 15 * 60_000;

/** The python command. Throws RequirementMissing where it cannot be had. */
export async function findBeamPython({
  home = servicesHome(),
  log = () => {},
  env = process.env,
  signal,
}: LocalRunnerOptions = {}): Promise<string> {
  try {
    const named = env.BEAM_PYTHON;
    if (named) {
      await run(named, ["-c", "import apache_beam"], { timeout: PROBE_TIMEOUT_MS, env: buildEnvironment() });
      return named;
    }
    const folder = join(home, "cache", `beam-python-${BEAM_PYTHON_VERSION}`);
    if (!existsSync(folder)) await withLock(`${folder}.lock`, () => install(folder, log, signal), { signal });
    return pythonIn(folder);
  } catch (error) {
    signal?.throwIfAborted();
    const reason = messageOf(error).trim().split("\n").at(-1);
    throw new RequirementMissing(
      `no Python with apache-beam ${BEAM_PYTHON_VERSION}: ${reason}. Install Python 3, or name one that has it in BEAM_PYTHON.`,
    );
  }
}

function pythonIn(folder: string): string {
  return join(folder, "bin", "python");
}

async function install(
  folder: string,
  log: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (existsSync(folder)) return;
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  log(`installing apache-beam ${BEAM_PYTHON_VERSION} for Python with pip (once, some minutes)`);
  const env = buildEnvironment();
  await run("python3", ["-m", "venv", partial], { env, timeout: PROBE_TIMEOUT_MS });
  const wanted = `apache-beam==${BEAM_PYTHON_VERSION}`;
  const options = { env, timeout: INSTALL_TIMEOUT_MS, ...(signal !== undefined && { signal }) };
  await run(pythonIn(partial), ["-m", "pip", "install", "-q", wanted], options);
  // Its Python finds its packages by where it is itself, so the whole may move.
  renameSync(partial, folder);
}
