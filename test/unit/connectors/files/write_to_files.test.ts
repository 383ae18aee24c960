/** Files that are written: each record once, each file whole, the same again where a bundle is repeated. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import avsc from "avsc";
import { VarintCoder } from "../../../../beam/model/coders/varint_coder.js";
import { runDirect } from "../../../../beam/runners/direct/direct_runner.js";
import { create } from "../../../../beam/sdk/create.js";
import { createPipeline } from "../../../../beam/sdk/graph.js";
import { containerBytes } from "../../../../connectors/files/container_writer.js";
import { registerFileEncoder } from "../../../../connectors/files/file_encoder.js";
import { FilesConnection, filesConnections } from "../../../../connectors/files/files_connection.js";
import { localFiles } from "../../../../connectors/files/local_files.js";
import { writeToFiles } from "../../../../connectors/files/write_to_files.js";
import { record, SCHEMA, TemporaryFolder } from "../../../fixtures/avro_files.js";

const ENCODER = registerFileEncoder<number>("test:encoder:numbers", () => ({
  schema: SCHEMA,
  avro: (n) => record(n, "p".repeat(n % 50)),
  json: (n) => JSON.stringify({ n }),
}));

/** Breaks the first writes of some files off. */
class BrokenFiles extends FilesConnection {
  readonly writes: string[] = [];

  constructor(private readonly failures: number) {
    super();
  }

  override async write(path: string, bytes: readonly Uint8Array[]): Promise<void> {
    this.writes.push(path);
    if (this.writes.length <= this.failures) throw new Error("the disk is full");
    await super.write(path, bytes);
  }
}

describe("writeToFiles", () => {
  const COUNT = 20_000;
  const numbers = Array.from({ length: COUNT }, (_, n) => n);

  async function write(
    folder: string,
    options: object,
    connection = new BrokenFiles(0),
  ): Promise<BrokenFiles> {
    filesConnections.register("out", async () => connection);
    const { pipeline, root } = createPipeline();
    const elements = create("Numbers", root, numbers, VarintCoder.INSTANCE);
    writeToFiles("Write", elements, { connection: "out", folder, encoder: ENCODER, ...options });
    await runDirect(pipeline).finished;
    return connection;
  }

  function readAvro(path: string): Promise<number[]> {
    // What avsc reads of a file that is whole is an oracle.
    const values: number[] = [];
    const bytes = readFileSync(path);
    return new Promise((resolve, reject) => {
      const decoder = new avsc.streams.BlockDecoder();
      decoder.on("data", ({ n }: { n: number }) => values.push(n));
      decoder.on("error", reject).on("end", () => resolve(values));
      decoder.end(bytes);
    });
  }

  it("writes each record once, in files of about the size that is wanted, sharded", async () => {
    const folder = new TemporaryFolder();
    await write(folder.path, { codec: "deflate", shards: 3, fileBytes: 50_000 });
    const names = readdirSync(folder.path).sort();
    assert.ok(names.length > 6, `${names}`);
    for (const name of names) assert.match(name, /^part-0000[0-2]-\d{5}\.avro$/);
    const found = (await Promise.all(names.map((name) => readAvro(join(folder.path, name))))).flat();
    assert.deepEqual(
      found.sort((a, b) => a - b),
      numbers,
    );
    // Shard by shard they are numbered without a gap.
    for (const shard of ["00000", "00001", "00002"]) {
      const sequence = names
        .filter((name) => name.startsWith(`part-${shard}`))
        .map((name) => name.slice(11, 16));
      assert.deepEqual(
        sequence,
        sequence.map((_, i) => String(i).padStart(5, "0")),
      );
    }
    folder.remove();
  });

  it("writes lines", async () => {
    const folder = new TemporaryFolder();
    await write(folder.path, { format: "jsonl", shards: 1 });
    assert.deepEqual(readdirSync(folder.path), ["part-00000-00000.jsonl"]);
    const lines = readFileSync(join(folder.path, "part-00000-00000.jsonl"), "utf8").trimEnd().split("\n");
    assert.equal(lines.length, COUNT);
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).n).sort((a, b) => a - b),
      numbers,
    );
    folder.remove();
  });

  it("leaves nothing half where it fails, and writes over what it has written when it is repeated", async () => {
    const folder = new TemporaryFolder();
    await assert.rejects(write(folder.path, { shards: 2 }, new BrokenFiles(2)), /the disk is full/);
    assert.deepEqual(readdirSync(folder.path), []);
    await write(folder.path, { shards: 2 });
    const first = readdirSync(folder.path).map((name) => readFileSync(join(folder.path, name)));
    await write(folder.path, { shards: 2 });
    const second = readdirSync(folder.path).map((name) => readFileSync(join(folder.path, name)));
    assert.deepEqual(second, first);
    folder.remove();
  });

  it("gives a file its name when it is whole", async () => {
    const folder = new TemporaryFolder();
    const file = join(folder.path, "not-a-folder");
    folder.write("not-a-folder", "");
    await assert.rejects(
      localFiles.write(join(file, "x"), [Buffer.from("x")]),
      /cannot be read or written: .*file/,
    );
    assert.deepEqual(readdirSync(folder.path), ["not-a-folder"]);
    await localFiles.write(join(folder.path, "a/b/c"), [Buffer.from("1"), Buffer.from("2")]);
    assert.equal(readFileSync(join(folder.path, "a/b/c"), "utf8"), "12");
    folder.remove();
  });

  it("makes the same file of the same records", () => {
    const packs = [{ count: 2, bytes: Buffer.concat([record(1), record(2)]) }];
    const made = () => Buffer.concat(containerBytes(SCHEMA, "snappy", packs));
    assert.deepEqual(made(), made());
  });
});
