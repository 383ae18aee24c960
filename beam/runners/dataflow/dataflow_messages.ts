/**
 * The messages of a job, each once: the service is asked from the time of the last one on, and tells those of that very
 * time again. Errors are ranked, for the service tells consequences as well as the cause.
 */
import type { RunnerLog } from "../portable/job_messages.js";
import { explainJobMessage } from "./dataflow_errors.js";
import type { DataflowPlace } from "./dataflow_options.js";
import type { ServiceMessage } from "./dataflow_service.js";

/** Less telling ones first: each says only that something else has failed. */
const CONSEQUENCES = [
  /^workflow failed/i,
  /worker.*(lost|unresponsive|disconnected)|lease.*(lost|expired)/i,
  /failed to start the VM|the job failed because a work item has failed|has failed \d+ times/i,
];

/** As the enum of messages.proto has it, by number or by name, as the client likes. */
const ERROR = new Set<unknown>([4, "JOB_MESSAGE_ERROR"]);
const WARNING = new Set<unknown>([3, "JOB_MESSAGE_WARNING"]);
const BASIC = new Set<unknown>([5, "JOB_MESSAGE_BASIC"]);

export class DataflowMessages {
  #lastTime: ServiceMessage["time"];
  /** Of the last time, by id. */
  #seen = new Set<string>();
  #failure: { readonly text: string; readonly rank: number } | undefined;

  constructor(
    private readonly place: DataflowPlace,
    private readonly log: RunnerLog,
  ) {}

  /** Where the next question begins. */
  get since(): ServiceMessage["time"] {
    return this.#lastTime;
  }

  /** The most telling error so far. */
  get failure(): string | undefined {
    return this.#failure?.text;
  }

  take(messages: readonly ServiceMessage[]): void {
    for (const message of [...messages].sort((a, b) => millis(a.time) - millis(b.time))) {
      const id = message.id || `${message.messageText}`;
      const at = millis(message.time);
      if (at < millis(this.#lastTime) || this.#seen.has(id)) continue;
      if (at > millis(this.#lastTime)) {
        this.#seen = new Set();
        this.#lastTime = message.time;
      }
      this.#seen.add(id);
      this.#tell(message);
    }
  }

  #tell({ messageText, messageImportance }: ServiceMessage): void {
    const text = explainJobMessage(messageText ?? "", this.place);
    if (ERROR.has(messageImportance)) {
      const place = CONSEQUENCES.findIndex((consequence) => consequence.test(text));
      const rank = place < 0 ? CONSEQUENCES.length : place;
      if (this.#failure === undefined || rank > this.#failure.rank) this.#failure = { text, rank };
      this.log.warn("error of the job", { message: text });
    } else if (WARNING.has(messageImportance)) {
      this.log.warn("dataflow", { message: text });
    } else if (BASIC.has(messageImportance)) {
      this.log.info("dataflow", { message: text });
    } else {
      this.log.debug("dataflow", { message: text });
    }
  }
}

function millis(time: ServiceMessage["time"]): number {
  if (time == null) return Number.NEGATIVE_INFINITY;
  return Number(time.seconds ?? 0) * 1_000 + (time.nanos ?? 0) / 1e6;
}
