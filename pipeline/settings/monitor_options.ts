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
      "Port of the page that shows the run, and of /metrics, /healthz and /readyz; 0: any free port; off: no page.",
    expected: "a port from 0 to 65535, or off",
    schema: portOrOff,
    default: "4040",
  },
  ui_host: {
    description: "Address that the page is served at. An address other than loopback requires UI_TOKEN.",
    expected: "an address of this machine, such as 127.0.0.1 or 0.0.0.0",
    schema: hostName,
    default: "127.0.0.1",
  },
  ui_token: {
    description:
      "Token for the page: /?token=… in a browser, Authorization: Bearer … for Prometheus. /healthz and /readyz need none.",
    expected: "a text of 16 characters or more",
    schema: secretOf(16),
    isSecret: true,
  },
});

export const LOG_SETTINGS = settingsTable({
  log_level: {
    description:
      "Least severe level to log: trace, debug, info, warn, error or silent. SIGUSR2 turns debug on, and off again.",
    expected: "trace, debug, info, warn, error or silent",
    schema: oneOf("trace", "debug", "info", "warn", "error", "silent"),
    default: "info",
  },
});

export const LOG_FILE_SETTINGS = settingsTable({
  log_format: {
    description:
      "Format of the log: text for people, json for machines, auto for text on a terminal and json elsewhere.",
    expected: "auto, text or json",
    schema: oneOf("auto", "text", "json"),
    default: "auto",
  },
  log_dir: {
    description:
      "Directory where the log is also written to, in files with the time in their names. Without it the log goes to stderr only; with GCS_LOG_PATH it defaults to a temporary folder of this user.",
    expected: "the path of a directory",
    schema: text,
  },
  log_file_size: {
    description: "Size at which a log file is closed and a new one begun.",
    expected: "a number of bytes from 1k, such as 500k, 16m or 1g",
    schema: bytesCount(1 << 10),
    default: "16m",
  },
  log_file_time: {
    description: "Age at which a log file is closed and a new one begun.",
    expected: "a duration of a second or more, such as 15m or 1h",
    schema: durationMs(1_000),
    default: "1h",
  },
  log_kept: {
    description:
      "How long closed files stay in LOG_DIR; with GCS_LOG_PATH at least until they are in the bucket.",
    expected: "a duration of a second or more, such as 30m or 168h",
    schema: durationMs(1_000),
    default: "168h",
  },
  gcs_log_path: {
    description: "Bucket that log files are uploaded to, with one folder for each machine.",
    expected: "gs://bucket or gs://bucket/prefix",
    schema: gcsPath,
  },
  log_upload_interval: {
    description: "How often the current log file is uploaded as well.",
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
