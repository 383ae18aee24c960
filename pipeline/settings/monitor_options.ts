/** The settings of what a run shows of itself: the page, metrics and health, and its log. */
import { isLoopback } from "../../monitor/access.js";
import type { Problem } from "./read_settings.js";
import { type SettingsOf, settingsTable } from "./setting.js";
import {
  bytesCount,
  durationMs,
  gcsPath,
  hostName,
  oneOf,
  portOrOff,
  secretOf,
  text,
} from "./setting_values.js";

export const UI_SETTINGS = settingsTable({
  ui_port: {
    description:
      "Port of the page that shows the run, with /metrics, /healthz and /readyz beside it; 0: any that is free; off: none.",
    expected: "a port from 0 to 65535, or off",
    schema: portOrOff,
    default: "4040",
  },
  ui_host: {
    description:
      "Address of this machine that the page is served at. Others than loopback ones need UI_TOKEN.",
    expected: "an address of this machine, such as 127.0.0.1 or 0.0.0.0",
    schema: hostName,
    default: "127.0.0.1",
  },
  ui_token: {
    description:
      "What whoever looks must know: /?token=… in a browser, Authorization: Bearer … for Prometheus. /healthz and /readyz are open.",
    expected: "a text of 16 characters or more",
    schema: secretOf(16),
    isSecret: true,
  },
});

export const LOG_SETTINGS = settingsTable({
  log_level: {
    description:
      "Least severe messages to log: trace, debug, info, warn, error or silent. SIGUSR2 turns debug on and off again.",
    expected: "trace, debug, info, warn, error or silent",
    schema: oneOf("trace", "debug", "info", "warn", "error", "silent"),
    default: "info",
  },
});

export const LOG_FILE_SETTINGS = settingsTable({
  log_format: {
    description:
      "Form of the log: text for people, json a line for machines, auto text on a terminal and json elsewhere.",
    expected: "auto, text or json",
    schema: oneOf("auto", "text", "json"),
    default: "auto",
  },
  log_dir: {
    description:
      "Directory where the log is kept as well, in files with the time in their names. Without it the log is on stderr alone, unless GCS_LOG_PATH is set: then a folder of this user's among the temporary files.",
    expected: "the path of a directory",
    schema: text,
  },
  log_file_size: {
    description: "A file of the log that is larger is finished, and a new one begun.",
    expected: "a number of bytes from 1k, such as 500k, 16m or 1g",
    schema: bytesCount(1 << 10),
    default: "16m",
  },
  log_file_time: {
    description: "As LOG_FILE_SIZE, for a file that is older.",
    expected: "a duration of a second or more, such as 15m or 1h",
    schema: durationMs(1_000),
    default: "1h",
  },
  log_kept: {
    description:
      "How long finished files stay in LOG_DIR; with GCS_LOG_PATH never less than until they are in the bucket.",
    expected: "a duration of a second or more, such as 30m or 168h",
    schema: durationMs(1_000),
    default: "168h",
  },
  gcs_log_path: {
    description: "Where files of the log are kept away from this machine, in a folder for each machine.",
    expected: "gs://bucket or gs://bucket/prefix",
    schema: gcsPath,
  },
  log_upload_interval: {
    description: "How often the file that is being written is carried there, too.",
    expected: "a duration of a second or more, such as 30s or 1m",
    schema: durationMs(1_000),
    default: "1m",
  },
});

export type UiSettings = SettingsOf<typeof UI_SETTINGS>;
export type LogFileSettings = SettingsOf<typeof LOG_FILE_SETTINGS>;

/** What makes no sense together. */
export function monitorProblems(settings: Partial<UiSettings>): Problem[] {
  const { ui_host: host, ui_port: port, ui_token: token } = settings;
  const problems: Problem[] = [];
  if (host !== undefined && port !== undefined && port !== null && !isLoopback(host) && token === undefined) {
    problems.push({
      name: "ui_token",
      text: `is not set: expected a text of 16 characters or more, because UI_HOST is ${JSON.stringify(host)}, which others reach`,
    });
  }
  return problems;
}
