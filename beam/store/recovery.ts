/**
 * Reads back what a durable store wrote: the newest snapshot, then the logs from there on. Changes no file.
 *
 *     log-N:       first commit | commit… up to the beginning of log-(N+1), or to the last commit
 *     snapshot-N:  records… | the commit that it is complete with; log-N goes on from where it began
 *
 *     payload = "L" firstCommit names…        first frame of a log
 *             | "C" commit changes…           of a log
 *             | "S" records as changes…       of a snapshot
 *             | "E" validFrom                 last frame of a snapshot
 */
import { ByteReader, CorruptBytesError } from "../model/bytes.js";
import type { Directory } from "./directory.js";
import { FrameReader } from "./frames.js";
import { replay } from "./journal.js";
import { CorruptStoreError, ForeignDirectoryError } from "./store_errors.js";
import type { Tables } from "./tables.js";

export const FrameKind = { log: 0x4c, commit: 0x43, records: 0x53, end: 0x45 } as const;

export const logName = (number: number): string => `log-${String(number).padStart(8, "0")}`;
export const snapshotName = (number: number): string => `snapshot-${String(number).padStart(8, "0")}`;
/** What a snapshot is called while it is written. */
export const unfinishedName = (number: number): string => `${snapshotName(number)}.tmp`;

const NAME = /^(log|snapshot)-(\d{8,15})(\.tmp)?$/;

/** A file system's own. */
const LOST_AND_FOUND = "lost+found";

/** The files of a store that are there. */
export interface StoreFiles {
  /** Ascending. */
  readonly logs: readonly number[];
  /** The newest; 0: none. */
  readonly snapshot: number;
  /** What no restart will ask for. */
  readonly leftovers: readonly string[];
}

/** Throws ForeignDirectoryError for a directory in which nothing is a store's but something is. */
export function classify(path: string, names: readonly string[]): StoreFiles {
  const logs: number[] = [];
  const snapshots: number[] = [];
  const leftovers: string[] = [];
  for (const name of names) {
    const [, kind, number, unfinished] = NAME.exec(name) ?? [];
    if (kind === undefined) continue;
    if (unfinished !== undefined) leftovers.push(name);
    else (kind === "log" ? logs : snapshots).push(Number(number));
  }
  const strangers = names.filter((name) => name !== LOST_AND_FOUND);
  if (strangers.length > 0 && logs.length + snapshots.length + leftovers.length === 0) {
    throw new ForeignDirectoryError(path, strangers);
  }
  const snapshot = Math.max(0, ...snapshots);
  leftovers.push(
    ...snapshots.filter((number) => number < snapshot).map(snapshotName),
    ...logs.filter((number) => number < snapshot).map(logName),
  );
  return { logs: logs.filter((number) => number >= snapshot).sort((a, b) => a - b), snapshot, leftovers };
}

/** Bytes of a file that are the beginning of something that never was whole. */
export interface TornTail {
  readonly file: string;
  /** Of its first byte. */
  readonly position: number;
  readonly bytes: number;
}

export interface Recovered {
  /** Number of the last commit; 0: none. */
  readonly commit: number;
  /** The log to go on with, and how much of it is whole; undefined: none, or its header is torn. */
  readonly log: { readonly number: number; readonly length: number } | undefined;
  /** What a crash has left of a commit, at the end of the last log. */
  readonly torn: TornTail | undefined;
  readonly snapshotBytes: number;
  readonly logBytes: number;
}

export async function recover(directory: Directory, files: StoreFiles, tables: Tables): Promise<Recovered> {
  const { logs, snapshot } = files;
  let commit = 0;
  let validFrom = 0;
  let snapshotBytes = 0;
  if (snapshot > 0) {
    const loaded = await loadSnapshot(directory, snapshot, tables);
    validFrom = loaded.validFrom;
    snapshotBytes = loaded.bytes;
    commit = -1;
  }
  let expected = snapshot > 0 ? snapshot : (logs[0] ?? 1);
  let log: Recovered["log"];
  let torn: TornTail | undefined;
  let logBytes = 0;
  for (const number of logs) {
    const name = logName(number);
    if (number !== expected) throw damagedBefore(directory, number, `${logName(expected)} is missing`);
    if (snapshot === 0 && expected === logs[0] && number !== 1) {
      throw damagedBefore(directory, number, "the snapshot that it continues from is missing");
    }
    expected = number + 1;
    const isLast = number === logs.at(-1);
    const result = await replayLog(directory, number, commit, tables);
    if (result.tornBytes > 0 && !isLast) {
      throw new CorruptStoreError(directory.path, name, result.length, "the file ends early");
    }
    logBytes += result.length;
    if (result.tornBytes > 0) torn = { file: name, position: result.length, bytes: result.tornBytes };
    if (result.commit === undefined) break;
    commit = result.commit;
    log = { number, length: result.length };
  }
  if (snapshot > 0 && commit < validFrom) {
    throw new CorruptStoreError(
      directory.path,
      snapshotName(snapshot),
      0,
      `it needs the log up to commit ${validFrom}, which ends at ${commit < 0 ? "none" : commit}`,
    );
  }
  return { commit, log, torn, snapshotBytes, logBytes };
}

async function loadSnapshot(
  directory: Directory,
  number: number,
  tables: Tables,
): Promise<{ validFrom: number; bytes: number }> {
  const frames = await FrameReader.open(directory, snapshotName(number), "snapshot");
  try {
    for (;;) {
      const at = frames.position;
      const payload = await frames.next();
      if (payload === undefined) throw frames.damaged(at, "the snapshot ends early");
      const reader = new ByteReader(payload, 1);
      const validFrom = decoded(frames, at, () => {
        if (payload[0] === FrameKind.end) return reader.readVarint();
        if (payload[0] !== FrameKind.records) throw new CorruptBytesError(`frame of kind ${payload[0]}`);
        replay(reader, tables);
        return undefined;
      });
      if (validFrom !== undefined) return { validFrom, bytes: frames.length };
    }
  } finally {
    await frames.close();
  }
}

/** @param before number of the commit before this log; -1: not known */
async function replayLog(
  directory: Directory,
  number: number,
  before: number,
  tables: Tables,
): Promise<{ commit: number | undefined; length: number; tornBytes: number }> {
  const frames = await FrameReader.open(directory, logName(number), "log");
  try {
    let commit: number | undefined;
    for (;;) {
      const at = frames.position;
      const payload = await frames.next();
      if (payload === undefined) break;
      const reader = new ByteReader(payload, 1);
      commit = decoded(frames, at, () => {
        const stated = reader.readVarint();
        const isFirst = commit === undefined;
        if (payload[0] !== (isFirst ? FrameKind.log : FrameKind.commit)) {
          throw new CorruptBytesError(`frame of kind ${payload[0]}`);
        }
        const expected = isFirst ? before + 1 : commit! + 1;
        if (stated !== expected && !(isFirst && before < 0)) {
          throw new CorruptBytesError(`commit ${stated} where ${expected} is due`);
        }
        replay(reader, tables);
        return isFirst ? stated - 1 : stated;
      });
    }
    return { commit, length: frames.position, tornBytes: frames.length - frames.position };
  } finally {
    await frames.close();
  }
}

/** Bytes that passed their checksum but make no sense are damage all the same. */
function decoded<T>(frames: FrameReader, at: number, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof CorruptBytesError) throw frames.damaged(at, error.message);
    throw error;
  }
}

function damagedBefore(directory: Directory, number: number, what: string): CorruptStoreError {
  return new CorruptStoreError(directory.path, logName(number), 0, what);
}
