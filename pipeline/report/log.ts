/** The log: on stderr, so that stdout has results only; readable on a terminal, JSON lines elsewhere. */

import { maskSecrets } from "@order-payment-stream/beam/io";
import type { KafkaLogger } from "@order-payment-stream/kafka";
import { pino } from "pino";
import { prettyFactory } from "pino-pretty";

import type { LogLevel } from "../settings/options.js";
import type { Terminal } from "./terminal.js";

/** Fits the loggers that Kafka and MongoDB clients take. */
export type Log = KafkaLogger;

export function createLog(level: LogLevel, terminal: Terminal): Log {
  const format = terminal.isTty
    ? prettyFactory({
        colorize: true,
        singleLine: true,
        ignore: "pid,hostname",
        translateTime: "SYS:HH:MM:ss",
      })
    : (line: string) => line;
  const write = (line: string): void => terminal.write(format(maskSecrets(line)));
  const logger = pino({ level, base: null }, { write });
  return {
    debug: (message, fields) => logger.debug(fields, message),
    info: (message, fields) => logger.info(fields, message),
    warn: (message, fields) => logger.warn(fields, message),
    error: (message, fields) => logger.error(fields, message),
  };
}
