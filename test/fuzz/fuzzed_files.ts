/**
 * Files as nobody should send them: containers of each codec and JSON lines, packed or not, changed at random and read by
 * the product's own decoder, damaged parts skipped. Each file must come to an end soon, each part of it be a record or
 * be told of, and memory must not grow; what has checksums must not pass changed.
 */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { VirtualClock } from "../../beam/platform/clock.js";
import { TrustedClock } from "../../beam/platform/trusted_clock.js";
import type { OffsetRange } from "../../beam/sdk/offset_range.js";
import { AVRO_CODECS, whyNoCodec } from "../../connectors/files/codecs.js";
import { containerBlock, containerHeader } from "../../connectors/files/container_writer.js";
import type { FileInfo, FileSystem } from "../../connectors/files/file_system.js";
import { FilesConnection, filesConnections } from "../../connectors/files/files_connection.js";
import { ReadFiles } from "../../connectors/files/read_files.js";
import { FILE_READ_DEFAULTS } from "../../connectors/files/read_from_files.js";
import { encodeOrderAvro, encodeOrderJson } from "../../schemas/encode.js";
import { eventSchema } from "../../schemas/event_schemas.js";
import { deadLetterDocument } from "../../transforms/dead_letter_document.js";
import { ORDER_FILE_DECODER } from "../../transforms/decode_files.js";
import { anOrder } from "../fixtures/event_topics.js";
import { mulberry32 } from "./mutated_records.js";

const BASE_MS = Date.UTC(2026, 0, 1);
/** A file of this kind takes less than a millisecond; the rest is for machines that do other things meanwhile. */
const FILE_MAX_MS = 5_000;
const UNPACKED_MAX_BYTES = 4 * 1024 * 1024;
const GROWTH_MAX_BYTES = 192 * 1024 * 1024;
const WARM_FILES = 2_000;
const RECORDS = 60;

export interface FuzzedFilesResult {
  readonly files: number;
  readonly records: number;
  /** Records that were refused, and parts that could not be read. */
  readonly reports: number;
  readonly untouched: number;
  readonly growthBytes: number;
}

interface Sample {
  readonly name: string;
  readonly bytes: Buffer;
  /** From here on checksums tell of each change; Infinity: there are none. */
  readonly checkedFrom: number;
}

/** Files that are sound. */
function samples(): Sample[] {
  const orders = Array.from({ length: RECORDS }, (_, n) => anOrder(`order-${n}`, BASE_MS + 1_000 * n));
  const bodies = orders.map((order) => encodeOrderAvro(order).subarray(10));
  const sync = Buffer.from("a sync marker!!!");
  const blocks = [bodies.slice(0, 20), [], bodies.slice(20, 21), bodies.slice(21)];
  const containers = AVRO_CODECS.filter((codec) => whyNoCodec(codec) === undefined).map((codec): Sample => {
    const parts = blocks.map((some) =>
      containerBlock({ count: some.length, bytes: Buffer.concat(some) }, codec, sync),
    );
    const header = containerHeader(eventSchema("order"), codec, sync);
    const checkedFrom = codec === "snappy" ? header.length : Number.POSITIVE_INFINITY;
    return { name: `${codec}.avro`, bytes: Buffer.concat([header, ...parts.flat()]), checkedFrom };
  });
  const lines = Buffer.concat(
    orders.map((order) => Buffer.concat([encodeOrderJson(order), Buffer.from("\n")])),
  );
  return [
    ...containers,
    { name: "lines.jsonl", bytes: lines, checkedFrom: Number.POSITIVE_INFINITY },
    { name: "lines.jsonl.gz", bytes: gzipSync(lines), checkedFrom: Number.POSITIVE_INFINITY },
  ];
}

/** Changes a file in one to three places. */
function mutate(bytes: Buffer, chance: () => number): Buffer {
  let changed = Buffer.from(bytes);
  const below = (max: number): number => Math.floor(chance() * max);
  for (let times = 1 + below(3); times > 0; times--) {
    const at = below(changed.length + 1);
    const length = below(chance() < 0.8 ? 12 : 200);
    switch (below(7)) {
      case 0:
        if (at < changed.length) changed[at]! ^= 1 << below(8);
        break;
      case 1:
        if (at < changed.length) changed[at] = [0, 1, 0x7f, 0x80, 0xff][below(5)]!;
        break;
      case 2:
        changed = Buffer.from(changed.subarray(0, at));
        break;
      case 3:
        changed = Buffer.concat([changed.subarray(0, at), changed.subarray(at + length)]);
        break;
      case 4: {
        const from = below(changed.length);
        changed = Buffer.concat([
          changed.subarray(0, at),
          changed.subarray(from, from + length),
          changed.subarray(at),
        ]);
        break;
      }
      case 5:
        changed = Buffer.concat([
          changed.subarray(0, at),
          Buffer.alloc(length, below(256)),
          changed.subarray(at),
        ]);
        break;
      case 6:
        changed = Buffer.concat([changed, bytes.subarray(0, below(bytes.length))]);
    }
  }
  return changed;
}

