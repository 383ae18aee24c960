/** The settings of jobs on Dataflow, by the names that Beam and gcloud have for them. */
import {
  emailAddress,
  gcsUrl,
  jobName,
  labels,
  nameMapping,
  names,
  projectId,
  regionName,
} from "./google_values.js";
import { KAFKA_LOGIN_SETTINGS } from "./kafka_login.js";
import type { Problem } from "./read_settings.js";
import { REGISTRY_SETTINGS } from "./registry_settings.js";
import { secretReference } from "./secret_references.js";
import { type Setting, type SettingsOf, settingsTable } from "./setting.js";
import { httpUrl, mayHoldSecret, oneOf, text, wholeNumber, yesOrNo } from "./setting_values.js";

export const DATAFLOW_PLACE_SETTINGS = settingsTable({
  project: {
    description: "Dataflow: id of the Google Cloud project.",
    expected: "a project id such as my-project",
    schema: projectId,
  },
  region: {
    description: "Dataflow: region of the job.",
    expected: "a region such as us-central1",
    schema: regionName,
  },
  dataflow_endpoint: {
    description:
      "Dataflow: another endpoint of the service; http:// means no TLS and no login, for an emulator.",
    expected: "a URL such as https://dataflow.googleapis.com",
    schema: httpUrl,
    isAddress: true,
  },
});

export const DATAFLOW_SETTINGS = settingsTable({
  ...DATAFLOW_PLACE_SETTINGS,
  temp_location: {
    description: "Dataflow: where the service keeps what it needs while the job runs.",
    expected: "gs://bucket or gs://bucket/prefix",
    schema: gcsUrl,
  },
  staging_location: {
    description: "Dataflow: where the graph is staged; default: staging under TEMP_LOCATION.",
    expected: "gs://bucket or gs://bucket/prefix",
    schema: gcsUrl,
  },
  sdk_container_image: {
    description: "Dataflow: the image of this program that workers run (`make push-image`).",
    expected: "an image such as us-central1-docker.pkg.dev/my-project/beam/order-payment-stream:1",
    schema: text,
  },
  service_account_email: {
    description: "Dataflow: service account of the workers; default: the project's.",
    expected: "the address of a service account",
    schema: emailAddress,
  },
  machine_type: {
    description: "Dataflow: machine type of the workers.",
    expected: "a machine type such as n2-standard-2",
    schema: text,
  },
  worker_machine_type: {
    description: "Dataflow: the same, by Beam's other name for it.",
    expected: "a machine type such as n2-standard-2",
    schema: text,
    isFlagOnly: true,
  },
  num_workers: {
    description: "Dataflow: number of workers at the start.",
    expected: "a whole number from 1 to 1000",
    schema: wholeNumber(1, 1_000),
  },
  max_num_workers: {
    description: "Dataflow: greatest number of workers.",
    expected: "a whole number from 1 to 1000",
    schema: wholeNumber(1, 1_000),
  },
  autoscaling_algorithm: {
    description: "Dataflow: NONE, or THROUGHPUT_BASED.",
    expected: "NONE or THROUGHPUT_BASED",
    schema: oneOf("NONE", "THROUGHPUT_BASED"),
  },
  network: {
    description: "Dataflow: network of the workers.",
    expected: "the name of a network",
    schema: text,
    isFlagOnly: true,
  },
  subnetwork: {
    description: "Dataflow: subnetwork of the workers.",
    expected: "regions/REGION/subnetworks/NAME, or its URL",
    schema: text,
    isFlagOnly: true,
  },
  no_use_public_ips: {
    description: "Dataflow: give workers private addresses only.",
    expected: "true or false",
    schema: yesOrNo,
    isSwitch: true,
    isFlagOnly: true,
  },
  use_public_ips: {
    description: "Dataflow: give workers public addresses.",
    expected: "true or false",
    schema: yesOrNo,
    isSwitch: true,
    isFlagOnly: true,
  },
  disk_size_gb: {
    description: "Dataflow: disk of a worker, in GB.",
    expected: "a whole number from 10 to 65536",
    schema: wholeNumber(10, 65_536),
  },
  worker_zone: {
    description: "Dataflow: zone of the workers; default: the service chooses one in REGION.",
    expected: "a zone such as us-central1-a",
    schema: text,
    isFlagOnly: true,
  },
  dataflow_kms_key: {
    description: "Dataflow: key that encrypts the job's data.",
    expected: "projects/…/locations/…/keyRings/…/cryptoKeys/…",
    schema: text,
    isFlagOnly: true,
  },
  labels: {
    description: "Dataflow: labels of the job, for billing and lists.",
    expected: 'key=value, several separated by commas, or JSON such as {"team": "orders"}',
    schema: labels,
    isFlagOnly: true,
  },
  dataflow_service_options: {
    description: "Dataflow: options of the service.",
    expected: "one or more names, or name=value, separated by commas",
    schema: names,
    isFlagOnly: true,
  },
  experiments: {
    description: "Dataflow: experiments, in addition to those that every job needs.",
    expected: "one or more names, or name=value, separated by commas",
    schema: names,
    isFlagOnly: true,
  },
  update: {
    description: "Dataflow: replace the running job JOB_NAME, and keep its state.",
    expected: "true or false",
    schema: yesOrNo,
    isSwitch: true,
    isFlagOnly: true,
  },
  transform_name_mapping: {
    description: "Dataflow: with --update, steps of the running job and their new names.",
    expected: 'JSON such as {"WriteJoined": "WritePairs"}',
    schema: nameMapping,
    isFlagOnly: true,
  },
  template_location: {
    description:
      "Dataflow: write the job to this object instead of submitting it, as template launchers expect.",
    expected: "gs://bucket/object",
    schema: gcsUrl,
    isFlagOnly: true,
  },
  dry_run: {
    description: "Dataflow: print the job as it would be sent, and exit. Nothing is sent or staged.",
    expected: "true or false",
    schema: yesOrNo,
    isSwitch: true,
    isFlagOnly: true,
  },
  no_wait: {
    description: "Dataflow: exit once the job is submitted; the job goes on.",
    expected: "true or false",
    schema: yesOrNo,
    isSwitch: true,
    isFlagOnly: true,
  },
});

