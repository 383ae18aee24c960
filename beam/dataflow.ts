/**
 * Google Cloud Dataflow: submits a pipeline from TypeScript alone, follows the job, updates, cancels and drains it. Needs
 * the package @google-cloud/dataflow beside it. How Cloud Storage is reached is the caller's: `gcsObjects` of
 * @order-payment-stream/gcs, for one.
 */
import "./only_copy.js";

export {
  checkCompatible,
  type GraphShape,
  IncompatibleUpdateError,
  type StepShape,
  shapeOf,
} from "./runners/dataflow/compatibility.js";
export { DataflowError } from "./runners/dataflow/dataflow_errors.js";
export type { DataflowJob } from "./runners/dataflow/dataflow_job.js";
export { DataflowMetrics } from "./runners/dataflow/dataflow_metrics.js";
export type { DataflowJobOptions, DataflowPlace, ObjectAccess } from "./runners/dataflow/dataflow_options.js";
export { UnsupportedOnDataflowError } from "./runners/dataflow/dataflow_proto.js";
export { DataflowRun, type FollowOptions } from "./runners/dataflow/dataflow_run.js";
export { DataflowService, type Job } from "./runners/dataflow/dataflow_service.js";
export { stateOf } from "./runners/dataflow/job_state.js";
export {
  consoleUrl,
  type DataflowSubmission,
  type PreparedJob,
  prepareDataflowJob,
  runDataflow,
  writeDataflowTemplate,
} from "./runners/dataflow/run_dataflow.js";
export { fromStruct, toStruct } from "./runners/dataflow/struct.js";
