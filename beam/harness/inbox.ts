/**
 * What has arrived for bundles and was not processed yet. Input may come before the bundle that it is for has been
 * asked for, since data and control are different streams; it waits here. Stragglers of a bundle that is over are
 * dropped.
 *
 * Reading pauses while bundles that run have too much waiting. Input of bundles not asked for yet does not count: the
 * runner may send all of it before it asks, and pausing would wait for ever.
 */
import type { fnApi } from "../model/apache_beam.js";
import { RecentIds } from "./recent_ids.js";

/** A piece of the input of a bundle. The bytes hold whole elements or whole timers. */
export interface Segment {
  readonly transformId: string;
  /** Undefined for elements. */
  readonly timerFamily: string | undefined;
  readonly bytes: Uint8Array;
  readonly isLast: boolean;
}

const PAUSE_BYTES = 64 << 20;
const RESUME_BYTES = 16 << 20;
const ENDED_COUNT_MAX = 10_000;

/** The input of one bundle. */
export class Inbox {
  readonly #segments: Segment[] = [];
  #at = 0;
  #wake: (() => void) | undefined;
  #failure: Error | undefined;
  isRunning = false;
  bytes = 0;

  constructor(private readonly inboxes: Inboxes) {}

  push(segment: Segment): void {
    this.#segments.push(segment);
    this.bytes += segment.bytes.length;
    this.#wake?.();
  }

  /** Makes whoever waits for input fail. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake?.();
  }

  /** Undefined when nothing has arrived; throws when nothing can any more. */
  take(): Segment | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#at === this.#segments.length) return undefined;
    const segment = this.#segments[this.#at++]!;
    if (this.#at === this.#segments.length) {
      this.#segments.length = 0;
      this.#at = 0;
    }
    this.bytes -= segment.bytes.length;
    this.inboxes.onTaken(segment.bytes.length);
    return segment;
  }

  /** Resolves when `take` has something to give, or to throw. */
  arrival(): Promise<void> {
    // It may have come since `take` had nothing.
    if (this.#failure !== undefined || this.#at < this.#segments.length) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }
}

/** A stream that input comes from. */
export interface Pausable {
  pause(): void;
  resume(): void;
}

export class Inboxes {
  readonly #byInstruction = new Map<string, Inbox>();
  readonly #ended = new RecentIds(ENDED_COUNT_MAX);
  readonly #streams = new Set<Pausable>();
  /** Of bundles that run. */
  #runningBytes = 0;
  #isPaused = false;

  /** The input of a bundle that runs from now on. */
  open(instructionId: string): Inbox {
    const inbox = this.#of(instructionId);
    inbox.isRunning = true;
    this.#runningBytes += inbox.bytes;
    return inbox;
  }

  close(instructionId: string): void {
    const inbox = this.#byInstruction.get(instructionId);
    this.#byInstruction.delete(instructionId);
    this.#ended.add(instructionId);
    if (inbox?.isRunning) this.onTaken(inbox.bytes);
  }

  deliver({ data, timers }: fnApi.Elements): void {
    for (const { instructionId, transformId, data: bytes, isLast } of data) {
      this.#push(instructionId, { transformId, timerFamily: undefined, bytes, isLast });
    }
    for (const { instructionId, transformId, timerFamilyId, timers: bytes, isLast } of timers) {
      this.#push(instructionId, { transformId, timerFamily: timerFamilyId, bytes, isLast });
    }
    if (this.#runningBytes > PAUSE_BYTES && !this.#isPaused) {
      this.#isPaused = true;
      for (const stream of this.#streams) stream.pause();
    }
  }

  addStream(stream: Pausable): void {
    this.#streams.add(stream);
    if (this.#isPaused) stream.pause();
  }

  removeStream(stream: Pausable): void {
    this.#streams.delete(stream);
  }

  /** No more input can come: whatever waits for it fails. */
  fail(error: Error): void {
    for (const inbox of this.#byInstruction.values()) inbox.fail(error);
  }

  onTaken(bytes: number): void {
    this.#runningBytes -= bytes;
    if (!this.#isPaused || this.#runningBytes > RESUME_BYTES) return;
    this.#isPaused = false;
    for (const stream of this.#streams) stream.resume();
  }

  #push(instructionId: string, segment: Segment): void {
    if (this.#ended.has(instructionId)) return;
    const inbox = this.#of(instructionId);
    inbox.push(segment);
    if (inbox.isRunning) this.#runningBytes += segment.bytes.length;
  }

  #of(instructionId: string): Inbox {
    let inbox = this.#byInstruction.get(instructionId);
    if (inbox === undefined) {
      inbox = new Inbox(this);
      this.#byInstruction.set(instructionId, inbox);
    }
    return inbox;
  }
}
