/**
 * A fake of the Dataflow service, over the very protos of Google's client: it checks a job as the service would, reads the
 * graph back from where it was staged, and really runs it, with the entrypoint of the image that the job names. For tests
 * and for `make run-dataflow-local`. A job that updates another one goes on with its state, its timers and its positions.
 */
import { status } from "@grpc/grpc-js";
import {
  checkCompatible,
  type IncompatibleUpdateError,
  type ObjectAccess,
  shapeOf,
} from "@order-payment-stream/beam/dataflow";
import { FakeJob, isActive } from "./fake_job.js";
import { GoogleServer, Refusal } from "./google_service.js";
import { checkJob, type ReceivedJob } from "./job_checks.js";
import type { LaidOutImage } from "./job_execution.js";
import { plainJob } from "./plain_job.js";

export interface FakeDataflowOptions {
  /** Where graphs are staged. */
  readonly objects: ObjectAccess;
  /** By the names that jobs have for them; others cannot be pulled. */
  readonly images: ReadonlyMap<string, LaidOutImage>;
  readonly siblings?: number;
  readonly firesTimersTwice?: boolean;
  /** Jobs run in name alone: for tests of what is around them. */
  readonly isIdle?: boolean;
  /** 0: any that is free. */
  readonly port?: number;
  readonly onWorkerLog?: (line: string) => void;
}

interface Place {
  readonly projectId: string;
  readonly location: string;
}

const PACKAGE = "@google-cloud/dataflow";
const SERVICES = "google.dataflow.v1beta3";

export class FakeDataflow {
  /** In the order in which they were created. */
  readonly jobs: FakeJob[] = [];
  readonly #server = new GoogleServer();

  private constructor(private readonly options: FakeDataflowOptions) {}

  static async start(options: FakeDataflowOptions): Promise<FakeDataflow> {
    const fake = new FakeDataflow(options);
    const server = fake.#server;
    server.add(PACKAGE, `${SERVICES}.JobsV1Beta3`, {
      CreateJob: (request) => fake.#create(request),
      GetJob: ({ jobId, view }) => fake.#job(jobId).toMessage(view === "JOB_VIEW_ALL"),
      UpdateJob: ({ jobId, job }) => fake.#update(jobId, job?.requestedState),
      ListJobs: ({ filter, pageSize, pageToken }) => fake.#list(filter, pageSize, pageToken),
    });
    server.add(PACKAGE, `${SERVICES}.MessagesV1Beta3`, {
      ListJobMessages: ({ jobId, startTime, minimumImportance }) => ({
        jobMessages: fake.#job(jobId).messagesSince(startTime, minimumImportance),
      }),
    });
    server.add(PACKAGE, `${SERVICES}.MetricsV1Beta3`, {
      GetJobMetrics: ({ jobId }) => ({ metrics: fake.#job(jobId).metrics() }),
    });
    await server.listen(options.port ?? 0);
    return fake;
  }

  /** For `dataflow_endpoint`. */
  get endpoint(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** The next call of this method is refused: CreateJob, GetJob, … */
  refuseNext(method: string, code: number, details: string): void {
    const refusals = this.#server.refusals.get(method) ?? [];
    refusals.push(new Refusal(code, details));
    this.#server.refusals.set(method, refusals);
  }

  /** The job that was created last. */
  get latest(): FakeJob {
    return this.jobs.at(-1)!;
  }

  async close(): Promise<void> {
    await Promise.all(this.jobs.map((job) => job.end()));
    this.#server.close();
  }

  async #create({ job: message, ...place }: Place & { job: object }): Promise<object> {
    const job = plainJob(message);
    const known = this.jobs.find((each) => each.received.clientRequestId === job.clientRequestId);
    if (known !== undefined && job.clientRequestId) return known.toMessage(false);
    const checked = await checkJob(job, place, this.options.objects);
    const replaced = this.#replacedBy(job);
    const made = new FakeJob(job, place, checked, {
      image: this.options.images.get(checked.image),
      siblings: this.options.siblings ?? 0,
      firesTimersTwice: this.options.firesTimersTwice ?? false,
      isIdle: this.options.isIdle ?? false,
      onWorkerLog: this.options.onWorkerLog ?? (() => undefined),
    });
    this.jobs.push(made);
    if (replaced === undefined) {
      made.start();
      return made.toMessage(false);
    }
    try {
      checkCompatible(shapeOf(replaced.checked.bytes), shapeOf(checked.bytes), job.transformNameMapping);
    } catch (error) {
      const { changes } = error as IncompatibleUpdateError;
      made.fail(
        `Workflow failed. Causes: The new job is not compatible with ${replaced.id}. The original job has not been aborted., ${changes.join("; ")}`,
      );
      return made.toMessage(false);
    }
    made.start(await replaced.giveWay(made.id, job.transformNameMapping ?? {}));
    return made.toMessage(false);
  }

  #replacedBy({ name, replaceJobId }: ReceivedJob): FakeJob | undefined {
    const active = this.jobs.find((job) => isActive(job) && job.received.name === name);
    if (!replaceJobId) {
      if (active === undefined) return undefined;
      throw new Refusal(
        status.ALREADY_EXISTS,
        `(fake): The workflow could not be created. Causes: There is already an active job named ${name}. If you want to submit a second job, try again by setting a different name.`,
      );
    }
    if (active?.id !== replaceJobId) {
      throw new Refusal(status.FAILED_PRECONDITION, `there is no running job ${replaceJobId} called ${name}`);
    }
    return active;
  }

  #job(id: string): FakeJob {
    const job = this.jobs.find((each) => each.id === id);
    if (job === undefined)
      throw new Refusal(
        status.NOT_FOUND,
        `(fake): Information about job ${id} could not be found in our system.`,
      );
    return job;
  }

  #update(id: string, requested: string | undefined): object {
    const job = this.#job(id);
    if (!isActive(job)) {
      throw new Refusal(status.FAILED_PRECONDITION, `the job ${id} is over: it cannot be ${requested}`);
    }
    if (requested === "JOB_STATE_CANCELLED") job.cancel();
    else if (requested === "JOB_STATE_DRAINING" || requested === "JOB_STATE_DRAINED") job.drain();
    else throw new Refusal(status.INVALID_ARGUMENT, `a job cannot be ${requested}`);
    return job.toMessage(false);
  }

  #list(filter: string | undefined, pageSize = 0, pageToken = ""): object {
    const wanted = this.jobs
      .filter((job) => filter === "ALL" || !filter || isActive(job) === (filter === "ACTIVE"))
      .reverse();
    const from = Number(pageToken || 0);
    const to = pageSize > 0 ? from + pageSize : wanted.length;
    return {
      jobs: wanted.slice(from, to).map((job) => job.toMessage(false)),
      ...(to < wanted.length && { nextPageToken: String(to) }),
    };
  }
}
