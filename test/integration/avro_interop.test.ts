/**
 * Containers of others: those that Java's, Python's (fastavro) and Go's (goavro) libraries write are read here, whatever
 * their codec, and ours are read by them.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { AVRO_CODECS, type AvroCodec, whyNoCodec } from "../../connectors/files/codecs.js";
import { containerBytes } from "../../connectors/files/container_writer.js";
import { Batch, type FileReader } from "../../connectors/files/file_reader.js";
import { FilesConnection } from "../../connectors/files/files_connection.js";
import { installGoCommand } from "../../services/go.js";
import { servicesHome } from "../../services/home.js";
import { RequirementMissing } from "../../services/index.js";
import { withLock } from "../../services/lock.js";
import { javaCommand, resolveJars } from "../../services/maven.js";
import { NUMBERS, record, SCHEMA, TemporaryFolder } from "../fixtures/avro_files.js";
import { skipBecause } from "../fixtures/skip.js";

const run = promisify(execFile);

const COUNT = 3_000;
const PAD = "Grüße, 世界 — ".repeat(3);
const numbers = Array.from({ length: COUNT }, (_, n) => n);
const GOAVRO_VERSION = "2.14.0";
const FASTAVRO = ["fastavro==1.13.1", "cramjam==2.14.0", "backports.zstd==1.8.0"];
const POM = fileURLToPath(new URL("../fixtures/avro_tools/pom.xml", import.meta.url));
/** Downloads, once on a machine. */
const INSTALL_TIMEOUT_MS = 600_000;

/** A library of somebody else. */
interface Peer {
  readonly codecs: readonly AvroCodec[];
  /** Writes the records of `lines`, JSON, to `path`. */
  write(lines: string, codec: AvroCodec, path: string): Promise<void>;
  /** The numbers of the records of a file, in their order. */
  read(path: string): Promise<number[]>;
}

const home = servicesHome();
const log = (line: string): void => console.error(line);

async function java(schemaFile: string): Promise<Peer> {
  const folder = await resolveJars({ name: "avro-tools", pom: POM, home, log });
  const jar = join(folder, "lib", "avro-tools-1.12.0.jar");
  const tool = (...args: string[]) =>
    run(javaCommand(), ["-Xmx256m", "-jar", jar, ...args], {
      encoding: "buffer",
      maxBuffer: 64 * 1024 * 1024,
    });
  return {
    codecs: AVRO_CODECS,
    async write(lines, codec, path) {
      const { stdout } = await tool("fromjson", "--schema-file", schemaFile, "--codec", codec, lines);
      writeFileSync(path, stdout);
    },
    async read(path) {
      const { stdout } = await tool("tojson", path);
      return numbersOf(stdout.toString("utf8"));
    },
  };
}

async function python(schemaFile: string): Promise<Peer> {
  const folder = join(home, "cache", `python-${FASTAVRO[0]!.replace("==", "-")}`);
  const program = join(folder, "bin", "python");
  const install = async (): Promise<void> => {
    if (existsSync(folder)) return;
    const partial = `${folder}.partial`;
    rmSync(partial, { recursive: true, force: true });
    await run("python3", ["-m", "venv", partial]);
    await run(join(partial, "bin", "python"), ["-m", "pip", "install", "-q", ...FASTAVRO]);
    renameSync(partial, folder);
  };
  try {
    await withLock(`${folder}.lock`, install);
  } catch (error) {
    throw new RequirementMissing(`no Python with fastavro: ${(error as Error).message.split("\n")[0]}`);
  }
  return {
    codecs: AVRO_CODECS,
    async write(lines, codec, path) {
      const code = `
import fastavro, json, sys
schema = fastavro.parse_schema(json.load(open(sys.argv[1])))
records = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
fastavro.writer(open(sys.argv[4], "wb"), schema, records, codec=sys.argv[3], sync_interval=5000)`;
      await run(program, ["-c", code, schemaFile, lines, codec, path]);
    },
    async read(path) {
      const code = `
import fastavro, json, sys
for record in fastavro.reader(open(sys.argv[1], "rb")): print(json.dumps(record))`;
      const { stdout } = await run(program, ["-c", code, path], { maxBuffer: 64 * 1024 * 1024 });
      return numbersOf(stdout);
    },
  };
}

