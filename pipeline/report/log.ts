/**
 * The log: on stderr, so that stdout has results only, and in files where LOG_DIR says so; sentences for people, JSON
 * lines for machines. The last lines are kept for the page. Its level may change while it is written.
 */

import { every, maskSecrets, systemClock } from "@order-payment-stream/beam/io";
import type { KafkaLogger } from "@order-payment-stream/kafka";
import { type Logger, pino } from "pino";
import { prettyFactory } from "pino-pretty";
import type { LogLine } from "../../monitor/actions.js";
import type { LogLevel } from "../settings/options.js";
import { Repetition } from "./repetition.js";
import type { Terminal } from "./terminal.js";

/** Fits the loggers that Kafka and MongoDB clients take. */
export type Log = KafkaLogger;

export type LogFormat = "auto" | "text" | "json";

/** Where lines go beside stderr; each with its end. Must not throw or wait. */
export interface LogSink {
  write(line: string): void;
}

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;

const TAIL_MAX = 200;
const REPETITION_LOOK_MS = 5_000;

export class RunLog implements Log {
  readonly #logger: Logger;
  readonly #tail: string[] = [];
  readonly #repetition = new Repetition((level, message, leftOut) =>
    this.#write(level as LogLevel, `${message} (${leftOut} more of the same were left out)`, undefined),
  );
  readonly #sinks: LogSink[] = [];
  readonly #given: LogLevel;

  constructor(level: LogLevel, terminal: Terminal, format: LogFormat = "auto") {
    this.#given = level;
    const isText = format === "text" || (format === "auto" && terminal.isTty);
    const onTerminal = isText ? textFormat(terminal.isTty) : undefined;
    const inFiles = format === "text" ? textFormat(false, "SYS:standard") : undefined;
    const write = (raw: string): void => {
      const line = maskSecrets(raw);
      this.#tail.push(line);
      if (this.#tail.length > TAIL_MAX) this.#tail.shift();
      terminal.write(onTerminal?.(line) ?? line);
      if (this.#sinks.length === 0) return;
      const text = inFiles?.(line) ?? line;
      for (const sink of this.#sinks) sink.write(text);
    };
    this.#logger = pino({ level, base: null }, { write });
    every(REPETITION_LOOK_MS, () => this.#repetition.flush(false));
  }

  debug(message: string, fields?: Record<string, unknown>): void {
    this.#take("debug", message, fields);
  }

  info(message: string, fields?: Record<string, unknown>): void {
    this.#take("info", message, fields);
  }

  warn(message: string, fields?: Record<string, unknown>): void {
    this.#take("warn", message, fields);
  }

  error(message: string, fields?: Record<string, unknown>): void {
    this.#take("error", message, fields);
  }

  get level(): LogLevel {
    return this.#logger.level as LogLevel;
  }

  set level(level: LogLevel) {
    if (level === this.level) return;
    const before = this.level;
    this.#logger.level = level;
    this.info("the level of the log has changed", { from: before, to: level });
  }

  /** Between debug and what it was at the start: for SIGUSR2. */
  toggleDebug(): void {
    const usual = this.#given === "debug" || this.#given === "trace" ? "info" : this.#given;
    this.level = this.level === "debug" ? usual : "debug";
  }

  /** From now on lines go there, too. */
  addSink(sink: LogSink): void {
    this.#sinks.push(sink);
  }

  /** In the files alone: what somebody else tells on stderr. */
  errorInFiles(message: string, fields: Record<string, unknown>): void {
    const line = `${JSON.stringify({ level: pino.levels.values.error, time: systemClock.now(), ...fields, msg: message })}\n`;
    for (const sink of this.#sinks) sink.write(maskSecrets(line));
  }

  /** The last lines, the newest last. */
  tail(): LogLine[] {
    return this.#tail.map(logLine);
  }

  /** What was left out is told before the end. */
  flush(): void {
    this.#repetition.flush();
  }

  #take(level: LogLevel, message: string, fields: Record<string, unknown> | undefined): void {
    if (!this.#logger.isLevelEnabled(level)) return;
    if (this.#repetition.passes(level, message)) this.#write(level, message, fields);
  }

  #write(level: LogLevel, message: string, fields: Record<string, unknown> | undefined): void {
    if (level === "silent") return;
    this.#logger[level](fields, message);
  }
}

export function createLog(level: LogLevel, terminal: Terminal, format: LogFormat = "auto"): RunLog {
  return new RunLog(level, terminal, format);
}

function textFormat(colorize: boolean, translateTime = "SYS:HH:MM:ss"): (line: string) => string {
  return prettyFactory({ colorize, singleLine: true, ignore: "pid,hostname", translateTime });
}

const LEVEL_NAMES: Readonly<Record<number, string>> = pino.levels.labels;

/** "sentence · field value, field value" */
function logLine(line: string): LogLine {
  try {
    const { time, level, msg = "", ...fields } = JSON.parse(line);
    const rest = Object.entries(fields).map(
      ([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`,
    );
    const text = rest.length === 0 ? String(msg) : `${msg} · ${rest.join(", ")}`;
    return { atMs: Number(time), level: LEVEL_NAMES[level] ?? String(level), text };
  } catch {
    return { atMs: 0, level: "info", text: line };
  }
}