export type DataflowSettings = SettingsOf<typeof DATAFLOW_SETTINGS>;

const REQUIRED = ["project", "region", "temp_location", "sdk_container_image"] as const;
/** With another runner they would silently do nothing. The rest may stand in an environment for the next submission. */
const ON_THE_COMMAND_LINE = [
  "update",
  "transform_name_mapping",
  "template_location",
  "dry_run",
  "no_wait",
] as const;
/** Of what a worker is told. */
const LOGINS: readonly [string, Setting][] = Object.entries({
  ...KAFKA_LOGIN_SETTINGS,
  ...REGISTRY_SETTINGS,
});
const SECRETS = LOGINS.filter(([, { isSecret }]) => isSecret).map(([name]) => name);
const FILES = LOGINS.filter(([name]) => name.endsWith("_file")).map(([name]) => name);
/** What may be given as a reference to Secret Manager. */
export const REFERABLE: readonly string[] = [...SECRETS, ...FILES, "mongodb_uri"];
const REFERENCE = "projects/PROJECT/secrets/NAME/versions/latest";
const JOB_NAME_MAX = 63;

interface Others {
  readonly runner?: string;
  readonly job_name?: string | undefined;
  readonly bounded?: boolean;
  readonly drain?: string | undefined;
}

/** What makes no sense together, or is missing. */
export function dataflowProblems(settings: Partial<DataflowSettings> & Others): Problem[] {
  if (settings.runner === undefined) return [];
  return settings.runner === "dataflow" ? problemsThere(settings) : problemsElsewhere(settings);
}

