/**
 * A Kafka client whose brokers keep mutated records. The bytes of its batches go through the product's own reader of
 * record batches. Batches are mutated too: damage that the reader refuses is what a broker would be asked for again, so
 * the batch follows undamaged; what the reader takes for a batch, the pipeline gets.
 */
import { gzipSync } from "node:zlib";
import { decodeFromBytes, encodeToBytes } from "../../beam/model/coders/encode_to_bytes.js";
import { crc32c } from "../../beam/platform/crc32c.js";
import { BufferedRecords } from "../../connectors/kafka/client/buffered_records.js";
import type { KafkaClient, OffsetPoint, RecordCursor } from "../../connectors/kafka/client/kafka_client.js";
import { RecordFormatError, UnreadableRecordsError } from "../../connectors/kafka/client/kafka_errors.js";
import { type RecordBatch, readRecordSet } from "../../connectors/kafka/client/record_batch.js";
import { UnpackedBatches } from "../../connectors/kafka/client/unpacked_batches.js";
import {
  type RecordDecoder,
  type RecordDecoderDescriptor,
  Rejected,
  type TopicPartition,
} from "../../connectors/kafka/record_decoder.js";
import type { EventKind } from "../../schemas/events.js";
import { PLAIN, recordBatchBytes } from "../simulation/world/record_batch_bytes.js";
import { type Chance, MutatedRecords } from "./mutated_records.js";

const BATCH_RECORDS = 50;
const GZIP = 1;
const HEADER_BYTES = 61;
const DAMAGED_SHARE = 0.1;

export interface FuzzedTopic {
  readonly name: string;
  readonly kind: EventKind;
  readonly decoder: RecordDecoderDescriptor<any, any, any>;
}

export interface Fuzz {
  readonly chance: Chance;
  readonly startMs: number;
  /** No event is dated far ahead of the others. */
  readonly isCalm: boolean;
  readonly topics: readonly FuzzedTopic[];
  readonly partitions: number;
  readonly recordsPerPartition: number;
  readonly timeoutMs: number;
}

/** What one partition holds, ready to be read. */
interface Partition {
  readonly batches: readonly RecordBatch[];
  readonly end: number;
  readonly records: number;
}

export class FuzzedKafka {
  refusedBatches = 0;
  readonly #partitions = new Map<string, Partition>();

  private constructor(private readonly fuzz: Fuzz) {}

  static async fill(fuzz: Fuzz): Promise<FuzzedKafka> {
    const kafka = new FuzzedKafka(fuzz);
    for (const topic of fuzz.topics) {
      for (let partition = 0; partition < fuzz.partitions; partition++) {
        kafka.#partitions.set(`${topic.name}/${partition}`, await kafka.#fill(topic, partition));
      }
    }
    return kafka;
  }

  records(topic: string): number {
    let count = 0;
    for (const [name, { records }] of this.#partitions) if (name.startsWith(`${topic}/`)) count += records;
    return count;
  }

  async #fill({ name, kind, decoder }: FuzzedTopic, partition: number): Promise<Partition> {
    const { chance, startMs, recordsPerPartition, timeoutMs } = this.fuzz;
    const source = new MutatedRecords(chance, startMs, this.fuzz.isCalm);
    const check = decoder.create({ timeoutMs, maxAheadOfClockMs: null });
    const batches: RecordBatch[] = [];
    let end = 0;
    let records = 0;
    while (records < recordsPerPartition) {
      const batch = Array.from({ length: 1 + Math.floor(chance() * BATCH_RECORDS) }, () => source.take(kind));
      const whole = recordBatchBytes(end, batch, PLAIN, 0);
      const packed = chance() < 0.3 ? gzipped(whole) : whole;
      const damaged = chance() < DAMAGED_SHARE ? await this.#read(this.#damage(packed), end) : undefined;
      const read = damaged ?? (await this.#read(packed, end))!;
      batches.push(...read.batches);
      records += readAll(read.batches, end, (record) =>
        roundTrip(decoder, check, record, { topic: name, partition, log: "" }),
      );
      end = Math.max(end + 1, read.nextOffset);
    }
    return { batches, end, records };
  }

  /** Undefined for what is refused as no record batch. Any other error is a finding. */
  async #read(bytes: Buffer, fetchOffset: number) {
    try {
      const set = readRecordSet(bytes, 0, bytes.length, fetchOffset, [], true);
      readAll(set.batches, fetchOffset, () => undefined);
      // Damaged so that its offsets are those of another place of the log, which no checksum covers.
      const first = set.batches[0]?.baseOffset ?? fetchOffset;
      if (first < fetchOffset || set.nextOffset > fetchOffset + 1_000)
        throw new RecordFormatError("elsewhere");
      return set;
    } catch (error) {
      if (!(error instanceof RecordFormatError)) throw error;
      this.refusedBatches++;
      return undefined;
    }
  }

