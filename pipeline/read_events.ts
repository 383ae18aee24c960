/** Where the events come from: a topic, files, or files first and the topic from a place in it on. */
import { type Collection, flattenAll, type Root } from "@order-payment-stream/beam";
import { type BadFiles, readFromFiles } from "@order-payment-stream/files";
import { type OffsetReset, readFromKafka, type StartPoint } from "@order-payment-stream/kafka";

import type { DeadLetter } from "../transforms/dead_letter.js";
import {
  type EventDecoderConfig,
  ORDER_DECODER,
  type OrderById,
  PAYMENT_DECODER,
  type PaymentById,
} from "../transforms/decode.js";
import { ORDER_FILE_DECODER, PAYMENT_FILE_DECODER } from "../transforms/decode_files.js";
import { FILES_CONNECTION, KAFKA_CONNECTION, SCHEMA_REGISTRY } from "./connection_names.js";

/** Where to go on in Kafka behind the files: a start point of all topics, or offsets by topic and partition. */
export type Seam =
  | StartPoint
  | { readonly offsetsByTopic: Readonly<Record<string, Readonly<Record<string, number>>>> };

export interface ReadOptions {
  readonly orderTopic: string;
  readonly paymentTopic: string;
  /** A pattern of paths. With it orders come from files, and from the topic only behind a seam. */
  readonly orderFiles?: string | undefined;
  readonly paymentFiles?: string | undefined;
  /** Default: none, files are all there is. */
  readonly seam?: Seam | undefined;
  /** Default: fail. */
  readonly badFiles?: BadFiles;
  /** Of Kafka. Files have an end anyhow. */
  readonly isBounded: boolean;
  /** Of a topic without files. */
  readonly start: StartPoint;
  /** Default: none. */
  readonly offsetReset?: OffsetReset;
  readonly groupId: string | undefined;
  /** T */
  readonly timeoutMs: number;
  /** D */
  readonly maxOutOfOrdernessMs: number;
  /** How far ahead of the clock an event may be; null: as far as it likes. */
  readonly maxAheadOfClockMs: number | null;
  /** Values may name schemas of a registry. Default: no. */
  readonly usesSchemaRegistry?: boolean;
  /** Avro schemas in JSON of other writers of single-object values. */
  readonly writerSchemas?: readonly string[] | undefined;
}

interface Read<E> {
  readonly events: Collection<E>;
  readonly rejected: readonly Collection<DeadLetter>[];
}

export function readOrders(root: Root, options: ReadOptions): Read<OrderById> {
  const { orderFiles, orderTopic: topic } = options;
  return joinedReads(
    "Orders",
    orderFiles &&
      readFromFiles("ReadOrders/Files", root, {
        ...ofFiles(options, orderFiles),
        decoder: ORDER_FILE_DECODER,
      }),
    isRead(options, orderFiles) &&
      readFromKafka("ReadOrders", root, { ...ofKafka(options, topic, orderFiles), decoder: ORDER_DECODER }),
  );
}

export function readPayments(root: Root, options: ReadOptions): Read<PaymentById> {
  const { paymentFiles, paymentTopic: topic } = options;
  return joinedReads(
    "Payments",
    paymentFiles &&
      readFromFiles("ReadPayments/Files", root, {
        ...ofFiles(options, paymentFiles),
        decoder: PAYMENT_FILE_DECODER,
      }),
    isRead(options, paymentFiles) &&
      readFromKafka("ReadPayments", root, {
        ...ofKafka(options, topic, paymentFiles),
        decoder: PAYMENT_DECODER,
      }),
  );
}

/** Whether a topic is read that has these files. */
const isRead = ({ seam }: ReadOptions, files: string | undefined): boolean =>
  files === undefined || seam !== undefined;

/** Whether any topic is read. */
export function readsKafka(options: Pick<ReadOptions, "orderFiles" | "paymentFiles" | "seam">): boolean {
  const { orderFiles, paymentFiles, seam } = options;
  return orderFiles === undefined || paymentFiles === undefined || seam !== undefined;
}

function decoderConfig(options: ReadOptions): EventDecoderConfig {
  const { timeoutMs, maxAheadOfClockMs, usesSchemaRegistry, writerSchemas } = options;
  return {
    timeoutMs,
    maxAheadOfClockMs,
    ...(usesSchemaRegistry && { schemaRegistry: SCHEMA_REGISTRY }),
    ...(writerSchemas !== undefined && { writerSchemas }),
  };
}

/** In the order that a file has, so that what is late is the same on every runner. */
function ofFiles(options: ReadOptions, pattern: string) {
  return {
    connection: FILES_CONNECTION,
    patterns: [pattern],
    isOrdered: true,
    badFiles: options.badFiles ?? "fail",
    maxOutOfOrdernessMs: options.maxOutOfOrdernessMs,
    decoderConfig: { timeoutMs: options.timeoutMs, maxAheadOfClockMs: options.maxAheadOfClockMs },
  } as const;
}

function ofKafka(options: ReadOptions, topic: string, files: string | undefined) {
  const { isBounded, start, offsetReset = "none", groupId, maxOutOfOrdernessMs, seam } = options;
  return {
    connection: KAFKA_CONNECTION,
    topic,
    isBounded,
    start: files === undefined || seam === undefined ? start : startOf(seam, topic),
    offsetReset,
    groupId,
    maxOutOfOrdernessMs,
    decoderConfig: decoderConfig(options),
  };
}

function startOf(seam: Seam, topic: string): StartPoint {
  if (typeof seam === "string" || !("offsetsByTopic" in seam)) return seam;
  return { offsets: seam.offsetsByTopic[topic] ?? {} };
}

type OneRead<E> = { readonly events: Collection<E>; readonly rejected: Collection<DeadLetter> };

function joinedReads<E>(
  name: string,
  files: OneRead<E> | "" | undefined,
  kafka: OneRead<E> | false,
): Read<E> {
  const reads = [files, kafka].filter((one): one is OneRead<E> => typeof one === "object");
  const [first, ...others] = reads.map(({ events }) => events);
  const events = others.length === 0 ? first! : flattenAll(`FilesThenKafka/${name}`, [first!, ...others]);
  return { events, rejected: reads.map(({ rejected }) => rejected) };
}