function problemsElsewhere(settings: Partial<DataflowSettings> & Others): Problem[] {
  const misplaced = ON_THE_COMMAND_LINE.filter((name) => settings[name] !== undefined).map((name) => ({
    name,
    text: `is set, but RUNNER is ${settings.runner}: expected dataflow`,
  }));
  const all: Readonly<Record<string, unknown>> = { ...settings };
  const referred = REFERABLE.filter((name) => isReference(all, name)).map((name) => ({
    name,
    text: "is a reference to Secret Manager, which workers on Dataflow alone resolve: expected the value itself, because RUNNER is not dataflow",
  }));
  return [...misplaced, ...referred];
}

function problemsThere(settings: Partial<DataflowSettings> & Others): Problem[] {
  const problems: Problem[] = [];
  const problem = (name: string, why: string): void => {
    problems.push({ name, text: why });
  };
  for (const name of REQUIRED) {
    if (!(name in settings) || settings[name] !== undefined) continue;
    problem(name, `is not set: expected ${DATAFLOW_SETTINGS[name].expected}, because RUNNER is dataflow`);
  }
  const { machine_type: machine, worker_machine_type: workerMachine } = settings;
  if (machine !== undefined && workerMachine !== undefined && machine !== workerMachine) {
    problem(
      "worker_machine_type",
      `is ${JSON.stringify(workerMachine)}, but MACHINE_TYPE is ${JSON.stringify(machine)}: expected one of the two`,
    );
  }
  if (settings.use_public_ips !== undefined && settings.no_use_public_ips !== undefined) {
    problem("no_use_public_ips", "and --use_public_ips are set: expected one of the two");
  }
  const { num_workers: workers, max_num_workers: most } = settings;
  if (workers !== undefined && most !== undefined && workers > most) {
    problem("num_workers", `is ${workers}, but MAX_NUM_WORKERS is ${most}: expected no more than that`);
  }
  if (settings.job_name !== undefined && jobName.safeParse(settings.job_name).error !== undefined) {
    problem(
      "job_name",
      `is ${JSON.stringify(settings.job_name)}: expected ${JOB_NAME_MAX} lower-case letters, digits and hyphens at most, a letter first, because RUNNER is dataflow`,
    );
  }
  if (settings.transform_name_mapping !== undefined && !settings.update) {
    problem("transform_name_mapping", "is set, but --update is not: there is nothing to map");
  }
  if (settings.drain === "keep") {
    problem(
      "drain",
      'is "keep", but Dataflow keeps no state behind a job: leave it out, or set expire to drain the job at SIGINT or SIGTERM',
    );
  }
  problems.push(...secretsInTheOpen({ ...settings }));
  return problems;
}

/** Whoever may see the job can read its options; workers have no environment of the user's. */
function secretsInTheOpen(settings: Readonly<Record<string, unknown>>): Problem[] {
  const advice = `expected a reference to Secret Manager such as ${REFERENCE}, because RUNNER is dataflow and the options of a job are shown to whoever may see it`;
  const problems: Problem[] = [];
  for (const name of SECRETS) {
    if (settings[name] !== undefined && !isReference(settings, name)) {
      problems.push({ name, text: `is the secret itself: ${advice}` });
    }
  }
  const uri = settings.mongodb_uri;
  if (typeof uri === "string" && !isReference(settings, "mongodb_uri") && mayHoldSecret(uri)) {
    problems.push({ name: "mongodb_uri", text: `may hold a password: ${advice}` });
  }
  for (const name of FILES) {
    if (settings[name] === undefined || isReference(settings, name)) continue;
    problems.push({
      name,
      text: `is a file of this machine, which workers do not have: expected a secret with its content, such as ${REFERENCE}, because RUNNER is dataflow`,
    });
  }
  return problems;
}

function isReference(settings: Readonly<Record<string, unknown>>, name: string): boolean {
  const value = settings[name];
  return typeof value === "string" && secretReference.test(value);
}
