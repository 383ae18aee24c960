/** Real Kafka and MongoDB for a laptop: found where they run already, started where they do not. */
export { APICURIO_VERSION, startApicurio } from "./apicurio.js";
export { servicesDown, servicesStatus, servicesUp } from "./commands.js";
export { type EnsureOptions, ensureServices, type Running, type ServiceInUse } from "./ensure.js";
export { RequirementMissing, ServiceFailed, ServiceUnreachable } from "./errors.js";
export { createBucket, FAKE_GCS_VERSION, startFakeGcs } from "./fake_gcs.js";
export { type FlinkOptions, prepareFlink, startFlink } from "./flink.js";
export { servicesHome } from "./home.js";
export {
  type KafkaCluster,
  type KafkaListener,
  kafkaClassPath,
  startKafka,
  startKafkaCluster,
} from "./kafka.js";
export { LocalRunner } from "./local_runner.js";
export type { LocalServer, LocalServerOptions } from "./local_server.js";
export { type MongodbOptions, startMongodb } from "./mongodb.js";
export { findPrism, type LocalRunnerOptions, PRISM_VERSION, startPrism } from "./prism.js";
export {
  BEAM_PYTHON_VERSION,
  CONFLUENT_PYTHON_VERSION,
  findBeamKafkaPython,
  findBeamPython,
  findConfluentPython,
} from "./python.js";
