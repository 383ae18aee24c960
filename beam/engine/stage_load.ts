/**
 * What a stage spends its time on, for whoever watches a run: three clocks that only go forward, looked at now and
 * then. They are read a few times in a bundle, never for an element.
 */

/** Milliseconds since the run began; shares of time are differences of two looks. */
export interface LoadTimes {
  /** In the bundles' own code. */
  readonly busyMs: number;
  /** At least one bundle waited for what it had sent, for a database's answer for example. */
  readonly flushingMs: number;
  /** There was something to do that had to wait: for room behind this stage, or for a commit. */
  readonly blockedMs: number;
  /** How long the oldest bundle that waits for an answer has been waiting; 0: none does. */
  readonly openFlushMs: number;
}

/** A bundle that waits for what it has sent. */
export interface OpenFlush {
  /** By `elapsed`. */
  readonly sinceMs: number;
}

export class StageLoad {
  #busyMs = 0;
  #flushingMs = 0;
  #blockedMs = 0;
  /** When each bundle that waits began to; by `elapsed`, the oldest first. */
  readonly #flushes = new Set<OpenFlush>();
  #flushingSinceMs = 0;
  #blockedSinceMs: number | undefined;

  worked(ms: number): void {
    this.#busyMs += ms;
  }

  /** Returns what ends it. */
  beginFlush(nowMs: number): OpenFlush {
    if (this.#flushes.size === 0) this.#flushingSinceMs = nowMs;
    const flush = { sinceMs: nowMs };
    this.#flushes.add(flush);
    return flush;
  }

  endFlush(flush: OpenFlush, nowMs: number): void {
    if (!this.#flushes.delete(flush) || this.#flushes.size > 0) return;
    this.#flushingMs += nowMs - this.#flushingSinceMs;
  }

  get isBlocked(): boolean {
    return this.#blockedSinceMs !== undefined;
  }

  /** Saying the same again is cheap. */
  setBlocked(isBlocked: boolean, nowMs: number): void {
    if (isBlocked === (this.#blockedSinceMs !== undefined)) return;
    if (this.#blockedSinceMs !== undefined) this.#blockedMs += nowMs - this.#blockedSinceMs;
    this.#blockedSinceMs = isBlocked ? nowMs : undefined;
  }

  /** @param nowMs by `elapsed` */
  times(nowMs: number): LoadTimes {
    const [oldest] = this.#flushes;
    return {
      busyMs: this.#busyMs,
      flushingMs: this.#flushingMs + (oldest === undefined ? 0 : nowMs - this.#flushingSinceMs),
      blockedMs: this.#blockedMs + (this.#blockedSinceMs === undefined ? 0 : nowMs - this.#blockedSinceMs),
      openFlushMs: oldest === undefined ? 0 : nowMs - oldest.sinceMs,
    };
  }
}

/** The commits of a run so far. */
export interface CommitTimes {
  readonly count: number;
  /** Of all of them. */
  readonly durationMs: number;
  /** Of all of them; 0 where state is in memory. */
  readonly bytes: number;
  readonly lastDurationMs: number;
  readonly lastBytes: number;
  /** Since when the one that is being written is; 0: none is. */
  readonly openMs: number;
}

export class CommitLoad {
  #count = 0;
  #durationMs = 0;
  #bytes = 0;
  #lastDurationMs = 0;
  #lastBytes = 0;
  #sinceMs: number | undefined;

  begin(nowMs: number): void {
    this.#sinceMs = nowMs;
  }

  end(nowMs: number, bytes: number): void {
    this.#lastDurationMs = nowMs - this.#sinceMs!;
    this.#lastBytes = bytes;
    this.#sinceMs = undefined;
    this.#count++;
    this.#durationMs += this.#lastDurationMs;
    this.#bytes += bytes;
  }

  times(nowMs: number): CommitTimes {
    return {
      count: this.#count,
      durationMs: this.#durationMs,
      bytes: this.#bytes,
      lastDurationMs: this.#lastDurationMs,
      lastBytes: this.#lastBytes,
      openMs: this.#sinceMs === undefined ? 0 : nowMs - this.#sinceMs,
    };
  }
}
