/** What a job on Dataflow is made of beside its graph. Names are those of Beam's and gcloud's options, in camel case. */

/** Where jobs are, and how the service is reached. */
export interface DataflowPlace {
  /** Id of the Google Cloud project. */
  readonly project: string;
  /** Such as us-central1. */
  readonly region: string;
  /** In place of https://dataflow.googleapis.com. With http:// there is neither TLS nor a login: an emulator. */
  readonly dataflowEndpoint?: string | undefined;
}

/** What a job is submitted with. */
export interface DataflowJobOptions extends DataflowPlace {
  readonly jobName: string;
  /** gs:// path for what the service writes while the job runs. */
  readonly tempLocation: string;
  /** gs:// path for the graph; default: `staging` below the temp location. */
  readonly stagingLocation?: string | undefined;
  /** The image that workers are started from. */
  readonly sdkContainerImage: string;
  readonly serviceAccountEmail?: string | undefined;
  readonly machineType?: string | undefined;
  readonly numWorkers?: number | undefined;
  readonly maxNumWorkers?: number | undefined;
  readonly autoscalingAlgorithm?: "NONE" | "THROUGHPUT_BASED" | undefined;
  readonly network?: string | undefined;
  readonly subnetwork?: string | undefined;
  /** False: workers have private addresses alone. */
  readonly usePublicIps?: boolean | undefined;
  readonly diskSizeGb?: number | undefined;
  readonly workerZone?: string | undefined;
  readonly kmsKey?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly serviceOptions?: readonly string[] | undefined;
  readonly experiments?: readonly string[] | undefined;
  /** What workers are told, by name. Whoever may see the job can read it. */
  readonly pipelineOptions?: Readonly<Record<string, string>> | undefined;
}

/** Takes the place of a running job. */
export interface DataflowUpdate {
  readonly replaceJobId: string;
  /** Names of steps in the running job, and what they are called now; "" for one that is gone. */
  readonly transformNameMapping?: Readonly<Record<string, string>> | undefined;
}

/** Objects by gs:// URL: how a runner gets at Cloud Storage. */
export interface ObjectAccess {
  /** Makes the object, or replaces it. */
  write(url: string, bytes: Uint8Array): Promise<void>;
  read(url: string): Promise<Uint8Array>;
}

/** A directory in gs:// and a name below it. */
export function joinUrl(directory: string, ...names: readonly string[]): string {
  return [directory.replace(/\/+$/, ""), ...names].join("/");
}
