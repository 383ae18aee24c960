/** The messages of a job: all go to the log, and the first error is kept, for what comes after it follows from it. */
import type { ClientReadableStream } from "@grpc/grpc-js";
import { failureMessage } from "./failure_message.js";
import { jobApi } from "./job_api.js";

/** Fits the program's log. */
export interface RunnerLog {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
}

export class JobMessages {
  /** Settles when the runner has no more to say, or cannot be heard any more. */
  readonly ended: Promise<void>;
  #firstError: string | undefined;

  constructor(
    private readonly stream: ClientReadableStream<jobApi.JobMessagesResponse>,
    private readonly log: RunnerLog,
  ) {
    stream.on("data", ({ response }: jobApi.JobMessagesResponse) => {
      if (response.oneofKind === "messageResponse") this.#take(response.messageResponse);
    });
    this.ended = new Promise((resolve) => {
      // What breaks the stream is noticed where the states are read.
      stream.on("error", () => resolve());
      stream.on("end", () => resolve());
    });
  }

  /** Undefined when the runner told of none. */
  get failure(): string | undefined {
    return this.#firstError;
  }

  close(): void {
    this.stream.cancel();
  }

  #take({ importance, messageText }: jobApi.JobMessage): void {
    switch (importance) {
      case jobApi.JobMessage_MessageImportance.JOB_MESSAGE_ERROR:
        this.#firstError ??= failureMessage(messageText);
        this.log.debug("error of the runner", { message: messageText });
        return;
      case jobApi.JobMessage_MessageImportance.JOB_MESSAGE_WARNING:
        this.log.warn("runner", { message: failureMessage(messageText) });
        return;
      default:
        this.log.debug("runner", { message: messageText });
    }
  }
}
