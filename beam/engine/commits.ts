/**
 * Commits turns in the order in which they began, all at once that have finished meanwhile. A turn in which nothing
 * happened but looks for something to read is committed with the next that is not idle, or within 10 seconds: only
 * watermarks move in it. On a durable store a commit also holds where the run stands (progress.ts).
 *
 * Invariants
 * - A turn is committed after every turn before it; its finalizers run after its commit.
 * - Of turns that are not committed, nothing is in the store that a restart would see.
 */
import type { Clock } from "../platform/clock.js";
import type { Store } from "../store/store.js";
import type { CommittedProgress } from "./progress.js";
import type { Stage } from "./stage.js";
import { CommitLoad } from "./stage_load.js";
import { Turn } from "./turn.js";

/** Keeps what bundles report of what they counted. */
export interface Ledger {
  /** Of a bundle that is about to be committed. True: there is something to save. */
  take(report: unknown): boolean;
  /** Writes what the reports taken since the last call changed, as part of the commit. */
  save(): void;
  /** The run has come to its end: writes, as part of its last commit, that the next one counts anew. */
  end(): void;
}

export interface CommitOptions {
  readonly clock: Clock;
  readonly store: Store;
  readonly ledger?: Ledger;
  /** Called inside the first commit of this process: for what else a restart is to know. */
  readonly onFirstCommit?: () => void;
}

/** How often the positions of sources are committed that have nothing to read: watermarks are all that moves. */
const IDLE_COMMIT_EVERY_MS = 10_000;

export class Commits {
  readonly #turns: Turn[] = [];
  #committing: Promise<void> | undefined;
  readonly #finalizing = new Set<Promise<void>>();
  #hasCommitted = false;
  #isStopped = false;
  /** By `elapsed`: turns that are idle are not written before. */
  #idleUntilMs = Number.NEGATIVE_INFINITY;
  #hasPostponed = false;
  #count = 0;
  readonly load = new CommitLoad();

  /**
   * @param progress undefined: the store keeps nothing
   * @param onCommitted stages may go on that waited for it
   */
  constructor(
    private readonly stages: readonly Stage[],
    private readonly options: CommitOptions,
    private readonly progress: CommittedProgress | undefined,
    private readonly onCommitted: () => void,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  /** Commits so far. */
  get count(): number {
    return this.#count;
  }

  /** Turns that are not committed. */
  get openTurns(): number {
    return this.#turns.length;
  }

  /** Begins a turn, behind all others. */
  begin(): Turn {
    const turn = new Turn(this.options.store.newChanges());
    this.#turns.push(turn);
    return turn;
  }

  /** Nothing more begins in the turn. False: nothing had begun, and it is gone. */
  close(turn: Turn): boolean {
    turn.close(this.stages);
    if (!turn.isEmpty) return true;
    this.#turns.pop();
    this.options.store.discard(turn.changes);
    return false;
  }

  /** What stages know before the run begins, which a commit is to hold however little it is. */
  commitStart(turn: Turn): void {
    turn.close(this.stages);
    if (this.progress === undefined) this.#turns.pop();
    else this.commitReady();
  }

  /** Commits the turns at the head of the line that are finished, all in one. */
  commitReady(): void {
    if (this.#committing !== undefined || this.#isStopped) return;
    const unfinished = this.#turns.findIndex((turn) => !turn.isFinished);
    const turns = this.#turns.slice(0, unfinished === -1 ? undefined : unfinished);
    if (turns.length === 0) return;
    this.#committing = this.#commit(turns)
      .then(() => {
        this.#count++;
        this.#turns.splice(0, turns.length);
        this.#committing = undefined;
        for (const { finalizers } of turns) for (const finalizer of finalizers) this.#finalize(finalizer);
        this.commitReady();
        this.onCommitted();
      })
      .catch((error) => this.onFailure(error));
  }

  /** Nothing that is not being committed will be: a bundle has failed. */
  stop(): void {
    this.#isStopped = true;
  }

  /** The last of a run: what idle turns have done since the last commit; and, at the end of its input, the ledger's. */
  async commitLast(isAtEnd: boolean): Promise<void> {
    if (this.#hasPostponed) {
      const turn = new Turn(this.options.store.newChanges());
      turn.close(this.stages);
      this.#idleUntilMs = Number.NEGATIVE_INFINITY;
      await this.#commit([turn]);
    }
    if (isAtEnd) await this.#commitEnd();
    await Promise.all(this.#finalizing);
  }

  async #commit(turns: readonly Turn[]): Promise<void> {
    const { store, ledger } = this.options;
    const changes = turns.map((turn) => turn.changes);
    let isIdle = this.#hasCommitted && turns.every((turn) => turn.isIdle);
    for (const { reports } of turns) {
      for (const report of reports) if (ledger?.take(report)) isIdle = false;
    }
    if (this.progress !== undefined) {
      const elapsedMs = this.options.clock.elapsed();
      if (isIdle && elapsedMs < this.#idleUntilMs) {
        this.progress.postpone(turns);
        for (const list of changes) store.discard(list);
        this.#hasPostponed = true;
        return;
      }
      this.#idleUntilMs = elapsedMs + IDLE_COMMIT_EVERY_MS;
      this.#hasPostponed = false;
      const own = store.newChanges();
      store.noteIn(own);
      if (!this.#hasCommitted) this.options.onFirstCommit?.();
      this.progress.write(turns, this.stages);
      ledger?.save();
      store.noteIn(undefined);
      changes.push(own);
    }
    this.#hasCommitted = true;
    const bytes = changes.reduce((sum, list) => sum + list.bytes, 0);
    this.load.begin(this.options.clock.elapsed());
    await store.commit(changes);
    this.load.end(this.options.clock.elapsed(), bytes);
    for (const { produced } of turns) for (const pending of produced) pending.isCommitted = true;
  }

  async #commitEnd(): Promise<void> {
    const { store, ledger } = this.options;
    if (this.progress === undefined || ledger === undefined) return;
    const changes = store.newChanges();
    store.noteIn(changes);
    ledger.end();
    store.noteIn(undefined);
    await store.commit([changes]);
  }

  /** Finalization is a courtesy: what fails here was committed all the same. */
  #finalize(finalizer: () => void | Promise<void>): void {
    const done = Promise.resolve()
      .then(finalizer)
      .catch(() => undefined)
      .then(() => void this.#finalizing.delete(done));
    this.#finalizing.add(done);
  }
}
