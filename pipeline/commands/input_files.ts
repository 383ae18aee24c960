/** The files of a run: looked for before it begins, and how far they are read while it goes on. */
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { MetricSource } from "@order-payment-stream/beam";
import { makeDirectory, systemClock } from "@order-payment-stream/beam/io";
import { FilesConnection, listFiles, NoFilesError, writtenFiles } from "@order-payment-stream/files";

import { bytesBar } from "../report/bar.js";
import type { Log } from "../report/log.js";
import type { RunSettings } from "../settings/options.js";
import { RESULT_FOLDERS } from "../write_results.js";
import { CommandError } from "./command.js";
import { EXIT_WRONG_SETTINGS } from "./exit_codes.js";

/** What there is to read. */
export interface FilesFound {
  readonly files: number;
  readonly bytes: number;
}

/** As workers are to find it that were started elsewhere on this machine. */
export function absolute(path: string): string {
  if (path.startsWith("gs://")) return path;
  return resolve(path) + (path.endsWith("/") && path !== "/" ? "/" : "");
}

/**
 * Looks for the files to read, and at the folders to write to.
 * @returns undefined when no files are read
 * @throws CommandError when there are none, or when the folders hold files of another run
 */
export async function inspectFiles(
  settings: RunSettings,
  isResumed: boolean,
  log: Log,
): Promise<FilesFound | undefined> {
  const connection = new FilesConnection({ gcsEndpoint: settings.storage_emulator_host });
  const { orders, payments } = settings;
  let found: FilesFound | undefined;
  for (const [name, pattern] of Object.entries({ orders, payments })) {
    if (pattern === undefined) continue;
    const files = await listFiles(connection, [absolute(pattern)]).catch(async (error: Error) => {
      throw error instanceof NoFilesError
        ? new CommandError(`--${name}: ${error.message}${await adviceFor(pattern)}`)
        : error;
    });
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    log.info(`files of ${name}`, { files: files.length, bytes });
    found = { files: files.length + (found?.files ?? 0), bytes: bytes + (found?.bytes ?? 0) };
  }
  const { sink, sink_path: path } = settings;
  if ((sink === "avro" || sink === "jsonl") && !path!.startsWith("gs://")) await prepareSink(absolute(path!));
  if ((sink === "avro" || sink === "jsonl") && !isResumed) {
    await refuseOtherFiles(connection, absolute(path!), (reason) => new CommandError(`SINK_PATH: ${reason}`));
  }
  return found;
}

/** What may be meant by a pattern that nothing fits. */
async function adviceFor(pattern: string): Promise<string> {
  const [, scheme] = /^([a-z][\w+.-]*):\/\//i.exec(pattern) ?? [];
  if (scheme !== undefined && scheme !== "gs")
    return `: files are read from this machine and from gs://, not from ${scheme}://`;
  const found = scheme === undefined ? await stat(pattern).catch(() => undefined) : undefined;
  return found?.isDirectory() ? `, which is a folder: for the files in it, ${join(pattern, "*")}` : "";
}

async function prepareSink(folder: string): Promise<void> {
  try {
    await makeDirectory(folder);
    await access(folder, constants.W_OK);
  } catch (error) {
    throw new CommandError(
      `SINK_PATH (--sink_path): ${folder} cannot be written: ${(error as Error).message}`,
      { exitCode: EXIT_WRONG_SETTINGS },
    );
  }
}

/** Throws what `refusal` makes of the reason, when the folders of results hold files. */
export async function refuseOtherFiles(
  connection: FilesConnection,
  path: string,
  refusal: (reason: string) => Error,
): Promise<void> {
  for (const folder of RESULT_FOLDERS) {
    const [first] = await connection.list(writtenFiles(`${path}/${folder}`));
    if (first === undefined) continue;
    throw refusal(
      `${path}/${folder} holds files of another run, such as ${first.path}: remove them, or name another folder`,
    );
  }
}

/** How far the files of a run are read, and how long that may still take. */
export class FileProgress {
  readonly #startMs = systemClock.elapsed();
  readonly #startBytes: number;

  constructor(
    private readonly metrics: MetricSource,
    private readonly found: FilesFound,
  ) {
    this.#startBytes = this.#read();
  }

  #read(): number {
    const read =
      this.metrics.counter("bytes", "ReadOrders/Files") + this.metrics.counter("bytes", "ReadPayments/Files");
    // Headers are not counted.
    return this.metrics.counter("files", "Read") >= this.found.files ? this.found.bytes : read;
  }

  /** Undefined while nothing tells. */
  #secondsLeft(read: number): number | undefined {
    const bytesPerMs = (read - this.#startBytes) / (systemClock.elapsed() - this.#startMs);
    return bytesPerMs > 0 ? Math.ceil((this.found.bytes - read) / bytesPerMs / 1000) : undefined;
  }

  lines(): string[] {
    const read = this.#read();
    const left = this.#secondsLeft(read);
    const leftText = left === undefined || read >= this.found.bytes ? "" : `, ${formatSeconds(left)} left`;
    return [`  files          ${bytesBar(read, this.found.bytes)}${leftText}`];
  }

  fields(): Record<string, number> {
    const read = this.#read();
    const left = this.#secondsLeft(read);
    return {
      filesPercent: this.found.bytes === 0 ? 100 : Math.floor((100 * read) / this.found.bytes),
      ...(left !== undefined && { filesSecondsLeft: left }),
    };
  }
}

function formatSeconds(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
