/**
 * A store that outlives its process. The tables are in memory; what turns change is appended to a log, one frame a
 * commit; a snapshot in the background, now and then, lets the log before it go.
 *
 * Invariants
 * - A commit is one frame: after a crash all of it is there or nothing. With `sync`, `commit` ends once it is on disk.
 * - Frames are written one after the other; so only the last one can be torn.
 * - Whatever a restart needs is there at every moment: a snapshot counts from its renaming on, when it and the log that
 *   it needs are on disk; only then the files before it go.
 * - Memory is ahead of the files by the turns that are not committed yet, never behind.
 * - After a failed write nothing more is written: the next start finds what was committed.
 */
import { randomUUID } from "node:crypto";
import { ByteWriter } from "../model/bytes.js";
import { type Clock, systemClock } from "../platform/clock.js";
import type { ByteTable } from "./byte_table.js";
import type { Changes } from "./changes.js";
import type { CheckpointSource, PinnedFile, PinnedFiles } from "./checkpoint/checkpoint_source.js";
import { type AppendFile, type Directory, DirectoryInUseError, DirectoryLostError } from "./directory.js";
import { appendFrame, fileHeader } from "./frames.js";
import { type ChangeList, Journal, writeName } from "./journal.js";
import {
  classify,
  FrameKind,
  logName,
  type Recovered,
  recover,
  type StoreFiles,
  snapshotName,
  type TornTail,
} from "./recovery.js";
import { writeSnapshot } from "./snapshot.js";
import type { Store } from "./store.js";
import { StoreError, StoreWriteError, UnusableDirectoryError } from "./store_errors.js";
import { Tables } from "./tables.js";

export interface DurableStoreOptions {
  /** Whether a commit ends on disk, and survives a power failure; otherwise it survives the process only. */
  readonly sync: boolean;
  /** A snapshot begins once the log has as many bytes, or twice the last snapshot's if that is more. */
  readonly snapshotLogBytes: number;
  readonly clock: Clock;
  /** Names a new directory, as nothing else is named. */
  readonly newId: () => string;
  /** Told when a snapshot fails, which stops nothing, and with undefined when one succeeds. */
  readonly onSnapshot?: (problem: unknown) => void;
}

export const DEFAULT_DURABLE_STORE_OPTIONS: DurableStoreOptions = {
  sync: true,
  snapshotLogBytes: 256 << 20,
  clock: systemClock,
  newId: randomUUID,
};

/** What opening a store found. */
export interface Recovery {
  readonly isNew: boolean;
  readonly commit: number;
  readonly snapshotBytes: number;
  readonly logBytes: number;
  /** What a crash has left of a commit, at the end of the log: it was cut off. */
  readonly torn: TornTail | undefined;
  readonly durationMs: number;
}

/** Tables in memory whose commits are on disk: a log of each commit, and snapshots. */
export class DurableStore implements Store, CheckpointSource {
  readonly isDurable = true;
  readonly #journal: Journal;
  readonly #tables: Tables;
  readonly #options: DurableStoreOptions;
  #logNumber: number;
  #log: AppendFile;
  #commit: number;
  /** Of all logs since the newest snapshot began. */
  #logBytes: number;
  /** When the next snapshot is due. */
  #snapshotAtLogBytes: number;
  /** Lists with changes in them that were not committed yet. */
  readonly #open = new Set<ChangeList>();
  /** Names given since the last commit. */
  readonly #newNames = new ByteWriter(256);
  #failure: Error | undefined;
  /** Writes to the log, one after the other. */
  #writing: Promise<unknown> = Promise.resolve();
  #snapshotting: Promise<void> | undefined;
  #isClosed = false;
  /** Called after each commit. */
  #onCommit: (() => void) | undefined;
  #pins = 0;
  #deferredRemovals: string[] = [];

  private constructor(
    readonly directory: Directory,
    readonly recovery: Recovery,
    parts: {
      readonly tables: Tables;
      readonly journal: Journal;
      readonly options: DurableStoreOptions;
      readonly log: AppendFile;
      readonly logNumber: number;
    },
  ) {
    this.#tables = parts.tables;
    this.#journal = parts.journal;
    this.#options = parts.options;
    this.#log = parts.log;
    this.#logNumber = parts.logNumber;
    this.#commit = recovery.commit;
    this.#logBytes = recovery.logBytes;
    this.#snapshotAtLogBytes = Math.max(this.#options.snapshotLogBytes, 2 * recovery.snapshotBytes);
  }

