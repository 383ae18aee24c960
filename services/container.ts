/**
 * Runs a service in a container when an engine is at hand. Ports are published on 127.0.0.1 only; a container has a
 * name that nobody else uses and is gone, with its data, when it is stopped.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { buildEnvironment } from "./child_environment.js";
import { messageOf } from "./errors.js";

const run = promisify(execFile);

/** Commands that understand the same arguments, in order of preference. */
export const CONTAINER_ENGINES: readonly string[] = ["docker", "podman"];

const ENGINE_TIMEOUT_MS = 3_000;
/** Long enough to pull an image of some 100 MB. */
const RUN_TIMEOUT_MS = 5 * 60_000;
const STOP_TIMEOUT_MS = 60_000;

export interface ContainerRecipe {
  readonly image: string;
  /** The port inside; the one outside is chosen by the caller. */
  readonly containerPort: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** The first engine whose daemon answers at once. */
export async function findEngine(
  engines: readonly string[] = CONTAINER_ENGINES,
): Promise<string | undefined> {
  for (const engine of engines) {
    try {
      await run(engine, ["info"], { timeout: ENGINE_TIMEOUT_MS, env: buildEnvironment() });
      return engine;
    } catch {
      // Not installed, or no daemon: the next one.
    }
  }
  return undefined;
}

/** Starts a container in the background and returns its name. Pulls the image when it is missing. */
export async function runContainer(
  engine: string,
  service: string,
  port: number,
  recipe: ContainerRecipe,
  signal?: AbortSignal,
): Promise<string> {
  const name = `order-payment-stream-${service}-${randomBytes(6).toString("hex")}`;
  const publish = `127.0.0.1:${port}:${recipe.containerPort}`;
  const env = Object.entries(recipe.env ?? {}).flatMap(([key, value]) => ["-e", `${key}=${value}`]);
  const args = ["run", "-d", "--rm", "--name", name, "-p", publish, ...env, recipe.image];
  try {
    await run(engine, args, { timeout: RUN_TIMEOUT_MS, signal, env: buildEnvironment() });
  } catch (error) {
    // An interrupted command may leave the container that it was about to start.
    await stopContainer(engine, name);
    throw error;
  }
  return name;
}

/** Resolves with false when there is no such container (any more). */
export async function stopContainer(engine: string, name: string): Promise<boolean> {
  try {
    await run(engine, ["stop", name], { timeout: STOP_TIMEOUT_MS, env: buildEnvironment() });
    return true;
  } catch (error) {
    if (/no such container|no container with name/i.test(messageOf(error))) return false;
    throw error;
  }
}
