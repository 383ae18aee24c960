/**
 * Carries a running store's state away: a checkpoint now and then, and a last one at the end. One at a time, none when
 * nothing was committed since the one before. A failure is told and tried again, and never stops the pipeline.
 */

import { backoffMs } from "../../platform/backoff.js";
import type { Clock } from "../../platform/clock.js";
import { type HealthReporter, silentHealth } from "../../platform/health.js";
import { OtherWriterError } from "./checkpoint_errors.js";
import type { CheckpointSource, PinnedFiles } from "./checkpoint_source.js";
import type { Manifest } from "./manifest.js";

const COMPONENT = "checkpoints";
const FIRST_RETRY_MS = 5_000;

/** CheckpointWriter fits. */
export interface CheckpointPublisher {
  publish(pinned: Omit<PinnedFiles, "release">): Promise<Manifest>;
  prune(): Promise<void>;
}

export interface CheckpointUploaderOptions {
  readonly source: CheckpointSource;
  readonly writer: CheckpointPublisher;
  readonly clock: Clock;
  /** From the end of one to the beginning of the next. */
  readonly intervalMs: number;
  readonly health?: HealthReporter;
  /** @param durationMs what it took, the files' copies included */
  readonly onPublished?: (manifest: Manifest, durationMs: number) => void;
  /** In [0, 1). */
  readonly random?: () => number;
}

/** Uploads checkpoints of a store, one at a time, at each interval and at the stop. */
export class CheckpointUploader {
  readonly #health: HealthReporter;
  readonly #random: () => number;
  #cancel: (() => void) | undefined;
  #underWay: Promise<void> | undefined;
  #isStopped = false;
  /** Of the newest checkpoint. */
  #commit: number | undefined;
  #failures = 0;
  #hasLost = false;
  #mustPrune = false;

  /** Begins: the first checkpoint is due after one interval. */
  constructor(private readonly options: CheckpointUploaderOptions) {
    this.#health = options.health ?? silentHealth;
    this.#random = options.random ?? Math.random;
    this.#scheduleNext();
  }

  /**
   * Waits for what is under way and uploads what was committed since, with one attempt. Resolves also when that fails:
   * what failed was reported. The state directory holds everything anyway.
   */
  async stop(): Promise<void> {
    if (this.#isStopped) return this.#underWay;
    this.#isStopped = true;
    this.#cancel?.();
    await this.#underWay;
    this.#underWay = this.#upload();
    await this.#underWay;
  }

  #scheduleNext(): void {
    if (this.#isStopped || this.#hasLost) return;
    const { clock } = this.options;
    this.#cancel = clock.schedule(this.#delayMs(), () => {
      this.#underWay = this.#upload().finally(() => {
        this.#underWay = undefined;
        this.#scheduleNext();
      });
    });
  }

  /** After a failure sooner than otherwise: 5, 10, 20 … s, up to the interval; half of it by chance. */
  #delayMs(): number {
    const { intervalMs } = this.options;
    if (this.#failures === 0) return intervalMs;
    return backoffMs(
      { firstMs: FIRST_RETRY_MS, maxMs: intervalMs, jitter: 0.5 },
      this.#failures,
      this.#random,
    );
  }

  async #upload(): Promise<void> {
    if (this.#hasLost) return;
    const { writer, clock, onPublished } = this.options;
    const startedMs = clock.elapsed();
    try {
      const manifest = await this.#publish();
      if (manifest !== undefined) {
        this.#mustPrune = true;
        onPublished?.(manifest, clock.elapsed() - startedMs);
      }
      if (this.#mustPrune) await prune(writer);
      this.#mustPrune = false;
      this.#failures = 0;
      this.#health.clear(COMPONENT);
    } catch (error) {
      this.#failures++;
      this.#hasLost = error instanceof OtherWriterError;
      this.#health.report(COMPONENT, error instanceof Error ? error.message : String(error));
    }
  }

  /** Undefined when there was nothing new. */
  async #publish(): Promise<Manifest | undefined> {
    const { source, writer } = this.options;
    if (source.lastCommit === this.#commit) return undefined;
    const pinned = await source.checkpoint();
    try {
      const manifest = await writer.publish(pinned);
      this.#commit = pinned.commit;
      return manifest;
    } finally {
      await pinned.release();
    }
  }
}

async function prune(writer: CheckpointPublisher): Promise<void> {
  try {
    await writer.prune();
  } catch (error) {
    throw new Error(`old checkpoints cannot be removed: ${(error as Error).message}`, { cause: error });
  }
}