  /**
   * Locks the directory for this process, and reads back what was committed.
   * @throws DirectoryInUseError; StoreError: nothing was changed then
   */
  static async open(directory: Directory, options: Partial<DurableStoreOptions> = {}): Promise<DurableStore> {
    const whole = { ...DEFAULT_DURABLE_STORE_OPTIONS, ...options };
    try {
      // Before the lock, whose file would be a change.
      classify(directory.path, await directory.list());
      await directory.lock();
    } catch (error) {
      throw openingProblem(directory.path, error);
    }
    try {
      const startedAtMs = whole.clock.elapsed();
      const files = classify(directory.path, await directory.list());
      const journal = new Journal();
      const tables = new Tables(journal);
      const recovered = await recover(directory, files, tables);
      if (tables.names().size === 0) tables.nameDirectory(whole.newId());
      const { log, logNumber } = await openLog(directory, files, recovered, tables, whole.sync);
      journal.isReplaying = false;
      const { commit, snapshotBytes, logBytes, torn } = recovered;
      const durationMs = whole.clock.elapsed() - startedAtMs;
      return new DurableStore(
        directory,
        { isNew: recovered.log === undefined, commit, snapshotBytes, logBytes, torn, durationMs },
        { tables, journal, options: whole, log, logNumber },
      );
    } catch (error) {
      await directory.close();
      throw openingProblem(directory.path, error);
    }
  }

  table(name: string): ByteTable {
    const known = this.#tables.get(name);
    if (known !== undefined) return known;
    const table = this.#tables.add(name);
    writeName(this.#newNames, table.owner, name);
    return table;
  }

  /** Names of all tables, also of those that nobody has asked for in this process. */
  names(): readonly string[] {
    return [...this.#tables.names().keys()];
  }

  sizes(): ReadonlyMap<string, number> {
    return this.#tables.sizes();
  }

  get reservedBytes(): number {
    return this.#tables.slab.reservedBytes;
  }

  /** Number of the last commit; 0: none yet. */
  get lastCommit(): number {
    return this.#commit;
  }

  newChanges(): Changes {
    const list = this.#journal.newList();
    this.#open.add(list);
    return list;
  }

  noteIn(changes: Changes | undefined): void {
    this.#journal.noteIn(changes as ChangeList | undefined);
  }

  commit(turns: readonly Changes[]): Promise<void> {
    return this.#exclusively(async () => {
      const lists = turns as readonly ChangeList[];
      const head = new ByteWriter(32 + this.#newNames.length);
      head.writeByte(FrameKind.commit);
      head.writeVarint(this.#commit + 1);
      head.writeBytes(this.#newNames.view());
      this.#newNames.reset();
      const bytes = await appendFrame(this.#log, [head.view(), ...lists.map(({ writer }) => writer.view())]);
      if (this.#options.sync) await this.#log.sync();
      this.#commit++;
      this.#logBytes += bytes;
      for (const list of lists) this.discard(list);
      this.#onCommit?.();
      // What it fails with is told to `onSnapshot`.
      if (this.#logBytes >= this.#snapshotAtLogBytes) this.snapshot().catch(() => undefined);
    });
  }

  discard(changes: Changes): void {
    this.#open.delete(changes as ChangeList);
    this.#journal.recycle(changes as ChangeList);
  }

  /** Writes all tables to a file of their own, so that the log before it can go. One at a time: joins one under way. */
  snapshot(): Promise<void> {
    this.#snapshotting ??= this.#writeSnapshot()
      .then(
        () => this.#options.onSnapshot?.(undefined),
        (error: unknown) => {
          // Not at the very next commit: what stands in the way has to go first.
          this.#snapshotAtLogBytes = this.#logBytes + this.#options.snapshotLogBytes;
          this.#options.onSnapshot?.(error);
          throw error;
        },
      )
      .finally(() => {
        this.#snapshotting = undefined;
      });
    return this.#snapshotting;
  }

  /** A consistent copy of the state: the files that hold it, which stay until they are released. */
  async checkpoint(): Promise<PinnedFiles> {
    // One under way may have begun before the last commit; the log behind it holds what it lacks.
    await this.snapshot();
    return this.#exclusively(async () => {
      // Before the files are looked up, so that none of them goes meanwhile.
      this.#pins++;
      await this.#log.sync();
      const commit = this.#commit;
      const { logs, snapshot } = classify(this.directory.path, await this.directory.list());
      const names = [snapshotName(snapshot), ...logs.map(logName)];
      const files: PinnedFile[] = [];
      for (const name of names) files.push({ name, length: await lengthOf(this.directory, name) });
      let isReleased = false;
      const release = async (): Promise<void> => {
        if (isReleased) return;
        isReleased = true;
        this.#pins--;
        if (this.#pins > 0 || this.#isClosed) return;
        const names = this.#deferredRemovals;
        this.#deferredRemovals = [];
        await this.#remove(names);
      };
      return { files, commit, release };
    });
  }

  /** Waits for the write under way. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onCommit?.();
    await this.#snapshotting?.catch(() => undefined);
    await this.#writing.catch(() => undefined);
    await this.#log.close();
    await this.directory.close();
  }

  async #writeSnapshot(): Promise<void> {
    const { directory } = this;
    const number = this.#logNumber + 1;
    await this.#exclusively(() => this.#beginLog(number));
    const { bytes } = await writeSnapshot({
      directory,
      number,
      tables: this.#tables,
      clock: this.#options.clock,
      isClosed: () => this.#isClosed,
      settle: () => this.#openCommitted(),
    });
    this.#logBytes = this.#log.length;
    this.#snapshotAtLogBytes = Math.max(this.#options.snapshotLogBytes, 2 * bytes);
    const { leftovers } = classify(directory.path, await directory.list());
    if (this.#pins > 0) this.#deferredRemovals = [...leftovers];
    else await this.#remove(leftovers);
  }

  /** From here on commits go to a new log. */
  async #beginLog(number: number): Promise<void> {
    await this.#log.sync();
    const log = await createLog(this.directory, number, this.#commit + 1, this.#tables, this.#options.sync);
    const before = this.#log;
    this.#log = log;
    this.#logNumber = number;
    await before.close();
  }

  /** Resolves with the number of the commit by which everything in memory now is committed. */
  async #openCommitted(): Promise<number> {
    const waitedFor = [...this.#open].filter(({ bytes }) => bytes > 0);
    while (waitedFor.some((list) => this.#open.has(list))) {
      if (this.#isClosed) throw new Error("the store was closed");
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#onCommit = resolve;
      });
    }
    // The log must hold what the snapshot is complete with, whatever `sync` says of commits.
    return this.#exclusively(async () => {
      await this.#log.sync();
      return this.#commit;
    });
  }

  async #remove(names: readonly string[]): Promise<void> {
    for (const name of names) await this.directory.remove(name);
    if (names.length > 0) await this.directory.sync();
  }

  /** Runs steps that write to the log one after the other; after one that failed, none. */
  #exclusively<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#writing.then(async () => {
      if (this.#failure !== undefined) throw this.#failure;
      try {
        return await step();
      } catch (error) {
        this.#failure = writingProblem(this.directory.path, error);
        this.#onCommit?.();
        throw this.#failure;
      }
    });
    this.#writing = done.catch(() => undefined);
    return done;
  }
}

