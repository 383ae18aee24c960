/**
 * Where the pipeline's DoFns run. A graph is built without saying so; when it is submitted, each of its environments
 * becomes what this run asks for, and keeps its capabilities.
 *
 *     external   a worker pool that is there already, at an address. In this very process, Beam calls it LOOPBACK.
 *     process    a command that the runner starts on its own machines
 *     docker     a container that the runner starts
 */
import { runnerApi } from "../../model/apache_beam.js";

/** Where the runner finds workers. Source: beam_runner_api.proto, Environment. */
export type WorkerEnvironment =
  | {
      readonly kind: "external";
      readonly endpoint: string;
      /** The pool's, if it has one. It travels with the job: whoever can read jobs at the runner can read it. */
      readonly token?: string | undefined;
    }
  | {
      readonly kind: "process";
      /** One executable: runners pass flags of their own, and no shell sees it. */
      readonly command: string;
      readonly env?: Readonly<Record<string, string>>;
    }
  | { readonly kind: "docker"; readonly image: string };

/** The components with this environment in place of theirs; the original is left as it is. */
export function withEnvironment(
  pipeline: runnerApi.Pipeline,
  environment: WorkerEnvironment,
): runnerApi.Pipeline {
  const copy = runnerApi.Pipeline.clone(pipeline);
  for (const each of Object.values(copy.components!.environments)) {
    Object.assign(each, environmentSpec(environment));
  }
  return copy;
}

function environmentSpec(
  environment: WorkerEnvironment,
): Pick<runnerApi.Environment, "urn" | "payload" | "dependencies"> {
  const dependencies: runnerApi.ArtifactInformation[] = [];
  switch (environment.kind) {
    case "external": {
      const { endpoint: url, token } = environment;
      // Runners hand on these parameters to the pool, and nothing else of the submitter's.
      const params: Record<string, string> = token === undefined ? {} : { token };
      const payload = runnerApi.ExternalPayload.create({ endpoint: { url }, params });
      return {
        urn: "beam:env:external:v1",
        payload: runnerApi.ExternalPayload.toBinary(payload),
        dependencies,
      };
    }
    case "process": {
      const { command, env = {} } = environment;
      const payload = runnerApi.ProcessPayload.create({ command, env });
      return {
        urn: "beam:env:process:v1",
        payload: runnerApi.ProcessPayload.toBinary(payload),
        dependencies,
      };
    }
    case "docker": {
      const payload = runnerApi.DockerPayload.create({ containerImage: environment.image });
      return { urn: "beam:env:docker:v1", payload: runnerApi.DockerPayload.toBinary(payload), dependencies };
    }
  }
}