async function go(): Promise<Peer> {
  const command = (name: string): Promise<string> =>
    installGoCommand({
      name,
      package: `github.com/linkedin/goavro/v2/examples/${name}`,
      version: GOAVRO_VERSION,
      advice: "",
      home,
      log,
    });
  const [rewrite, print] = [await command("arw"), await command("ab2t")];
  const folder = new TemporaryFolder();
  return {
    codecs: ["null", "deflate", "snappy"],
    async write(lines, codec, path) {
      // It has no reader of lines: what it is to write comes from a container without a codec.
      const from = folder.write("from.avro", Buffer.concat(oursOf("null", readFileSync(lines, "utf8"))));
      await run(rewrite, ["-compression", codec, "-bc", "700", from, path]);
    },
    async read(path) {
      const { stdout } = await run(print, [path], { maxBuffer: 64 * 1024 * 1024 });
      return numbersOf(stdout);
    },
  };
}

/** Of records that are printed as JSON, one a line. */
function numbersOf(text: string): number[] {
  const lines = text.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => {
    const { n, pad } = JSON.parse(line);
    assert.equal(pad, PAD);
    return Number(n);
  });
}

function oursOf(codec: AvroCodec, lines: string): Buffer[] {
  const records = numbersOf(lines).map((n) => record(n, PAD));
  const packs = [];
  for (let i = 0; i < records.length; i += 500) {
    const some = records.slice(i, i + 500);
    packs.push({ count: some.length, bytes: Buffer.concat(some) });
  }
  return containerBytes(SCHEMA, codec, packs);
}

/** The numbers of the records of a file, as our reader has them. */
async function readOurselves(path: string): Promise<number[]> {
  const connection = new FilesConnection();
  const [file] = await connection.list(path);
  const decoder = NUMBERS.create(null);
  const limits = { blockMaxBytes: 2 ** 26, unpackedMaxBytes: 2 ** 26 };
  const reader: FileReader = await connection.open(file!, 0, { format: "avro", decoder, limits });
  const batch = new Batch(decoder, 0);
  const found: number[] = [];
  for (;;) {
    if (!reader.isReady()) await reader.load();
    if (reader.claim(file!.size) === undefined) break;
    batch.begin(0);
    reader.read(batch, 0);
    found.push(...(batch.results as number[]).slice(0, batch.count));
  }
  await reader.close();
  return found;
}

describe("Avro containers", function () {
  this.timeout(60_000);
  const folder = new TemporaryFolder();
  const lines = folder.write(
    "records.json",
    numbers.map((n) => `${JSON.stringify({ n, pad: PAD })}\n`).join(""),
  );
  const schemaFile = folder.write("numbered.avsc", SCHEMA);
  after(() => folder.remove());

  for (const [name, start] of [
    ["Java's library", () => java(schemaFile)],
    ["Python's fastavro", () => python(schemaFile)],
    ["Go's goavro", () => go()],
  ] as const) {
    describe(`and ${name}`, () => {
      let peer: Peer;
      before(`get ${name}`, async function () {
        this.timeout(INSTALL_TIMEOUT_MS);
        try {
          peer = await start();
        } catch (error) {
          if (error instanceof RequirementMissing) skipBecause(this, error.message);
          throw error;
        }
      });

      for (const codec of AVRO_CODECS) {
        it(`read one another's files packed by ${codec}`, async function () {
          if (!peer.codecs.includes(codec)) skipBecause(this, `${name} does not know ${codec}`);
          const theirs = join(folder.path, "theirs.avro");
          await peer.write(lines, codec, theirs);
          assert.deepEqual(await readOurselves(theirs), numbers);
          const why = whyNoCodec(codec);
          if (why !== undefined) return;
          const ours = folder.write("ours.avro", Buffer.concat(oursOf(codec, readFileSync(lines, "utf8"))));
          assert.deepEqual(await peer.read(ours), numbers);
        });
      }
    });
  }
});
