/**
 * What this project started, remembered on disk as `server.json` in the server's folder, so that a later run can find
 * it again, reuse it or end it, also after the run that started it was killed.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type ServerRecord = ProcessRecord | ContainerRecord;

export interface ProcessRecord {
  readonly kind: "process";
  readonly pid: number;
  readonly port: number;
}

export interface ContainerRecord {
  readonly kind: "container";
  /** The command, such as `docker`. */
  readonly engine: string;
  readonly container: string;
  readonly port: number;
}

/** Undefined when there is none, or none that can be read. It may tell of a server that has ended since. */
export function readRecord(dataDir: string): ServerRecord | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(dataDir), "utf8")) as ServerRecord;
  } catch {
    return undefined;
  }
}

export function writeRecord(dataDir: string, record: ServerRecord): void {
  mkdirSync(dataDir, { recursive: true });
  const partial = `${fileOf(dataDir)}.partial`;
  writeFileSync(partial, `${JSON.stringify(record)}\n`);
  renameSync(partial, fileOf(dataDir));
}

export function removeRecord(dataDir: string): void {
  rmSync(fileOf(dataDir), { force: true });
}

/** The command-line argument by which a process is known as the server of `dataDir`. */
export function markOf(dataDir: string): string {
  return `-Dorder.payment.stream.data=${dataDir}`;
}

function fileOf(dataDir: string): string {
  return join(dataDir, "server.json");
}