class MemoryFiles extends FilesConnection {
  bytes: Buffer = Buffer.alloc(0);
  readonly #system: FileSystem = {
    chunkBytes: 1_024,
    async *list() {},
    open: async () => ({
      read: async (position, length) => Buffer.from(this.bytes.subarray(position, position + length)),
      close: async () => undefined,
    }),
    write: async () => undefined,
  };

  override system(): Promise<FileSystem> {
    return Promise.resolve(this.#system);
  }
}

export async function fuzzFiles(options: {
  readonly seed: number;
  readonly files: number;
  readonly durationMs: number;
}): Promise<FuzzedFilesResult> {
  const chance = mulberry32(options.seed);
  const clock = new VirtualClock();
  const memory = new MemoryFiles({ clock, trustedClock: new TrustedClock(clock) });
  filesConnections.register("fuzz", async () => memory);
  const reader = new ReadFiles({
    ...FILE_READ_DEFAULTS,
    connection: "fuzz",
    patterns: [],
    badFiles: "skip",
    blockMaxBytes: UNPACKED_MAX_BYTES,
    unpackedMaxBytes: UNPACKED_MAX_BYTES,
    decoder: ORDER_FILE_DECODER.urn,
    decoderConfig: { timeoutMs: 60_000, maxAheadOfClockMs: null },
  });
  await reader.setup();
  const sound = samples();
  const intact = new Set<string>();
  for (const sample of sound) {
    const { ids, reports } = await readOne(reader, memory, sample.name, sample.bytes);
    assert.deepEqual([ids.length, reports], [RECORDS, 0], sample.name);
    for (const id of ids) intact.add(id);
  }
  let [files, records, reports, untouched, warmBytes] = [0, 0, 0, 0, 0];
  const deadline = performance.now() + options.durationMs;
  for (; files < options.files && performance.now() < deadline; files++) {
    const sample = sound[files % sound.length]!;
    const bytes = mutate(sample.bytes, chance);
    const startMs = performance.now();
    const told = `seed ${options.seed}, file ${files} (${sample.name})`;
    const read = await readOne(reader, memory, sample.name, bytes).catch((error) => {
      throw new Error(`${told}: ${(error as Error).stack}`);
    });
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs < FILE_MAX_MS, `${told} took ${tookMs} ms`);
    const { checkedFrom } = sample;
    if (
      bytes.subarray(0, checkedFrom).equals(sample.bytes.subarray(0, checkedFrom)) &&
      checkedFrom < bytes.length
    ) {
      // Whole blocks may be gone, or there twice; but none may have become another.
      for (const id of read.ids) assert.ok(intact.has(id), `${told}: the record ${id} was never written`);
      if (read.reports === 0) untouched++;
    }
    records += read.ids.length;
    reports += read.reports;
    if (files === WARM_FILES) warmBytes = process.memoryUsage().rss;
  }
  await reader.teardown();
  const growthBytes = warmBytes === 0 ? 0 : process.memoryUsage().rss - warmBytes;
  assert.ok(growthBytes < GROWTH_MAX_BYTES, `memory has grown by ${growthBytes} bytes`);
  return { files, records, reports, untouched, growthBytes };
}

/** Reads a file as the direct runner would. */
async function readOne(
  reader: ReadFiles,
  memory: MemoryFiles,
  name: string,
  bytes: Buffer,
): Promise<{ readonly ids: string[]; readonly reports: number }> {
  memory.bytes = bytes;
  const file: FileInfo = { path: `/fuzz/${name}`, size: bytes.length, version: "1" };
  const ids: string[] = [];
  let reports = 0;
  let watermark = Number.MIN_SAFE_INTEGER;
  const ctx = {
    timestamp: 0,
    watermark: {
      get current() {
        return watermark;
      },
      set: (to: number) => {
        watermark = to;
      },
    },
    emit: {
      events: ({ value }: any) => ids.push(JSON.stringify(value.event)),
      rejected: (letter: any) => {
        reports++;
        deadLetterDocument(letter);
      },
    },
  };
  const tracker = reader.newTracker(reader.initialRestriction(file) as OffsetRange);
  const answer = await reader.process(file, tracker, ctx as any);
  assert.equal(answer.kind, "stop");
  tracker.checkDone();
  return { ids, reports };
}