  /** Half of the time with a checksum that fits, as a producer with a fault would write it. */
  #damage(bytes: Buffer): Buffer {
    const { chance } = this.fuzz;
    const damaged = Buffer.from(bytes);
    for (let i = 0; i <= chance() * 3; i++) {
      damaged[Math.floor(chance() * damaged.length)]! ^= 1 << Math.floor(chance() * 8);
    }
    if (chance() < 0.5 && damaged.length > 21) damaged.writeUInt32BE(crc32c(damaged, 21, damaged.length), 17);
    return damaged;
  }

  connect(): KafkaClient {
    const partitionOf = (topic: string, partition: number) => this.#partitions.get(`${topic}/${partition}`)!;
    const ids = Array.from({ length: this.fuzz.partitions }, (_, id) => id);
    return {
      partitions: async () => ids,
      log: async () => ({ clusterId: "fuzz", topicId: "" }),
      offsets: async (topic: string, at: OffsetPoint) =>
        new Map(ids.map((id) => [id, at === "earliest" ? 0 : partitionOf(topic, id).end])),
      committedOffsets: async () => new Map(),
      commitOffsets: async () => undefined,
      subscribe: (topic: string, partition: number, offset: number, onData: () => void) =>
        new FuzzedSubscription(topic, partition, offset, partitionOf(topic, partition), onData),
      close: async () => undefined,
    } as unknown as KafkaClient;
  }
}

const UNPACKED_MAX_BYTES = 64 << 20;

function unpackedBatches(): UnpackedBatches {
  return new UnpackedBatches(UNPACKED_MAX_BYTES, UNPACKED_MAX_BYTES);
}

/** How many records, or batches that cannot be read and are one dead letter each, the product takes from batches. */
function readAll(
  batches: readonly RecordBatch[],
  offset: number,
  onRecord: (record: RecordCursor) => void,
): number {
  const cursor = new BufferedRecords(offset, "fuzz", unpackedBatches());
  cursor.push(batches.map((each) => ({ ...each })));
  cursor.allow(Number.POSITIVE_INFINITY);
  let next = offset;
  let count = 0;
  for (;;) {
    try {
      if (!cursor.next()) return count;
      next = cursor.offset + 1;
      count++;
      onRecord(cursor);
    } catch (error) {
      if (!(error instanceof UnreadableRecordsError)) throw error;
      cursor.skipUnreadable();
      // Bytes behind the last record are nobody's.
      if (error.lastOffset < next) continue;
      next = error.lastOffset + 1;
      count++;
    }
  }
}

class FuzzedSubscription {
  readonly error = undefined;
  readonly highWatermark: number;
  readonly #records: BufferedRecords;

  constructor(
    readonly topic: string,
    readonly partition: number,
    offset: number,
    private readonly of: Partition,
    onData: () => void,
  ) {
    this.highWatermark = of.end;
    this.#records = new BufferedRecords(offset, `${topic}[${partition}]`, unpackedBatches());
    this.#records.push(
      of.batches.filter(({ lastOffset }) => lastOffset >= offset).map((batch) => ({ ...batch })),
    );
    setImmediate(onData);
  }

  take(maxRecords: number): RecordCursor | undefined {
    this.#records.allow(maxRecords);
    return this.#records.isExhausted ? undefined : this.#records;
  }

  get position(): number {
    return this.#records.isExhausted ? this.of.end : this.#records.position;
  }

  get caughtUpAtMs(): number | undefined {
    return this.#records.isExhausted ? Date.now() : undefined;
  }

  close(): void {
    this.#records.clear();
  }
}

function gzipped(batch: Buffer): Buffer {
  const bytes = Buffer.concat([
    batch.subarray(0, HEADER_BYTES),
    gzipSync(batch.subarray(HEADER_BYTES), { level: 1 }),
  ]);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes.writeInt16BE(GZIP, 21);
  bytes.writeUInt32BE(crc32c(bytes, 21, bytes.length), 17);
  return bytes;
}

/** What a runner in another process does between two steps: the value must come back as it went. */
function roundTrip(
  { coder: eventCoder, rejectedCoder }: RecordDecoderDescriptor<any, any, any>,
  decoder: RecordDecoder<any, any>,
  cursor: RecordCursor,
  from: TopicPartition,
): void {
  const result = decoder.decode(cursor, from, Number.MIN_SAFE_INTEGER, Date.now());
  const isRejected = result instanceof Rejected;
  const coder = isRejected ? rejectedCoder : eventCoder;
  const bytes = encodeToBytes(coder, isRejected ? result.report : result, "nested");
  const back = decodeFromBytes<unknown>(coder, bytes, "nested");
  if (!encodeToBytes(coder, back, "nested").equals(bytes))
    throw new Error(`${cursor.offset} changes on its way`);
}
