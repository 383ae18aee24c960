/** Files read to their end on the direct runner: what comes of good ones, and what is said of bad ones. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { runDirect } from "../../../../beam/runners/direct/direct_runner.js";
import { DoFn } from "../../../../beam/sdk/do_fn.js";
import { createPipeline, parDo } from "../../../../beam/sdk/graph.js";
import { registerDoFn } from "../../../../beam/sdk/registry.js";
import { AVRO_CODECS, type AvroCodec, whyNoCodec } from "../../../../connectors/files/codecs.js";
import { registerFilesConnection } from "../../../../connectors/files/files_connection.js";
import { readFromFiles } from "../../../../connectors/files/read_from_files.js";
import {
  block,
  container,
  header,
  long,
  NUMBERS,
  record,
  SYNC,
  TemporaryFolder,
} from "../../../fixtures/avro_files.js";

let seen: unknown[] = [];
class See extends DoFn<unknown, Record<never, never>> {
  static readonly urn = "test:dofn:files_see:v1";
  readonly outputs = {};
  process(element: unknown): void {
    seen.push(element);
  }
}
registerDoFn(See);

type Options = Partial<Parameters<typeof readFromFiles>[2]>;

describe("readFromFiles", () => {
  const folder = new TemporaryFolder();
  after(() => folder.remove());

  async function read(patterns: string | readonly string[], options: Options = {}) {
    registerFilesConnection("files");
    const { pipeline, root } = createPipeline();
    const { events, rejected } = readFromFiles("Read", root, {
      connection: "files",
      patterns: [patterns].flat(),
      decoder: NUMBERS,
      ...options,
    } as any);
    seen = [];
    parDo("See", events, new See(null));
    parDo("SeeRejected", rejected, new See(null));
    const run = runDirect(pipeline);
    await run.finished;
    return {
      numbers: seen.filter((one): one is number => typeof one === "number").sort((a, b) => a - b),
      rejected: seen.filter((one): one is string => typeof one === "string"),
      counter: (name: string) => run.metrics.counter(name),
    };
  }

  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

  for (const codec of AVRO_CODECS) {
    it(`reads containers packed by ${codec}`, async function () {
      if (whyNoCodec(codec as AvroCodec) !== undefined) this.skip();
      const path = folder.write(
        `${codec}.avro`,
        container([range(0, 100), range(100, 101), range(101, 900)], codec, "text"),
      );
      const { numbers, rejected, counter } = await read(path);
      assert.deepEqual(numbers, range(0, 900));
      assert.deepEqual(rejected, []);
      assert.equal(counter("records"), 900);
      assert.equal(counter("files"), 1);
    });
  }

  it("reads zstandard as others write it", async () => {
    // One raw block in a frame: RFC 8878.
    const records = Buffer.concat([record(1, "a"), record(2, "b")]);
    const frame = Buffer.concat([
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, records.length, (records.length << 3) | 1, 0, 0]),
      records,
    ]);
    const path = folder.write(
      "raw.avro",
      Buffer.concat([header("zstandard"), long(2), long(frame.length), frame, SYNC]),
    );
    assert.deepEqual((await read(path)).numbers, [1, 2]);
  });

  it("reads lines, packed or not, with blank ones, carriage returns and no end", async () => {
    const lines = '\ufeff{"n":1}\r\n\n  \n{"n":2,"more":[1]}\nnonsense\n{"n":-3}\n{"n":4}';
    for (const [name, bytes] of [
      ["l.jsonl", Buffer.from(lines)],
      ["l.jsonl.gz", gzipSync(lines)],
      ["without-an-ending", Buffer.from(lines)],
    ] as const) {
      const path = folder.write(name, bytes);
      const { numbers, rejected } = await read(path);
      assert.deepEqual(numbers, [1, 2, 4], name);
      assert.equal(rejected.length, 2);
      assert.match(rejected[0]!, /line at byte \d+: .*JSON/);
      assert.match(rejected[1]!, /n is -3/);
    }
  });

  it("reads a container inside of gzip, and many members of gzip", async () => {
    const bytes = container([range(0, 5_000), range(5_000, 9_000)], "deflate");
    const path = folder.write(
      "c.avro.gz",
      Buffer.concat([gzipSync(bytes.subarray(0, 777)), gzipSync(bytes.subarray(777))]),
    );
    assert.deepEqual((await read(path)).numbers, range(0, 9_000));
  });

  it("reads many files by patterns, each once", async () => {
    const many = new TemporaryFolder();
    for (let i = 0; i < 60; i++) many.write(`p-${i}.avro`, container([range(10 * i, 10 * i + 10)]));
    many.write(".hidden.avro", "x");
    many.write("other.txt", "x");
    const { numbers } = await read([`${many.path}/p-*.avro`, `${many.path}/*.avro`]);
    assert.deepEqual(numbers, range(0, 600));
    await assert.rejects(read(`${many.path}/q*`), /no file fits .*q\*/);
    many.remove();
  });

  it("gives each record once, into however many parts a file is cut", async () => {
    const blocks = range(0, 40).map((i) => range(i * 7, i * 7 + (i % 3 === 0 ? 0 : 7)));
    const wanted = blocks.flat();
    const path = folder.write("parts.avro", container(blocks, "null", "padding"));
    const lines = folder.write("parts.jsonl", wanted.map((n) => `{"n":${n}}\n`).join(""));
    for (const partBytes of [1, 7, 16, 17, 100, 1_000]) {
      assert.deepEqual((await read(path, { partBytes })).numbers, wanted, `${partBytes}`);
      assert.deepEqual((await read(lines, { partBytes })).numbers, wanted, `${partBytes}`);
    }
  });

  it("passes over blocks without records", async () => {
    const path = folder.write("e.avro", container([[], [1], [], [], [2], []], "deflate"));
    assert.deepEqual((await read(path)).numbers, [1, 2]);
    assert.deepEqual((await read(folder.write("h.avro", header()))).numbers, []);
  });

  const one = block([record(1), record(2)]);
  const snappy = block([record(1), record(2, "a".repeat(99))], "snappy");
  const flipped = (bytes: Buffer, at: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy[at < 0 ? bytes.length + at : at]! ^= 0x40;
    return copy;
  };
  const bad: readonly [string, Buffer, number, RegExp, readonly number[]][] = [
    ["an empty file", Buffer.alloc(0), 0, /it is empty/, []],
    ["something else", Buffer.from("PAR1 and so on"), 0, /no Avro container/, []],
    ["a header that is cut", header().subarray(0, 30), 0, /ends within its header/, []],
    ["a codec that is not known", header("bzip2"), 0, /the codec "bzip2"; there are null/, []],
    ["a schema that is none", header("null", '{"type":"rec"}'), 0, /its schema is none/, []],
    [
      "a file that is cut in its last block",
      Buffer.concat([header(), one, one.subarray(0, 7)]),
      header().length + one.length,
      /ends within a block: \d+ bytes are missing/,
      [1, 2],
    ],
    [
      "a file that is cut in a marker",
      Buffer.concat([header(), one, one.subarray(0, -1)]),
      header().length + one.length,
      /1 bytes are missing/,
      [1, 2],
    ],
    [
      "a marker that is damaged",
      Buffer.concat([header(), flipped(one, -1), one, one]),
      header().length,
      /no sync marker/,
      [1, 2],
    ],
    [
      "two containers in one file",
      Buffer.concat([header(), one, header(), one]),
      header().length + one.length,
      /a second container begins here/,
      [1, 1, 2, 2],
    ],
    [
      "a checksum that is wrong",
      Buffer.concat([header("snappy"), flipped(snappy, -17), snappy]),
      header("snappy").length,
      /its checksum is [0-9a-f]{8} and should be/,
      [1, 2],
    ],
    [
      "a block that cannot be unpacked",
      Buffer.concat([
        header("deflate"),
        long(2),
        long(3),
        Buffer.from("xyz"),
        SYNC,
        block([record(5)], "deflate"),
      ]),
      header("deflate").length,
      /cannot be unpacked \(deflate\)/,
      [5],
    ],
    [
      "more records than bytes",
      Buffer.concat([header(), long(9), long(2), record(1), SYNC, one]),
      header().length,
      /cannot have 9 records in 2 bytes/,
      [1, 2],
    ],
    [
      "a record too many",
      Buffer.concat([header(), long(1), long(4), record(1), record(1), SYNC, one]),
      header().length,
      /2 bytes follow the last record/,
      [1, 2],
    ],
    [
      "a record that is cut",
      Buffer.concat([header(), long(2), long(3), record(1), long(7), SYNC, one]),
      header().length,
      /record 1 of the block/,
      [1, 2],
    ],
  ];
  for (const [what, bytes, offset, reason, rest] of bad) {
    // Behind what is damaged reading goes on with what stands behind the next marker.
    it(`names file, offset and reason of ${what}`, async () => {
      const path = folder.write("bad.avro", bytes);
      await assert.rejects(read(path), (error: Error) => {
        assert.ok(error.message.startsWith(`${path}, at byte ${offset}: `), error.message);
        assert.match(error.message, reason);
        return true;
      });
      const { numbers, rejected, counter } = await read(path, { badFiles: "skip" });
      assert.equal(rejected.length, 1);
      assert.match(rejected[0]!, reason);
      assert.equal(counter("skipped"), 1);
      assert.equal(counter("records"), rest.length + 1);
      assert.deepEqual(numbers, rest);
    });
  }

  it("refuses what would be too large, packed or unpacked, and lines that are too long", async () => {
    const bomb = Buffer.concat([header("deflate"), block([record(1, "a".repeat(100_000))], "deflate")]);
    await assert.rejects(
      read(folder.write("bomb.avro", bomb), { unpackedMaxBytes: 50_000 }),
      /larger than 50000 bytes/,
    );
    const large = Buffer.concat([header(), block([record(1, "a".repeat(100_000))])]);
    await assert.rejects(
      read(folder.write("large.avro", large), { blockMaxBytes: 50_000 }),
      /block of \d+ bytes is larger than 50000/,
    );
    const lines = folder.write("long.jsonl", `{"n":1}\n${"x".repeat(700_000)}\n{"n":2}\n`);
    await assert.rejects(
      read(lines, { blockMaxBytes: 50_000 }),
      /long.jsonl, at byte 8: a line is longer than 50000 bytes/,
    );
    assert.deepEqual((await read(lines, { blockMaxBytes: 50_000, badFiles: "skip" })).numbers, [1, 2]);
  });

  it("tells a gzip file that is cut, and one without its name", async () => {
    const packed = gzipSync('{"n":1}\n'.repeat(100_000));
    const cut = folder.write("cut.jsonl.gz", packed.subarray(0, -20));
    await assert.rejects(
      read(cut),
      /cut\.jsonl\.gz, at byte \d+: it cannot be unpacked \(gzip\): unexpected end of file/,
    );
    await assert.rejects(read(folder.write("packed", packed)), /it is packed by gzip: name it so, \.gz/);
  });
});
