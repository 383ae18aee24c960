/** `export`: writes the collections to files, in the form that `run --sink=avro` and `--sink=jsonl` give them. */
import { containerBytes, FilesConnection, type Pack } from "@order-payment-stream/files";
import { connectMongo } from "@order-payment-stream/mongodb";
import type { Collection, Document } from "mongodb";

import { type ResultKind, resultTypes } from "../../schemas/result_types.js";
import { documentAsAvro, documentAsJson } from "../../transforms/file_records.js";
import { CLIENT_ID } from "../connections.js";
import { createLog } from "../report/log.js";
import { print } from "../report/standard_output.js";
import { formatCount } from "../report/summary.js";
import { Terminal } from "../report/terminal.js";
import { SettingsError } from "../settings/read_settings.js";
import type { SettingsOf } from "../settings/setting.js";
import { CommandError } from "./command.js";
import type { EXPORT_SETTINGS } from "./command_options.js";
import { absolute, refuseOtherFiles } from "./input_files.js";
import { watchInterrupts } from "./interrupts.js";

type ExportSettings = SettingsOf<typeof EXPORT_SETTINGS>;

const FILE_BYTES = 64 * 1024 * 1024;
const PACK_BYTES = 64 * 1024;

/** Resolves with the exit code. */
export async function exportCollections(settings: ExportSettings): Promise<number> {
  const { to_path: path } = settings;
  if (path === undefined)
    throw new SettingsError(["--to_path is not set: expected the path of a folder, or gs://bucket/prefix"]);
  const log = createLog(settings.log_level, new Terminal());
  const { signal } = watchInterrupts();
  const files = new FilesConnection({ gcsEndpoint: settings.storage_emulator_host });
  const folder = absolute(path);
  await refuseOtherFiles(files, folder, (text) => new CommandError(`--to_path: ${text}`));
  const client = await connectMongo(settings.mongodb_uri, { appName: CLIENT_ID });
  const written: string[] = [];
  try {
    const database = client.db(settings.mongodb_database);
    const kinds: readonly [ResultKind, string, string][] = [
      ["joined", "joined", settings.mongodb_collection],
      ["unmatched", "unmatched", settings.mongodb_unmatched_collection],
      ["dead_letter", "dead_letters", settings.mongodb_dead_letter_collection],
    ];
    for (const [kind, name, collection] of kinds) {
      log.info("exporting", { collection, to: `${folder}/${name}` });
      const target = { files, folder: `${folder}/${name}`, settings, signal };
      written.push(
        `${collection} ${formatCount(await exportOne(database.collection(collection), kind, target))}`,
      );
    }
  } finally {
    await client.close();
  }
  await print(`${written.join(", ")} in ${path}`);
  return 0;
}

interface Target {
  readonly files: FilesConnection;
  readonly folder: string;
  readonly settings: ExportSettings;
  readonly signal: AbortSignal;
}

/** @returns how many documents there were, in the order of their _id */
async function exportOne(
  collection: Collection<Document>,
  kind: ResultKind,
  { files, folder, settings: { format, codec }, signal }: Target,
): Promise<number> {
  let packs: Pack[] = [];
  let records: Buffer[] = [];
  let recordBytes = 0;
  let fileBytes = 0;
  let number = 0;
  let count = 0;
  const endPack = (): void => {
    if (records.length === 0) return;
    packs.push({ count: records.length, bytes: Buffer.concat(records) });
    records = [];
    recordBytes = 0;
  };
  const endFile = async (): Promise<void> => {
    endPack();
    if (packs.length === 0) return;
    const path = `${folder}/part-00000-${String(number++).padStart(5, "0")}.${format}`;
    const isAvro = format === "avro";
    await files.write(
      path,
      isAvro ? containerBytes(resultTypes[kind].schema, codec, packs) : packs.map(({ bytes }) => bytes),
    );
    packs = [];
    fileBytes = 0;
  };
  for await (const document of collection.find().sort({ _id: 1 })) {
    signal.throwIfAborted();
    const record =
      format === "avro" ? documentAsAvro(kind, document) : Buffer.from(`${documentAsJson(document)}\n`);
    records.push(record);
    recordBytes += record.length;
    fileBytes += record.length;
    count++;
    if (recordBytes >= PACK_BYTES) endPack();
    if (fileBytes >= FILE_BYTES) await endFile();
  }
  await endFile();
  return count;
}
