/** Files in an emulator of Google Cloud Storage: found, read by ranges, written whole; and what becomes of one that changes. */
import assert from "node:assert/strict";
import { AVRO_CODECS, whyNoCodec } from "../../connectors/files/codecs.js";
import { FileChangedError } from "../../connectors/files/errors.js";
import { Batch } from "../../connectors/files/file_reader.js";
import { FilesConnection } from "../../connectors/files/files_connection.js";
import { container, NUMBERS } from "../fixtures/avro_files.js";
import { gcsFixture } from "../fixtures/services.js";

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe("files in Google Cloud Storage", function () {
  this.timeout(60_000);
  const gcs = gcsFixture();
  let bucket: string;
  let files: FilesConnection;

  before(async () => {
    bucket = await gcs.newBucket();
    files = new FilesConnection({ gcsEndpoint: gcs.apiEndpoint() });
  });

  async function read(path: string): Promise<number[]> {
    const [file] = await files.list(path);
    const decoder = NUMBERS.create(null);
    const limits = { blockMaxBytes: 2 ** 26, unpackedMaxBytes: 2 ** 26 };
    const reader = await files.open(file!, 0, { format: "auto", decoder, limits });
    const batch = new Batch(decoder, 0);
    const found: number[] = [];
    for (;;) {
      if (!reader.isReady()) await reader.load();
      if (reader.claim(file!.size) === undefined) break;
      batch.begin(0);
      reader.read(batch, 0);
      found.push(...(batch.results.slice(0, batch.count) as number[]));
    }
    await reader.close();
    return found;
  }

  it("are found by patterns, in the order of their names", async () => {
    for (const name of ["a/2.avro", "a/1.avro", "a/.hidden", "a/b/3.avro", "ab/4.avro"]) {
      await files.write(`gs://${bucket}/${name}`, [Buffer.from("x")]);
    }
    const names = async (pattern: string): Promise<string[]> =>
      (await files.list(`gs://${bucket}/${pattern}`)).map(({ path }) => path.slice(`gs://${bucket}/`.length));
    assert.deepEqual(await names("a/*.avro"), ["a/1.avro", "a/2.avro"]);
    assert.deepEqual(await names("a/**"), ["a/1.avro", "a/2.avro", "a/b/3.avro"]);
    assert.deepEqual(await names("a*/?.avro"), ["a/1.avro", "a/2.avro", "ab/4.avro"]);
    assert.deepEqual(await names("a/1.avro"), ["a/1.avro"]);
    assert.deepEqual(await names("a/1"), []);
  });

  it("are read by ranges, each as large as a request pays for", async () => {
    for (const codec of AVRO_CODECS.filter((one) => whyNoCodec(one) === undefined)) {
      const blocks = range(0, 40).map((i) => range(i * 500, i * 500 + 500));
      const path = `gs://${bucket}/read/${codec}.avro`;
      // Beyond what is asked for at once, where it is not packed.
      await files.write(path, [container(blocks, codec, "a text of some length ".repeat(8))]);
      assert.deepEqual(await read(path), range(0, 20_000));
    }
  });

  it("are written over, and told of when that happens while they are read", async () => {
    const path = `gs://${bucket}/changing.avro`;
    await files.write(path, [container([[1]])]);
    const [before] = await files.list(path);
    await files.write(path, [container([[2]])]);
    assert.deepEqual(await read(path), [2]);
    const options = {
      format: "avro",
      decoder: NUMBERS.create(null),
      limits: { blockMaxBytes: 2 ** 20, unpackedMaxBytes: 2 ** 20 },
    } as const;
    // The module that reads from buckets is loaded when it is needed; under tsx it has classes of its own.
    await assert.rejects(files.open(before!, 0, options), { name: FileChangedError.name });
  });
});
