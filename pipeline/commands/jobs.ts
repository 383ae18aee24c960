/** `jobs`: shows, drains and cancels jobs on Google Cloud Dataflow, by their ids or the names that they run under. */
import {
  consoleUrl,
  DataflowError,
  DataflowMetrics,
  DataflowService,
  type Job,
  stateOf,
} from "@order-payment-stream/beam/dataflow";

import { print } from "../report/standard_output.js";
import { DATAFLOW_PLACE_SETTINGS } from "../settings/dataflow_settings.js";
import { SettingsError } from "../settings/read_settings.js";
import { nameOf, type SettingsOf } from "../settings/setting.js";
import { CommandError } from "./command.js";
import type { JOBS_CHOICES, JOBS_SETTINGS } from "./command_options.js";

type JobsSettings = SettingsOf<typeof JOBS_SETTINGS>;
type What = (typeof JOBS_CHOICES)[number];

/** Resolves with the exit code. */
export async function jobs(settings: JobsSettings, what: What, named: string | undefined): Promise<number> {
  const { project, region } = settings;
  if (project === undefined || region === undefined) {
    const missing = (["project", "region"] as const).filter((name) => settings[name] === undefined);
    throw new SettingsError(
      missing.map((name) => {
        const setting = DATAFLOW_PLACE_SETTINGS[name];
        return `${nameOf(name, setting)} is not set: expected ${setting.expected}`;
      }),
    );
  }
  if (what !== "list" && named === undefined) {
    throw new SettingsError([`jobs ${what} needs the id or the name of a job`], 1);
  }
  const service = new DataflowService({ project, region, dataflowEndpoint: settings.dataflow_endpoint });
  try {
    if (what === "list") await list(service, settings, named);
    else await ofOne(service, what, await idOf(service, named!));
  } catch (error) {
    throw error instanceof DataflowError ? new CommandError(error.message) : error;
  } finally {
    await service.close();
  }
  return 0;
}

async function list(service: DataflowService, { status }: JobsSettings, name?: string): Promise<void> {
  const filter = ({ active: "ACTIVE", terminated: "TERMINATED", all: "ALL" } as const)[status];
  const found = (await service.list(filter)).filter((job) => name === undefined || job.name === name);
  for (const job of found) await print(jobText(job));
  if (found.length === 0) await print(status === "all" ? "no jobs" : `no ${status} jobs`);
}

async function ofOne(service: DataflowService, what: Exclude<What, "list">, jobId: string): Promise<void> {
  switch (what) {
    case "show": {
      const job = await service.get(jobId);
      await print(jobText(job));
      for (const { messageText, time } of (await service.messages(jobId, undefined)).slice(-MESSAGES_SHOWN)) {
        await print(`  ${timeText(time)}  ${(messageText ?? "").replace(/\s+/g, " ")}`);
      }
      await print(`  ${consoleUrl(service.place, jobId)}`);
      return;
    }
    case "metrics": {
      const metrics = new DataflowMetrics();
      metrics.take(await service.metrics(jobId));
      for (const [name, value] of metrics.counters()) await print(`${name}  ${value}`);
      for (const [name, { count, sum, min, max }] of metrics.distributions()) {
        await print(`${name}  count ${count}  sum ${sum}  min ${min}  max ${max}`);
      }
      if (!metrics.isKnown) await print("the job has reported no metrics yet");
      return;
    }
    case "drain":
    case "cancel":
      await service.request(jobId, what === "drain" ? "JOB_STATE_DRAINING" : "JOB_STATE_CANCELLED");
      await print(`${jobId}: ${what === "drain" ? "draining" : "cancelling"}; see \`jobs show ${jobId}\``);
  }
}

const MESSAGES_SHOWN = 10;
/** As the service makes them: 2026-01-31_04_05_06-1234567890123456789. */
const JOB_ID = /^\d{4}-\d\d-\d\d_\d\d_\d\d_\d\d-\d+$/;

async function idOf(service: DataflowService, named: string): Promise<string> {
  if (JOB_ID.test(named)) return named;
  const active = await service.activeJob(named);
  if (active !== undefined) return active;
  const { project, region } = service.place;
  throw new CommandError(
    `no job called ${named} runs in ${project}, ${region}: see \`jobs list --status=all\``,
  );
}

/** One line; its first word is the id. */
function jobText(job: Job): string {
  const state = stateOf(job)
    .replace(/^JOB_STATE_/, "")
    .toLowerCase();
  return [job.id, state.padEnd(9), timeText(job.createTime), job.name].join("  ");
}

function timeText(time: Job["createTime"]): string {
  return time == null ? "-" : new Date(Number(time.seconds ?? 0) * 1_000).toISOString();
}
