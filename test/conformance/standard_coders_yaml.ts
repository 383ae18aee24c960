/**
 * Beam's own test cases for the standard coders. They are not in this repository: they come out of the Python package
 * of the release named below, once, through pip, and stay in `.local/cache`.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import yaml from "js-yaml";

export const BEAM_VERSION = "2.77.0";
const DOWNLOAD_TIMEOUT_MS = 120_000;
const ENTRY = "apache_beam/portability/api/standard_coders.yaml";
const CACHE = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../.local/cache");

export interface CoderSpec {
  readonly urn: string;
  /** One character a byte. */
  readonly payload?: string;
  readonly components?: readonly CoderSpec[];
  /** Only decoding is checked. */
  readonly non_deterministic?: boolean;
  /** What the runner's state holds, by continuation token. One character a byte. */
  readonly state?: Readonly<Record<string, string>>;
}

/** One document of the file: values of one coder, with their bytes. */
export interface CoderCases {
  readonly coder: CoderSpec;
  /** Absent: both contexts. */
  readonly nested?: boolean;
  /** Bytes, one character each, to the JSON form of the value. */
  readonly examples: Readonly<Record<string, unknown>>;
}

/** Integers that no number holds become bigint. */
const exactIntegers = new yaml.Type("tag:yaml.org,2002:int", {
  kind: "scalar",
  resolve: (text: unknown) => typeof text === "string" && /^[-+]?(0|[1-9][0-9]*)$/.test(text),
  construct: (text: string) => (Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text)),
});

/** Throws when the cases are neither cached nor to be had. */
export async function loadStandardCoders(): Promise<CoderCases[]> {
  const file = path.join(CACHE, `standard_coders-${BEAM_VERSION}.yaml`);
  if (!existsSync(file)) await download(file);
  const schema = yaml.DEFAULT_SCHEMA.extend({ implicit: [exactIntegers] });
  return yaml.loadAll(await readFile(file, "utf8"), undefined, { schema }) as CoderCases[];
}

async function download(file: string): Promise<void> {
  const folder = `${file}.download-${process.pid}`;
  const python = (args: string[]) =>
    promisify(execFile)("python3", args, { timeout: DOWNLOAD_TIMEOUT_MS, maxBuffer: 1 << 24 });
  await mkdir(folder, { recursive: true });
  try {
    // The platform is named, so that it works on any: only a text file inside of the wheel is wanted.
    const platform = [
      "--platform",
      "manylinux2014_x86_64",
      "--python-version",
      "3.11",
      "--only-binary",
      ":all:",
    ];
    const wanted = [`apache-beam==${BEAM_VERSION}`, "--no-deps", "-q", "-d", folder];
    await python(["-m", "pip", "download", ...platform, ...wanted]);
    const wheel = (await readdir(folder)).find((name) => name.endsWith(".whl"));
    if (wheel === undefined) throw new Error("pip left no wheel");
    const read =
      "import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))";
    const { stdout } = await python(["-c", read, path.join(folder, wheel), ENTRY]);
    await writeFile(path.join(folder, "cases.yaml"), stdout);
    await rename(path.join(folder, "cases.yaml"), file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
