/**
 * Writes all tables to one file while they go on changing. Nothing is frozen and nothing is copied aside: the walk goes
 * once over the memory that the records lie in, a piece at a time, and writes each record as it finds it. What changes
 * meanwhile is in the log that began with the snapshot, and is applied again, over it, when both are read. That is right
 * because
 * - a record that nobody touched since the log began is where it was, so the walk meets it;
 * - of any other the log holds either its whole value or its deletion, or, while the record stays where it is, appends
 *   that name the length that they add to, and what its first bytes have become. Applied in order they end where the
 *   memory did, whatever the walk had seen.
 *
 * A walk may see changes that are not committed yet. So a snapshot counts only once those are: it says from which
 * commit on.
 */
import { ByteWriter } from "../model/bytes.js";
import type { Clock } from "../platform/clock.js";
import type { AppendFile, Directory } from "./directory.js";
import { appendFrame, fileHeader } from "./frames.js";
import { writeName, writeRecordAt } from "./journal.js";
import { FrameKind, snapshotName, unfinishedName } from "./recovery.js";
import type { Tables } from "./tables.js";

/** What is written in one go; the rest of the process waits that long. */
const PIECE_BYTES = 1 << 18;
/** Between two pieces, so that a snapshot takes a small part of the process's time. */
const PAUSE_MS = 3;

export interface SnapshotTask {
  readonly directory: Directory;
  readonly number: number;
  readonly tables: Tables;
  readonly clock: Clock;
  isClosed(): boolean;
  /** Resolves once everything that is in memory now is committed, with the number of that commit. */
  settle(): Promise<number>;
}

export async function writeSnapshot(task: SnapshotTask): Promise<{ bytes: number }> {
  const { directory, number } = task;
  const name = unfinishedName(number);
  const file = await directory.create(name);
  try {
    await writeRecords(file, task);
    const end = new ByteWriter(16);
    end.writeByte(FrameKind.end);
    end.writeVarint(await task.settle());
    await appendFrame(file, [end.view()]);
    await file.sync();
    await file.close();
    await directory.rename(name, snapshotName(number));
    await directory.sync();
    return { bytes: file.length };
  } catch (error) {
    await file.close().catch(() => undefined);
    // It may fill a disk that others need; a next start would remove it as well.
    await directory.remove(name).catch(() => undefined);
    throw error;
  }
}

async function writeRecords(file: AppendFile, { tables, clock, isClosed }: SnapshotTask): Promise<void> {
  const { slab } = tables;
  await file.append([fileHeader("snapshot")]);
  const kind = Buffer.from([FrameKind.records]);
  const piece = new ByteWriter(PIECE_BYTES * 2);
  for (const [name, table] of tables.names()) writeName(piece, table.owner, name);
  // What is made behind this end is in the log.
  const { end } = slab;
  let at = 1;
  while (at < end) {
    if (isClosed()) throw new Error("the store was closed");
    at = slab.walk(at, end, PIECE_BYTES, (address) => {
      writeRecordAt(piece, slab, address);
    });
    await appendFrame(file, [kind, piece.view()]);
    piece.reset();
    await new Promise<void>((resolve) => clock.schedule(PAUSE_MS, resolve));
  }
}
