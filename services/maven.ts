/**
 * Gets a service's jars from a Maven repository, once: `<home>/cache/<name>-<hash of its inputs>/lib`. The folder
 * appears by one rename when it is complete, so an interrupted download is never mistaken for a good one.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { every, systemClock } from "@order-payment-stream/beam/io";
import { buildEnvironment } from "./child_environment.js";
import { messageOf, RequirementMissing } from "./errors.js";
import { withLock } from "./lock.js";

const run = promisify(execFile);

const JAVA_VERSION_MIN = 17;
const DOWNLOAD_TIMEOUT_MS = 10 * 60_000;
const TELL_INTERVAL_MS = 10_000;
const ADVICE =
  "Install Java 17 or newer and Maven, start Docker or Podman, or name running services in KAFKA_BOOTSTRAP and MONGODB_URI.";

export interface JarRequest {
  readonly name: string;
  /** Absolute path of the pom.xml that names the jars. */
  readonly pom: string;
  /** The pom names an archive, which is unpacked into `lib/`. Default: no. */
  readonly isArchive?: boolean;
  /** Other files that the folder's content depends on. */
  readonly sources?: readonly string[];
  /** Completes the folder, whose `lib/` holds the jars, before it becomes visible. */
  readonly build?: (folder: string) => Promise<void>;
  readonly home: string;
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** Ends the message when Java or Maven is missing. */
  readonly advice?: string;
}

/** The folder that holds `lib/*.jar`. Throws RequirementMissing when Java, Maven or the jars cannot be had. */
export async function resolveJars(request: JarRequest): Promise<string> {
  await requireJava(javaCommand(), request.advice);
  const cache = join(request.home, "cache");
  const folder = join(cache, `${request.name}-${hashOf([request.pom, ...(request.sources ?? [])])}`);
  if (existsSync(folder)) return folder;
  const options = {
    signal: request.signal,
    onWait: (pid: number) => request.log(`waiting for process ${pid}, which is downloading ${request.name}`),
  };
  await withLock(`${folder}.lock`, () => fill(folder, request), options);
  return folder;
}

/** The java command: that of JAVA_HOME, as Maven itself chooses, else the one on the PATH. */
export function javaCommand(env: NodeJS.ProcessEnv = process.env): string {
  return env.JAVA_HOME ? join(env.JAVA_HOME, "bin", "java") : "java";
}

/** Throws RequirementMissing unless `command` is Java of that version or newer. */
export async function requireJava(
  command = javaCommand(),
  advice = ADVICE,
  versionMin = JAVA_VERSION_MIN,
): Promise<void> {
  let banner: string;
  try {
    banner = (await run(command, ["-version"], { env: buildEnvironment() })).stderr;
  } catch (error) {
    const reason = isNotFound(error) ? "not found" : firstLine(messageOf(error));
    throw new RequirementMissing(`Java (${command}): ${reason}. ${advice}`);
  }
  const version = javaVersion(banner);
  if (version < versionMin) {
    throw new RequirementMissing(`Java (${command}) is version ${version}, too old. ${advice}`);
  }
}

/** The feature release in what `java -version` prints, such as 17, or 8 for "1.8.0_402"; 0 when it names none. */
export function javaVersion(banner: string): number {
  const match = /version "(\d+)(?:\.(\d+))?/.exec(banner);
  if (match === null) return 0;
  return match[1] === "1" ? Number(match[2] ?? 0) : Number(match[1]);
}

async function fill(folder: string, request: JarRequest): Promise<void> {
  if (existsSync(folder)) return;
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  request.log(`downloading ${request.name} with Maven (once)`);
  const args = [
    "-B",
    "-q",
    "-f",
    request.pom,
    `-DoutputDirectory=${join(partial, "lib")}`,
    "-DincludeScope=runtime",
  ];
  try {
    const env = buildEnvironment();
    const options = {
      env,
      timeout: DOWNLOAD_TIMEOUT_MS,
      signal: request.signal,
      maxBuffer: 16 * 1024 * 1024,
    };
    if (request.isArchive) args.push(`-DmarkersDirectory=${join(partial, "markers")}`);
    const goal = request.isArchive ? "unpack-dependencies" : "copy-dependencies";
    await tellWhile(run("mvn", [...args, `dependency:${goal}`], options), request.name, request.log);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    request.signal?.throwIfAborted();
    if (isNotFound(error))
      throw new RequirementMissing(`Maven (mvn): not found. ${request.advice ?? ADVICE}`);
    throw new RequirementMissing(`Maven could not download ${request.name}: ${mavenReason(error)}`);
  }
  await request.build?.(partial);
  renameSync(partial, folder);
}

/** Maven itself says nothing that is worth showing, and a first download may take minutes. */
export async function tellWhile<T>(work: Promise<T>, name: string, log: (line: string) => void): Promise<T> {
  const sinceMs = systemClock.elapsed();
  const endTelling = every(TELL_INTERVAL_MS, () =>
    log(`still downloading ${name}, for ${Math.round((systemClock.elapsed() - sinceMs) / 1000)} s`),
  );
  try {
    return await work;
  } finally {
    endTelling();
  }
}

function mavenReason(error: unknown): string {
  const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
  const lines = `${stdout}\n${stderr}`.split("\n").filter((line) => line.includes("[ERROR]"));
  return lines.slice(0, 3).join("\n") || firstLine(messageOf(error));
}

function hashOf(files: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of files) hash.update(basename(file)).update("\0").update(readFileSync(file)).update("\0");
  return hash.digest("hex").slice(0, 12);
}

function isNotFound(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]!;
}
