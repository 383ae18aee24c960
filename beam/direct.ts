/**
 * The direct runner: runs a pipeline in this process, streaming, with state in memory or on disk, and checkpoints of
 * that state elsewhere.
 */
import "./only_copy.js";

export { DEFAULT_ENGINE_OPTIONS } from "./engine/engine.js";
export { committedWatermarks, readWatermarks, WATERMARKS_TABLE } from "./engine/progress.js";
export type { CommitTimes, LoadTimes } from "./engine/stage_load.js";
export { type Clock, systemClock } from "./platform/clock.js";
export { Health, type HealthProblem, type HealthReporter, silentHealth } from "./platform/health.js";
export { type CommittedRestriction, committedRestrictions } from "./runners/direct/committed_restrictions.js";
export {
  DirectRun,
  runDirect,
  type StageActivity,
  type StageStatus,
  type TimerCount,
} from "./runners/direct/direct_runner.js";
export { IncompatibleGraphError, recordedIdentity, recordedTopic } from "./runners/direct/graph_identity.js";
export { StoredCellReader, type StoredValue } from "./runners/direct/stored_cell.js";
export { COUNTERS_TABLE, EARLIER_COUNTERS_TABLE, IDENTITY_TABLE } from "./runners/direct/table_names.js";
export type { CounterSource, PipelineRun, StageWatermark, StopMode } from "./sdk/pipeline_run.js";
export type { ByteTable } from "./store/byte_table.js";
export type { Changes } from "./store/changes.js";
export { isCheckpointId } from "./store/checkpoint/checkpoint_id.js";
export { CheckpointRepository } from "./store/checkpoint/checkpoint_repository.js";
export type { CheckpointSource } from "./store/checkpoint/checkpoint_source.js";
export { CheckpointUploader } from "./store/checkpoint/checkpoint_uploader.js";
export { CheckpointWriter } from "./store/checkpoint/checkpoint_writer.js";
export type { Manifest } from "./store/checkpoint/manifest.js";
export type { ObjectStore } from "./store/checkpoint/object_store.js";
export { refuseUnfinishedRestore, restoreCheckpoint } from "./store/checkpoint/restore_checkpoint.js";
export type { Directory } from "./store/directory.js";
export { DurableStore } from "./store/durable_store.js";
export { LocalDirectory } from "./store/local_directory.js";
export { MemoryStore } from "./store/memory_store.js";
export { readState, type StateReading } from "./store/read_store.js";
export type { Store } from "./store/store.js";
export { OlderFormatError, UnusableDirectoryError, writeProblem } from "./store/store_errors.js";
