/** The settings of the runners, by the names that Beam has for them, what makes no sense together, and what each runner is told. */
import { DEFAULT_ENGINE_OPTIONS } from "@order-payment-stream/beam/direct";
import { KEY_SHARDS_MAX, type PipelineOptions } from "@order-payment-stream/beam/portable";
import type { Problem } from "./read_settings.js";
import { type SettingsOf, settingsTable } from "./setting.js";
import { address, durationMs, hosts, oneOf, parsed, secretOf, text, wholeNumber } from "./setting_values.js";

const INT_MAX = 2 ** 31 - 1;
const RUNNERS = ["direct", "prism", "flink", "portable", "dataflow"] as const;

/** Also as Beam has them: DirectRunner, DataflowRunner, … */
const runnerName = parsed((value) => {
  const name = value.toLowerCase().replace(/runner$/, "");
  return RUNNERS.find((known) => known === name);
});

export const DIRECT_RUNNER_SETTINGS = settingsTable({
  bundle_size: {
    description: "Direct runner: greatest number of records that are processed and committed together.",
    expected: "a whole number from 1 to 1000000",
    schema: wholeNumber(1, 1_000_000),
    default: String(DEFAULT_ENGINE_OPTIONS.bundleSizeMax),
  },
  bundle_time: {
    description: "Direct runner: longest time to spend reading one bundle.",
    expected: "a duration such as 50ms or 1s",
    schema: durationMs(1),
    default: `${DEFAULT_ENGINE_OPTIONS.bundleTimeMaxMs}ms`,
  },
});

/** Of the runners that are not in this process. */
export const RUNNER_SETTINGS = settingsTable({
  runner: {
    description:
      "Where to run the pipeline: direct, in this process; prism or flink, started for this run unless JOB_ENDPOINT names one; portable, any other Beam runner; or dataflow, Google Cloud Dataflow.",
    expected: "direct, prism, flink, portable or dataflow",
    schema: runnerName,
    default: "direct",
  },
  job_endpoint: {
    description: "Job service of a runner that is already running.",
    expected: "host:port",
    schema: address,
  },
  job_name: {
    description: "Name of the job on the runner; default order-payment-stream.",
    expected: "a name",
    schema: text,
  },
  environment_type: {
    description:
      "Where a runner finds workers: LOOPBACK, in this process (the default); PROCESS, a command that it starts; EXTERNAL, a worker pool that is already running; DOCKER, a container that it starts.",
    expected: "LOOPBACK, PROCESS, EXTERNAL or DOCKER",
    schema: oneOf("LOOPBACK", "PROCESS", "EXTERNAL", "DOCKER"),
  },
  environment_config: {
    description:
      'For PROCESS the command, if not this program\'s own worker, or {"command": …, "env": {…}}; for EXTERNAL the pool\'s host:port; for DOCKER the image.',
    expected: "a command, host:port or an image, as ENVIRONMENT_TYPE says",
    schema: text,
  },
  worker_pool_token: {
    description:
      "For EXTERNAL: the worker pool's token, set in the same variable there, without which it gives nobody workers. Set it in the environment rather than on the command line.",
    expected: "a text of 16 characters or more",
    schema: secretOf(16),
    isSecret: true,
  },
  worker_pool_runners: {
    description:
      "For a worker pool: hosts of runners that its workers may connect to, in addition to this machine; default none, or any with a token.",
    expected: "one or more hosts, separated by commas",
    schema: hosts,
  },
  parallelism: {
    description: "Flink: greatest number of parallel instances of each step.",
    expected: "a whole number from 1 to 32768",
    schema: wholeNumber(1, 32_768),
  },
  flink_master: {
    description: "Flink: REST endpoint of a cluster; default [local], a Flink within the job server.",
    expected: "host:port, [local] or [auto]",
    schema: text,
  },
  checkpointing_interval: {
    description: "Flink: milliseconds between checkpoints; without it a failure ends the job.",
    expected: "a whole number of ms from 10",
    schema: wholeNumber(10, INT_MAX),
  },
  max_bundle_size: {
    description: "Flink: greatest number of elements in a bundle.",
    expected: "a whole number from 1",
    schema: wholeNumber(1, INT_MAX),
  },
  max_bundle_time_mills: {
    description: "Flink: longest time that a bundle may stay open, in milliseconds.",
    expected: "a whole number of ms from 1",
    schema: wholeNumber(1, INT_MAX),
  },
  key_shards: {
    description:
      "Flink: into how many shards order_ids are put, whose state a worker has in its memory, and the runner as a log; 0: the runner has the state of each order_id, which takes several times as long, and less memory of workers. Do not change it over kept state. Default 128 with flink, else 0.",
    expected: `a whole number from 0 to ${KEY_SHARDS_MAX}`,
    schema: wholeNumber(0, KEY_SHARDS_MAX),
  },
  savepoint_path: {
    description: "Flink: savepoint to start from.",
    expected: "the path of a savepoint",
    schema: text,
  },
});

export type RunnerSettings = SettingsOf<typeof RUNNER_SETTINGS>;
type RunnerSettingName = keyof RunnerSettings;

// Not JOB_NAME: some build servers have a variable of that name.
const OF_EVERY_RUNNER = ["job_endpoint", "environment_type", "environment_config"] as const;
const OF_FLINK = [
  "parallelism",
  "flink_master",
  "checkpointing_interval",
  "max_bundle_size",
  "max_bundle_time_mills",
  "key_shards",
  "savepoint_path",
] as const;

