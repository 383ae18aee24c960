/**
 * `run --runner=dataflow`: submits the pipeline to Google Cloud Dataflow and follows the job. Nothing is asked of Kafka and
 * MongoDB from here: it is the workers that must reach them.
 */
import type { PipelineRun } from "@order-payment-stream/beam";
import {
  consoleUrl,
  DataflowError,
  type DataflowRun,
  type DataflowSubmission,
  prepareDataflowJob,
  runDataflow,
  writeDataflowTemplate,
} from "@order-payment-stream/beam/dataflow";
import { Health } from "@order-payment-stream/beam/direct";
import { systemClock } from "@order-payment-stream/beam/io";
import { gcsObjects } from "@order-payment-stream/gcs";

import { CLIENT_ID } from "../connections.js";
import { type SettingTexts, startMonitor } from "../monitoring/start_monitor.js";
import { createLog, type Log } from "../report/log.js";
import { print } from "../report/standard_output.js";
import { Terminal } from "../report/terminal.js";
import type { RunSettings } from "../settings/options.js";
import { workerOptions } from "../settings/worker_settings.js";
import { CommandError } from "./command.js";
import { watchInterrupts } from "./interrupts.js";
import { pipelineOf, supervise } from "./run.js";

/** Emulators answer at once, and their jobs last seconds. */
const POLL_OF_EMULATORS_MS = 250;

export interface Watching {
  /** Ends the watching. Default: SIGINT and SIGTERM. */
  readonly signal?: AbortSignal;
  /** Further lines for the live progress. */
  readonly more?: () => readonly string[];
}

/** Resolves with the exit code: when the job has ended, or with `no_wait` when it is submitted. */
export async function runOnDataflow(
  settings: RunSettings,
  read: SettingTexts,
  { signal = watchInterrupts().signal, more }: Watching = {},
): Promise<number> {
  const { texts } = read;
  const terminal = new Terminal();
  const log = createLog(settings.log_level, terminal, settings.log_format);
  const submission = submissionOf(settings, texts);
  const pipeline = pipelineOf(settings, settings.kafka_start !== "earliest");
  const prepared = prepareDataflowJob(pipeline, submission);
  if (settings.dry_run) {
    await print(JSON.stringify(prepared.job, null, 2));
    return 0;
  }
  const objects = gcsObjects({ apiEndpoint: settings.storage_emulator_host });
  if (settings.template_location !== undefined) {
    await writeDataflowTemplate(prepared, objects, settings.template_location);
    log.info("the job is written, and not submitted", { to: settings.template_location });
    return 0;
  }
  const isEmulator = settings.dataflow_endpoint?.startsWith("http:") ?? false;
  if (!isEmulator) warnOfThisMachine(texts, log);
  const run = await runDataflow(pipeline, submission, objects, {
    log,
    ...(isEmulator && { pollIntervalMs: POLL_OF_EMULATORS_MS, reasonMaxMs: 5_000 }),
  }).catch((error: Error) => {
    throw error instanceof DataflowError ? new CommandError(error.message) : error;
  });
  if (settings.no_wait) {
    run.detach();
    await print(run.jobId);
    return 0;
  }
  const job = new FollowedJob(run, settings, log);
  const monitoring = await startMonitor(settings, read, new Health(systemClock), log, false);
  try {
    monitoring.watch.runs(job);
    await supervise(job, {
      settings,
      terminal,
      log,
      signal,
      lost: new AbortController().signal,
      ...(more !== undefined && { more }),
    });
  } finally {
    await monitoring.close();
  }
  return 0;
}

/** A default, or what a laptop's `.env` says. */
function warnOfThisMachine(texts: ReadonlyMap<string, string>, log: Log): void {
  for (const name of ["kafka_bootstrap", "mongodb_uri"]) {
    if (!/(^|[/@,])(localhost|127\.|\[::1\])/.test(texts.get(name) ?? "")) continue;
    log.warn(`${name.toUpperCase()} names this machine, which workers on Dataflow cannot reach`);
  }
}

/** A signal ends the watching, not the job, unless DRAIN says that it is to be drained. */
class FollowedJob implements PipelineRun {
  readonly finished: Promise<void>;

  constructor(
    private readonly run: DataflowRun,
    private readonly settings: RunSettings,
    private readonly log: Log,
  ) {
    this.finished = run.finished.then(() => {
      if (!run.metrics.isKnown)
        log.warn("Dataflow reported no figures for this job, so the summary has none");
    });
    this.finished.catch(() => undefined);
  }

  get metrics(): PipelineRun["metrics"] {
    return this.run.metrics;
  }

  status(): readonly [] {
    return [];
  }

  health(): readonly [] {
    return [];
  }

  async stop(): Promise<void> {
    if (this.settings.drain === "expire") {
      this.log.info("draining the job; a second signal ends this program, and the job goes on draining");
      await this.run.stop("expire");
      return;
    }
    const { jobId } = this.run;
    const { project, region } = this.settings;
    this.log.info(
      `the job goes on; end it with \`order-payment-stream jobs drain ${jobId} --project=${project} --region=${region}\`, or cancel instead of drain`,
      { console: consoleUrl({ project: project!, region: region! }, jobId) },
    );
    this.run.detach();
    await this.finished;
  }
}

/** What the settings say of the job. */
export function submissionOf(settings: RunSettings, texts: ReadonlyMap<string, string>): DataflowSubmission {
  const usesPublicIps = settings.no_use_public_ips ? false : settings.use_public_ips;
  return {
    project: settings.project!,
    region: settings.region!,
    dataflowEndpoint: settings.dataflow_endpoint,
    jobName: settings.job_name ?? CLIENT_ID,
    tempLocation: settings.temp_location!,
    stagingLocation: settings.staging_location,
    sdkContainerImage: settings.sdk_container_image!,
    serviceAccountEmail: settings.service_account_email,
    machineType: settings.machine_type ?? settings.worker_machine_type,
    numWorkers: settings.num_workers,
    maxNumWorkers: settings.max_num_workers,
    autoscalingAlgorithm: settings.autoscaling_algorithm,
    network: settings.network,
    subnetwork: settings.subnetwork,
    usePublicIps: usesPublicIps,
    diskSizeGb: settings.disk_size_gb,
    workerZone: settings.worker_zone,
    kmsKey: settings.dataflow_kms_key,
    labels: settings.labels,
    serviceOptions: settings.dataflow_service_options,
    experiments: settings.experiments,
    update: settings.update,
    transformNameMapping: settings.transform_name_mapping,
    pipelineOptions: workerOptions(texts),
  };
}
