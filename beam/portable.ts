/** Portable runners: submits a pipeline to a job service (Prism, Flink, …) and follows the job. */
import "./only_copy.js";

export type { WorkerEnvironment } from "./runners/portable/environments.js";
export { KEY_SHARDS_MAX } from "./runners/portable/key_shards.js";
export type { PipelineOptions } from "./runners/portable/pipeline_options.js";
export {
  PortableRun,
  runPortable,
  runSerialized,
  StopUnsupportedError,
} from "./runners/portable/portable_run.js";