/** Settings of others that concern the runner. */
interface OfTheDirectRunner {
  readonly bounded?: boolean;
  readonly drain?: "keep" | "expire" | undefined;
  readonly state_dir?: string | undefined;
  readonly gcs_checkpoint_path?: unknown;
}

/** What makes no sense together. */
export function runnerProblems(settings: Partial<RunnerSettings> & OfTheDirectRunner): Problem[] {
  const { runner, job_endpoint: endpoint, environment_type: type, environment_config: config } = settings;
  if (runner === undefined) return [];
  const isSet = (name: RunnerSettingName): boolean => settings[name] !== undefined;
  const misplaced = (names: readonly RunnerSettingName[], why: string): Problem[] =>
    names.filter(isSet).map((name) => ({ name, text: `is set, but ${why}` }));
  if (runner === "direct") {
    return misplaced(
      [...OF_EVERY_RUNNER, ...OF_FLINK],
      "RUNNER is direct: expected prism, flink or portable",
    );
  }
  const problems: Problem[] = [];
  const problem = (name: RunnerSettingName | keyof OfTheDirectRunner, text: string): void => {
    problems.push({ name, text });
  };
  for (const name of ["state_dir", "gcs_checkpoint_path"] as const) {
    if (settings[name] === undefined) continue;
    problem(name, `is set, but RUNNER is ${runner}, which keeps state in its own way: expected direct`);
  }
  if (runner === "dataflow") {
    problems.push(
      ...misplaced(
        [...OF_EVERY_RUNNER, ...OF_FLINK],
        "RUNNER is dataflow: expected prism, flink or portable",
      ),
    );
    return problems;
  }
  if (runner === "prism") problems.push(...misplaced(OF_FLINK, "RUNNER is prism: expected flink"));
  if (runner === "portable" && endpoint === undefined) {
    problem("job_endpoint", "is not set: expected host:port, because RUNNER is portable");
  }
  if (runner !== "prism" && endpoint !== undefined) {
    problems.push(
      ...misplaced(["flink_master"], "JOB_ENDPOINT names a job server, which already has its Flink"),
    );
  }
  if (settings.drain === "expire" && runner !== "portable") {
    problem("drain", `is "expire", but ${runner} cannot drain a job: expected keep`);
  }
  if (settings.drain === "keep" && settings.bounded) {
    problem("drain", `is "keep", but ${runner} expires what waits at the end of a bounded job: leave it out`);
  }
  if (config === undefined && (type === "EXTERNAL" || type === "DOCKER")) {
    const expected = type === "EXTERNAL" ? "host:port of a worker pool" : "a container image";
    problem("environment_config", `is not set: expected ${expected}, because ENVIRONMENT_TYPE is ${type}`);
  }
  if (config !== undefined && (type ?? "LOOPBACK") === "LOOPBACK") {
    problem("environment_config", "is set, but ENVIRONMENT_TYPE is LOOPBACK, which has nothing to configure");
  }
  if (config !== undefined && type === "EXTERNAL" && !address.safeParse(config).success) {
    problem("environment_config", `is ${JSON.stringify(config)}: expected host:port of a worker pool`);
  }
  return problems;
}

/** What the direct runner is told of them. */
export function directRunnerOptions({ bundle_size, bundle_time }: SettingsOf<typeof DIRECT_RUNNER_SETTINGS>) {
  return { bundleSizeMax: bundle_size, bundleTimeMaxMs: bundle_time };
}

const FLINK_BUNDLE_SIZE_MAX = 100_000;
const FLINK_BUNDLE_TIME_MAX_MS = 500;

const FLINK_KEY_SHARDS = 128;

/** Only where the runner lets workers keep state from bundle to bundle, as Flink does, are shards fast. */
export function keyShardsOf({ runner, key_shards }: Pick<RunnerSettings, "runner" | "key_shards">): number {
  return key_shards ?? (runner === "flink" ? FLINK_KEY_SHARDS : 0);
}

/** What a runner is told beside where Kafka and MongoDB are. Names are those of Beam's FlinkPipelineOptions. */
export function portableRunnerOptions(
  settings: RunnerSettings & { readonly bounded: boolean },
): PipelineOptions {
  if (settings.runner === "prism") return { streaming: !settings.bounded };
  const { checkpointing_interval: checkpointingMs, environment_type: environment } = settings;
  const isWorkerAProcess = environment === "PROCESS" || environment === "DOCKER";
  return {
    // A bounded one too: in batch Flink finalizes no bundles and fires timers at the end of a key.
    streaming: true,
    parallelism: settings.parallelism,
    // A worker runs on one core. Those of a pool share a process, where more of them would gain nothing.
    sdk_worker_parallelism: isWorkerAProcess ? settings.parallelism : undefined,
    max_bundle_size: settings.max_bundle_size ?? FLINK_BUNDLE_SIZE_MAX,
    max_bundle_time_mills: settings.max_bundle_time_mills ?? FLINK_BUNDLE_TIME_MAX_MS,
    savepoint_path: settings.savepoint_path,
    ...(checkpointingMs !== undefined && {
      checkpointing_interval: checkpointingMs,
      // Otherwise sources starve while a checkpoint waits for a bundle.
      finish_bundle_before_checkpointing: true,
      // A job with checkpoints would not end by itself.
      shutdown_sources_after_idle_ms: settings.bounded ? 0 : undefined,
    }),
  };
}
