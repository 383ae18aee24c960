/**
 * `run-dataflow-local`: a job on Dataflow without Google. Brings up Kafka, MongoDB, an emulator of Cloud Storage, and fakes
 * of Dataflow and Secret Manager; lays the image out in a folder; submits the pipeline as to the service, and generates load.
 * Ctrl-C drains the job, and takes down what was started here and nothing else.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "@order-payment-stream/beam/io";
import { gcsObjects } from "@order-payment-stream/gcs";

import { type ProduceProgress, produce } from "../../producers/producer.js";
import { FakeDataflow, FakeSecrets, layOutImage } from "../../services/dataflow/index.js";
import { createBucket, ensureServices, servicesHome, startFakeGcs } from "../../services/index.js";
import type { SettingTexts } from "../monitoring/start_monitor.js";
import { createLog, type Log } from "../report/log.js";
import { formatCount } from "../report/summary.js";
import { Terminal } from "../report/terminal.js";
import type { RunSettings } from "../settings/options.js";
import type { ReadSettings } from "../settings/read_settings.js";
import type { RUN_DATAFLOW_LOCAL_SETTINGS } from "./command_options.js";
import { watchInterrupts } from "./interrupts.js";
import { producerOptions, randomSeed } from "./produce.js";
import { runOnDataflow } from "./run_dataflow.js";

type Invocation = ReadSettings<typeof RUN_DATAFLOW_LOCAL_SETTINGS>;

/** Ends something that was brought up. */
type CleanUp = () => Promise<void> | void;

const URI_SECRET = "projects/local-project/secrets/mongodb-uri/versions/latest";
/** From dist/pipeline/commands, where the program is built to: the image is made of what is built. */
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Resolves with the exit code: 0 also after Ctrl-C. */
export async function runDataflowLocal(
  { settings: given, texts, origins }: Invocation,
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const log = createLog(given.log_level, new Terminal(), given.log_format);
  const { signal: interrupted } = watchInterrupts();
  const cleanUps: CleanUp[] = [];
  try {
    const image = layOutImage(ROOT, join(servicesHome(), "dataflow-image"));
    const services = await ensureServices({
      kafka: true,
      mongodb: true,
      env: {
        ...environment,
        KAFKA_BOOTSTRAP: origins.get("kafka_bootstrap") === "default" ? "" : given.kafka_bootstrap.join(","),
        MONGODB_URI: origins.get("mongodb_uri") === "default" ? "" : given.mongodb_uri,
      },
      signal: interrupted,
      log: (line) => log.info(line),
    });
    cleanUps.push(() => services.stop());
    const storage = await bringUpStorage(given.temp_location, log, interrupted, cleanUps);
    const secrets = await FakeSecrets.start({ [URI_SECRET]: services.mongodbUri });
    cleanUps.push(() => secrets.close());
    const dataflow = await FakeDataflow.start({
      objects: gcsObjects({ apiEndpoint: storage }),
      images: new Map([
        [
          given.sdk_container_image,
          { ...image, env: { ...image.env, SECRET_MANAGER_EMULATOR_HOST: secrets.address } },
        ],
      ]),
      siblings: given.siblings,
      onWorkerLog: (line) => log.debug("worker", { line }),
    });
    cleanUps.push(() => dataflow.close());
    log.info(
      `a fake of Dataflow listens at ${dataflow.endpoint}: it runs jobs here, and is not Google's service`,
    );
    const settings: RunSettings = {
      ...given,
      bounded: false,
      orders: undefined,
      payments: undefined,
      then_kafka_from: undefined,
      drain: "expire",
      kafka_bootstrap: services.kafkaBootstrap.split(","),
      mongodb_uri: URI_SECRET,
      // What is sent from now on: the job begins to read a while after the load begins.
      kafka_start:
        origins.get("kafka_start") === "default" ? { timestampMs: systemClock.now() } : given.kafka_start,
      dataflow_endpoint: dataflow.endpoint,
      storage_emulator_host: storage,
    };
    const told = new Map(texts)
      .set("kafka_bootstrap", services.kafkaBootstrap)
      .set("mongodb_uri", URI_SECRET)
      .set("storage_emulator_host", storage);
    await runUnderLoad(settings, { texts: told, origins }, given, log, interrupted);
  } finally {
    log.flush();
    for (const end of cleanUps.splice(0).reverse()) await end();
  }
  return 0;
}

async function bringUpStorage(
  tempLocation: string,
  log: Log,
  signal: AbortSignal,
  cleanUps: CleanUp[],
): Promise<string> {
  const gcs = await startFakeGcs({
    dataDir: join(servicesHome(), "dataflow-storage"),
    log: (line) => log.info(line),
    signal,
  });
  cleanUps.push(() => gcs.stop());
  await createBucket(gcs.address, tempLocation.replace(/^gs:\/\/([^/]+).*$/, "$1"));
  return gcs.address;
}

async function runUnderLoad(
  settings: RunSettings,
  read: SettingTexts,
  given: Invocation["settings"],
  log: Log,
  interrupted: AbortSignal,
): Promise<void> {
  const endOfRun = new AbortController();
  const end = (): void => endOfRun.abort();
  interrupted.addEventListener("abort", end, { once: true });
  if (given.duration !== undefined) systemClock.schedule(given.duration, end);
  // A run of the producer without orders creates the topics that are missing.
  await produce({ ...producerOptions(settings), which: "all", count: 0, rate: 0, seed: 0 });
  const seed = given.seed ?? randomSeed();
  log.info("generating load", { messagesPerSecond: given.rate, seed });
  let sent: ProduceProgress | undefined;
  const produced = produce({
    ...producerOptions(settings),
    which: "all",
    count: Number.POSITIVE_INFINITY,
    rate: given.rate,
    seed,
    timeoutMs: settings.state_timeout_minutes,
    outOfOrdernessMs: Math.max(1, settings.max_out_of_orderness),
    signal: endOfRun.signal,
    onProgress: (progress) => {
      sent = progress;
    },
  });
  produced.catch(end);
  const more = () => [
    `  load           ${sent === undefined ? "begins" : `${formatCount(sent.acknowledged)} sent`}`,
  ];
  await runOnDataflow(settings, read, { signal: endOfRun.signal, more });
  await produced;
}