/** What stands for itself stays what it is; what is left is the system's answer. */
function openingProblem(path: string, error: unknown): unknown {
  const isOfSystem = (error as NodeJS.ErrnoException).code !== undefined && !(error instanceof StoreError);
  return isOfSystem ? new UnusableDirectoryError(path, error) : error;
}

function writingProblem(path: string, error: unknown): Error {
  const isTold =
    error instanceof StoreError ||
    error instanceof DirectoryLostError ||
    error instanceof DirectoryInUseError;
  return isTold ? error : new StoreWriteError(path, error);
}

async function lengthOf(directory: Directory, name: string): Promise<number> {
  const file = await directory.openForRead(name);
  await file.close();
  return file.length;
}

/** The log to go on with; makes the directory what a crash should have left. */
async function openLog(
  directory: Directory,
  { logs, leftovers }: StoreFiles,
  { log, commit, torn }: Recovered,
  tables: Tables,
  syncsEach: boolean,
): Promise<{ log: AppendFile; logNumber: number }> {
  try {
    // What the process before did last may be here and not outlive a power failure: nothing may build on it before.
    await directory.sync();
    const unused = logs.filter((number) => log === undefined || number > log.number).map(logName);
    for (const name of [...leftovers, ...unused]) await directory.remove(name);
    // A log that came back would stand behind one that has grown since.
    if (unused.length > 0) await directory.sync();
    if (log === undefined) {
      return { log: await createLog(directory, 1, commit + 1, tables, syncsEach), logNumber: 1 };
    }
    const file = await directory.openForAppend(logName(log.number), syncsEach);
    if (torn !== undefined && unused.length === 0) await file.truncate(log.length);
    await file.sync();
    return { log: file, logNumber: log.number };
  } catch (error) {
    throw writingProblem(directory.path, error);
  }
}

/** Grammar in recovery.ts. */
async function createLog(
  directory: Directory,
  number: number,
  firstCommit: number,
  tables: Tables,
  syncsEach: boolean,
): Promise<AppendFile> {
  const log = await directory.create(logName(number), syncsEach);
  const first = new ByteWriter();
  first.writeByte(FrameKind.log);
  first.writeVarint(firstCommit);
  for (const [name, table] of tables.names()) writeName(first, table.owner, name);
  await log.append([fileHeader("log")]);
  await appendFrame(log, [first.view()]);
  await log.sync();
  await directory.sync();
  return log;
}
