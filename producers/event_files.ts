/**
 * A scenario as files, in place of topics: for each kind of event as many files as a topic would have partitions, by the
 * same rule, so that a file holds what a partition would, in the order in which it would have arrived. Messages that a
 * file of that format cannot hold are left out: those without a value, and in Avro those that are no Avro.
 */

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { systemClock } from "@order-payment-stream/beam/io";
import {
  type AvroCodec,
  BLOCK_BYTES,
  containerBlock,
  containerHeader,
  NewFile,
} from "@order-payment-stream/files";

import { eventTypes } from "../schemas/avro_types.js";
import { eventSchema } from "../schemas/event_schemas.js";
import { partitionOf } from "./partitioner.js";
import { type ScenarioMessage, type ScenarioTopic, scenario } from "./scenario.js";
import { type ScheduleOptions, scenarioOptions, schedule } from "./schedule.js";

export interface EventFilesOptions extends ScheduleOptions {
  /** Gets the folders orders and payments, with part-00000.avro and so on. */
  folder: string;
  format: "avro" | "jsonl";
  codec: AvroCodec;
  /** Of each kind of event. */
  files: number;
  seed: number;
  signal?: AbortSignal;
  /** Called now and then. */
  onProgress?: (written: number) => void;
}

export interface EventFilesSummary {
  orders: number;
  payments: number;
  /** Messages that no file could hold. */
  leftOut: number;
  bytes: number;
}

const KINDS = { orders: "order", payments: "payment" } as const;
/** Of single-object encoding, in front of an Avro body. */
const HEADER_BYTES = 10;
const LINE_END = Buffer.from("\n");
const PROGRESS_EVERY = 8192;

/** One file on its way. */
class EventFile {
  readonly #file: NewFile;
  readonly #sync = randomBytes(16);
  #records: Buffer[] = [];
  #count = 0;
  #length = 0;
  bytes = 0;
  #hasBegun = false;

  constructor(
    path: string,
    private readonly topic: ScenarioTopic,
    private readonly format: "avro" | "jsonl",
    private readonly codec: AvroCodec,
  ) {
    this.#file = new NewFile(path);
  }

  /** False when it is time to flush. */
  add(record: Buffer): boolean {
    this.#records.push(record);
    this.#count++;
    this.#length += record.length;
    return this.#length < BLOCK_BYTES;
  }

  async flush(): Promise<void> {
    const parts: Buffer[] = [];
    const isAvro = this.format === "avro";
    if (isAvro && !this.#hasBegun)
      parts.push(containerHeader(eventSchema(KINDS[this.topic]), this.codec, this.#sync));
    this.#hasBegun = true;
    const bytes = Buffer.concat(this.#records);
    if (this.#count > 0)
      parts.push(
        ...(isAvro ? containerBlock({ count: this.#count, bytes }, this.codec, this.#sync) : [bytes]),
      );
    this.#records = [];
    this.#count = 0;
    this.#length = 0;
    if (parts.length === 0) return;
    this.bytes += parts.reduce((sum, { length }) => sum + length, 0);
    await this.#file.append(parts);
  }

  async finish(): Promise<void> {
    await this.flush();
    await this.#file.finish();
  }

  abandon(): Promise<void> {
    return this.#file.abandon();
  }
}

/**
 * Writes `count` orders' worth of events. A file gets its name when all are whole; after a failure or the signal none is
 * there.
 */
export async function produceFiles(options: EventFilesOptions): Promise<EventFilesSummary> {
  const { folder, format, codec, files, which, signal } = options;
  const shares = { ...options.shares, json: format === "jsonl" ? 1 : 0 };
  const timing = schedule({ ...options, rate: 0 }, systemClock.now());
  const messages = scenario({ ...scenarioOptions({ ...options, shares }, timing) });
  const topics = (["orders", "payments"] as const).filter((topic) => which === "all" || which === topic);
  const open = new Map<ScenarioTopic, EventFile[]>();
  for (const topic of topics) {
    const paths = Array.from({ length: files }, (_, number) =>
      join(folder, topic, `part-${String(number).padStart(5, "0")}.${format}`),
    );
    open.set(
      topic,
      paths.map((path) => new EventFile(path, topic, format, codec)),
    );
  }
  const all = [...open.values()].flat();
  const summary: EventFilesSummary = { orders: 0, payments: 0, leftOut: 0, bytes: 0 };
  try {
    let seen = 0;
    for (const message of messages) {
      if (++seen % PROGRESS_EVERY === 0) {
        signal?.throwIfAborted();
        options.onProgress?.(summary.orders + summary.payments);
      }
      const record = recordOf(message, format);
      if (record === undefined) {
        summary.leftOut++;
        continue;
      }
      summary[message.topic]++;
      const file = open.get(message.topic)![partitionOf(Buffer.from(message.key), files)]!;
      if (!file.add(record)) await file.flush();
    }
    for (const file of all) await file.finish();
  } catch (error) {
    for (const file of all) await file.abandon();
    throw error;
  }
  summary.bytes = all.reduce((sum, { bytes }) => sum + bytes, 0);
  return summary;
}

/** Undefined for what such a file cannot hold. */
function recordOf({ value, topic }: ScenarioMessage, format: "avro" | "jsonl"): Buffer | undefined {
  if (value === null) return undefined;
  if (format === "jsonl") {
    const isLine = value.length > 0 && !value.includes(0x0a) && !value.includes(0x0d);
    return isLine ? Buffer.concat([value, LINE_END]) : undefined;
  }
  const { header, type } = eventTypes[KINDS[topic]];
  if (!value.subarray(0, HEADER_BYTES).equals(header)) return undefined;
  const body = value.subarray(HEADER_BYTES);
  try {
    type.fromBuffer(body);
    return body;
  } catch {
    return undefined;
  }
}
