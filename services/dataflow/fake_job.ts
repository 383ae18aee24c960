/** A job of the fake service: its state, its messages, and what runs it. */
import { systemClock } from "@order-payment-stream/beam/io";
import type { OwedByJob } from "./fleet_takeover.js";
import type { CheckedJob, ReceivedJob } from "./job_checks.js";
import { JobExecution, type LaidOutImage } from "./job_execution.js";
import { messageOf } from "./plain_job.js";

export interface FakeJobOptions {
  /** Undefined: it cannot be pulled. */
  readonly image: LaidOutImage | undefined;
  readonly siblings: number;
  readonly firesTimersTwice: boolean;
  readonly onWorkerLog: (line: string) => void;
  /** Jobs run in name alone: for tests of what is around them. */
  readonly isIdle: boolean;
}

type Importance = "DETAILED" | "BASIC" | "WARNING" | "ERROR";

interface Message {
  readonly id: string;
  readonly atMs: number;
  readonly text: string;
  readonly importance: Importance;
}

const RANKS: Readonly<Record<string, number>> = {
  JOB_MESSAGE_DETAILED: 0,
  JOB_MESSAGE_BASIC: 1,
  JOB_MESSAGE_WARNING: 2,
  JOB_MESSAGE_ERROR: 3,
};
const ACTIVE = new Set(["PENDING", "QUEUED", "RUNNING", "DRAINING", "CANCELLING"]);

let jobs = 0;

export class FakeJob {
  readonly id: string;
  state = "PENDING";
  readonly workerLog: string[] = [];
  execution: JobExecution | undefined;
  readonly #createdMs = systemClock.now();
  readonly #messages: Message[] = [];
  #replacedBy: string | undefined;
  #isCancelled = false;

  constructor(
    readonly received: ReceivedJob,
    private readonly place: { readonly projectId: string; readonly location: string },
    readonly checked: CheckedJob,
    private readonly options: FakeJobOptions,
  ) {
    const time = new Date(this.#createdMs).toISOString().slice(0, 19).replace("T", "_").replaceAll(":", "_");
    this.id = `${time}-${1_000_000_000 + jobs++}`;
    this.tell("BASIC", "Worker configuration: n1-standard-2 in the fake of Dataflow.");
  }

  get messages(): readonly string[] {
    return this.#messages.map(({ text }) => text);
  }

  /** @param owed by the job whose place this one takes */
  start(owed?: OwedByJob): void {
    const { image, siblings, firesTimersTwice } = this.options;
    if (image === undefined) {
      this.fail(
        `Failed to pull image "${this.checked.image}": rpc error: code = NotFound desc = manifest unknown`,
      );
      return;
    }
    if (this.options.isIdle) {
      this.#enter("RUNNING");
      return;
    }
    const execution = new JobExecution(
      this.checked,
      {
        image,
        siblings,
        firesTimersTwice,
        owed,
        tell: (importance, text) => this.tell(importance, text),
        onWorkerLog: (line) => {
          this.workerLog.push(line);
          this.options.onWorkerLog(line);
        },
      },
      () => {
        if (this.state === "PENDING") this.#enter("RUNNING");
      },
    );
    this.execution = execution;
    execution.finished.then(
      () => this.#end(),
      (error: Error) => {
        if (this.#isCancelled || this.#replacedBy !== undefined) this.#end();
        else this.fail(error.message);
      },
    );
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#enter("CANCELLING");
    if (this.execution === undefined) this.#end();
    else void this.execution.cancel();
  }

  drain(): void {
    this.#enter("DRAINING");
    if (this.execution === undefined) this.#end();
    else this.execution.drain();
  }

  /**
   * To the job that takes its place.
   * @param renamed names that it has for steps of this one
   * @returns what that one is to go on with; undefined where there is nothing yet
   */
  async giveWay(
    replacedBy: string,
    renamed: Readonly<Record<string, string>>,
  ): Promise<OwedByJob | undefined> {
    this.#replacedBy = replacedBy;
    const owed = await this.execution?.standStill(renamed);
    await this.execution?.cancel();
    this.#enter("UPDATED");
    return owed;
  }

  fail(why: string): void {
    this.tell("ERROR", "Workflow failed.");
    this.tell("ERROR", why);
    this.#enter("FAILED");
  }

  /** Of the fake service. */
  async end(): Promise<void> {
    if (!isActive(this)) return;
    this.#isCancelled = true;
    await this.execution?.cancel();
  }

  tell(importance: Importance, text: string): void {
    const last = this.#messages.at(-1)?.atMs ?? 0;
    this.#messages.push({
      id: `${this.#messages.length}`,
      atMs: Math.max(last, systemClock.now()),
      text,
      importance,
    });
  }

  messagesSince(
    start: { seconds?: unknown; nanos?: number } | undefined,
    least: string | undefined,
  ): object[] {
    const sinceMs = start == null ? 0 : Number(start.seconds ?? 0) * 1_000 + (start.nanos ?? 0) / 1e6;
    const rank = RANKS[least ?? ""] ?? 0;
    return this.#messages
      .filter(({ atMs, importance }) => atMs >= sinceMs && RANKS[`JOB_MESSAGE_${importance}`]! >= rank)
      .map(({ id, atMs, text, importance }) => ({
        id,
        time: timestamp(atMs),
        messageText: text,
        messageImportance: `JOB_MESSAGE_${importance}`,
      }));
  }

  /** Tentative values alone, as of a streaming job. */
  metrics(): object[] {
    const updates: object[] = [];
    for (const [key, value] of this.execution?.run?.metrics.counters() ?? []) {
      const slash = key.lastIndexOf("/");
      updates.push({
        name: {
          origin: "user",
          name: key.slice(slash + 1),
          context: { step: key.slice(0, slash), namespace: "user", tentative: "true" },
        },
        kind: "SUM",
        scalar: { numberValue: value },
      });
    }
    return updates;
  }

  toMessage(withAll: boolean): object {
    const { environment: _, ...summary } = this.received;
    return {
      ...(withAll ? messageOf(this.received) : summary),
      ...this.place,
      id: this.id,
      currentState: `JOB_STATE_${this.state}`,
      createTime: timestamp(this.#createdMs),
      ...(this.#replacedBy !== undefined && { replacedByJobId: this.#replacedBy }),
    };
  }

  #end(): void {
    if (this.#replacedBy !== undefined) return;
    if (this.#isCancelled) this.#enter("CANCELLED");
    else this.#enter(this.state === "DRAINING" ? "DRAINED" : "DONE");
  }

  #enter(state: string): void {
    if (!isActive(this)) return;
    this.state = state;
    this.tell("DETAILED", `the job is ${state}`);
  }
}

export function isActive({ state }: FakeJob): boolean {
  return ACTIVE.has(state);
}

function timestamp(ms: number): { seconds: number; nanos: number } {
  return { seconds: Math.floor(ms / 1_000), nanos: (ms % 1_000) * 1_000_000 };
}
