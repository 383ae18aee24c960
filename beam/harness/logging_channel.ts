/**
 * The worker's log as the runner gets it: in batches, with the bundle and the transform that it belongs to. Nothing waits for it. What
 * the runner cannot take, because it is gone or too slow, goes to stderr. Source: beam_fn_api.proto, BeamFnLogging.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import { fnApi } from "../model/apache_beam.js";
import { after, systemClock } from "../platform/clock.js";
import { Connection } from "./connection.js";
import { LOGGING } from "./fn_methods.js";
import { lineOf, stderrLog, type WorkerLog } from "./worker_log.js";

/** The bundle that is at work, wherever its code has got to, and the transform in it. */
export const currentBundle = new AsyncLocalStorage<BundleAtWork>();

export interface BundleAtWork {
  readonly instructionId: string;
  /** Undefined before and after. */
  transform: { readonly id: string } | undefined;
}

const ENTRIES_MAX = 2_000;
const BATCH_ENTRIES = 64;
const FLUSH_MS = 100;
const RECONNECT_MS = 5_000;

const { DEBUG, INFO, WARN, ERROR } = fnApi.LogEntry_Severity_Enum;

export class LoggingChannel implements WorkerLog {
  readonly #connection: Connection;
  #stream: ClientDuplexStream<fnApi.LogEntry_List, fnApi.LogControl> | undefined;
  #entries: fnApi.LogEntry[] = [];
  #notBeforeMs = 0;
  #cancelFlush: (() => void) | undefined;
  #isClosed = false;

  constructor(endpoint: string, workerId: string) {
    this.#connection = new Connection(endpoint, workerId);
  }

  debug(message: string, fields?: Record<string, unknown>): void {
    this.#add(DEBUG, message, fields);
  }

  info(message: string, fields?: Record<string, unknown>): void {
    this.#add(INFO, message, fields);
  }

  warn(message: string, fields?: Record<string, unknown>): void {
    this.#add(WARN, message, fields);
  }

  error(message: string, fields?: Record<string, unknown>): void {
    this.#add(ERROR, message, fields);
  }

  /** Sends what waits. */
  close(): void {
    this.#isClosed = true;
    this.#cancelFlush?.();
    this.#flush();
    this.#stream?.end();
    this.#stream = undefined;
    // What was written goes out first.
    after(FLUSH_MS, () => this.#connection.close(), { isBackground: true });
  }

  #add(
    severity: fnApi.LogEntry_Severity_Enum,
    message: string,
    fields: Record<string, unknown> | undefined,
  ): void {
    if (this.#isClosed || systemClock.elapsed() < this.#notBeforeMs || this.#entries.length >= ENTRIES_MAX) {
      if (severity >= WARN) stderrLog.warn(message, fields);
      return;
    }
    const now = systemClock.now();
    const bundle = currentBundle.getStore();
    const entry = fnApi.LogEntry.create({
      severity,
      timestamp: { seconds: BigInt(Math.floor(now / 1000)), nanos: (now % 1000) * 1_000_000 },
      message: lineOf(message, fields),
      instructionId: bundle?.instructionId ?? "",
      transformId: bundle?.transform?.id ?? "",
      thread: "main",
    });
    if (this.#entries.push(entry) >= BATCH_ENTRIES) this.#flush();
    else this.#cancelFlush ??= after(FLUSH_MS, () => this.#flush(), { isBackground: true });
  }

  #flush(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    if (this.#entries.length === 0) return;
    const logEntries = this.#entries;
    this.#entries = [];
    this.#open().write({ logEntries });
  }

  #open(): ClientDuplexStream<fnApi.LogEntry_List, fnApi.LogControl> {
    if (this.#stream !== undefined) return this.#stream;
    const stream = this.#connection.stream(LOGGING);
    this.#stream = stream;
    const onEnd = (): void => {
      if (this.#stream !== stream) return;
      this.#stream = undefined;
      this.#notBeforeMs = systemClock.elapsed() + RECONNECT_MS;
      for (const { message, severity } of this.#entries.splice(0)) {
        if (severity >= WARN) stderrLog.warn(message);
      }
    };
    stream.on("data", () => undefined);
    stream.on("error", onEnd);
    stream.on("end", onEnd);
    return stream;
  }
}
