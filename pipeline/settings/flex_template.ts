/**
 * The Flex Template: the form in Google's console, and the parameters of `gcloud dataflow flex-template run`. Made from the
 * settings, so that names, texts and defaults are theirs; deploy/template holds what comes out. Source:
 * cloud.google.com/dataflow/docs/guides/templates/configuring-flex-templates, "Metadata parameters".
 */

import { LOG_SETTINGS } from "./monitor_options.js";
import {
  ENGINE_SETTINGS,
  KAFKA_READ_SETTINGS,
  KAFKA_SETTINGS,
  MONGODB_SETTINGS,
  TIME_SETTINGS,
} from "./options.js";
import { REGISTRY_SETTINGS } from "./registry_settings.js";
import type { Setting, SettingsTable } from "./setting.js";

export interface TemplateParameter {
  readonly name: string;
  readonly label: string;
  readonly helpText: string;
  readonly isOptional: boolean;
  readonly groupName: string;
  readonly paramType: "TEXT" | "ENUM" | "BOOLEAN";
  readonly defaultValue?: string;
  readonly regexes?: readonly string[];
  readonly enumOptions?: readonly { readonly value: string; readonly label: string }[];
}

export interface TemplateMetadata {
  readonly name: string;
  readonly description: string;
  readonly streaming: true;
  readonly supportsAtLeastOnce: false;
  readonly supportsExactlyOnce: true;
  readonly parameters: readonly TemplateParameter[];
}

export interface TemplateSpec {
  readonly image: string;
  readonly sdkInfo: { readonly language: "GO" };
  readonly metadata: TemplateMetadata;
  readonly defaultEnvironment: Readonly<Record<string, unknown>>;
}

const SECRET = String.raw`projects/[\w.:-]+(/locations/[\w-]+)?/secrets/[\w-]+/versions/(latest|\w+)`;
const HOST_AND_PORT = String.raw`[^\s:/@,]+:\d{1,5}`;
const URL = String.raw`https?://[^\s,]+`;
const DURATION = String.raw`\d*\.?\d+\s*(ms|s|seconds?|m|min|minutes?|h)?`;
/** But blanks around it. */
const ANYTHING = String.raw`^\S(.*\S)?$`;
const NAME = String.raw`[^\s]+`;

/** Checked in the form already, loosely: the program says exactly what is wrong. */
const REGEXES: Readonly<Record<string, string>> = {
  kafka_bootstrap: `^${HOST_AND_PORT}(,${HOST_AND_PORT})*$`,
  kafka_order_topic: String.raw`^[\w.-]{1,249}$`,
  kafka_payment_topic: String.raw`^[\w.-]{1,249}$`,
  kafka_group_id: `^${NAME}$`,
  kafka_start: String.raw`^(earliest|latest|group|\d{4}-\d\d-\d\d.*|\d{10,15})$`,
  kafka_sasl_username: "^.+$",
  kafka_sasl_oauthbearer_token_endpoint_url: `^${URL}$`,
  kafka_sasl_oauthbearer_client_id: "^.+$",
  kafka_sasl_oauthbearer_scope: "^.+$",
  kafka_sasl_oauthbearer_extensions: "^[A-Za-z]+=.+$",
  mongodb_uri: `^(mongodb(\\+srv)?://[^@\\s]+|${SECRET})$`,
  mongodb_database: String.raw`^[^/\\. "$*<>:|?]{1,63}$`,
  mongodb_collection: "^[^$]{1,190}$",
  mongodb_unmatched_collection: "^[^$]{1,190}$",
  mongodb_dead_letter_collection: "^[^$]{1,190}$",
  state_timeout_minutes: String.raw`^\d*\.?\d+$`,
  max_out_of_orderness: `^${DURATION}$`,
  max_ahead_of_clock: `^(off|${DURATION})$`,
  outage_max: `^${DURATION}$`,
  schema_registry_url: `^${URL}(,${URL})*$`,
  schema_registry_username: "^.+$",
};

const { max_ahead_of_clock, outage_max } = ENGINE_SETTINGS;
const { log_level } = LOG_SETTINGS;
const { schema_registry_url, schema_registry_username, schema_registry_password } = REGISTRY_SETTINGS;

const GROUPS: Readonly<Record<string, SettingsTable>> = {
  Kafka: { ...KAFKA_SETTINGS, ...KAFKA_READ_SETTINGS },
  "Schema registry": { schema_registry_url, schema_registry_username, schema_registry_password },
  MongoDB: MONGODB_SETTINGS,
  "The rule": { ...TIME_SETTINGS, max_ahead_of_clock },
  Operation: { outage_max, log_level },
};
/** Their defaults are of a machine with servers on it. */
const REQUIRED: ReadonlySet<string> = new Set(["kafka_bootstrap", "mongodb_uri"]);

export function templateMetadata(): TemplateMetadata {
  return {
    name: "Orders and payments",
    description:
      "Joins orders and payments from Kafka within minutes of event time, and writes each pair once to MongoDB, as well as events without a partner and records that cannot be read.",
    streaming: true,
    supportsAtLeastOnce: false,
    supportsExactlyOnce: true,
    parameters: Object.entries(GROUPS).flatMap(([group, table]) =>
      Object.entries(table).map(([name, setting]) => parameterOf(group, name, setting)),
    ),
  };
}

/** What `gcloud dataflow flex-template run --template-file-gcs-location` reads. */
export function templateSpec(image: string): TemplateSpec {
  return {
    image,
    sdkInfo: { language: "GO" },
    metadata: templateMetadata(),
    defaultEnvironment: { sdkContainerImage: image, enableStreamingEngine: true },
  };
}

function parameterOf(groupName: string, name: string, setting: Setting): TemplateParameter {
  const isRequired = REQUIRED.has(name);
  const isReference = setting.mayRefer === true && name !== "mongodb_uri";
  const options = enumOptions(setting);
  const advice = setting.mayRefer
    ? " A reference to Secret Manager: projects/…/secrets/…/versions/latest."
    : "";
  const regex = isReference ? `^${SECRET}$` : (REGEXES[name] ?? ANYTHING);
  return {
    name,
    label: labelOf(name),
    helpText: `${setting.description}${advice}`,
    isOptional: !isRequired,
    groupName,
    paramType: options === undefined ? "TEXT" : "ENUM",
    ...(!isRequired && setting.default !== undefined && { defaultValue: setting.default }),
    ...(options !== undefined && { enumOptions: options.map((value) => ({ value, label: value })) }),
    ...(options === undefined && { regexes: [regex] }),
  };
}

/** Of a setting whose text lists its values: "a, b or c". */
function enumOptions({ expected, schema }: Setting): string[] | undefined {
  const values = expected.split(/, | or /);
  const areAll =
    values.length > 1 && values.every((value) => /^[\w-]+$/.test(value) && schema.safeParse(value).success);
  return areAll ? values : undefined;
}

function labelOf(name: string): string {
  const words = name.replaceAll("_", " ");
  const named = words.replace(/\b(sasl|ssl|ca|id|uri|url|oauthbearer)\b/g, (word) => word.toUpperCase());
  return (named[0]!.toUpperCase() + named.slice(1)).replace("Mongodb", "MongoDB");
}
