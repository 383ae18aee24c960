/**
 * Whom a worker's secrets are for: the servers that are named where the secret is, and nobody else. A job names servers
 * as it likes, and whoever can reach a runner or a worker pool can send one; so a password of the worker's own
 * environment goes only to the servers of that same environment.
 */
import { KAFKA_SETTINGS } from "./options.js";
import type { Problem, ReadSettings } from "./read_settings.js";
import { REGISTRY_SETTINGS } from "./registry_settings.js";
import { type Setting, type SettingsTable, variableOf } from "./setting.js";
import { mayHoldSecret } from "./setting_values.js";

type Values = Readonly<Record<string, unknown>>;

const logsIn = ({ kafka_security_protocol: protocol }: Values) => String(protocol).startsWith("SASL_");

const takesTokens = (settings: Values) => logsIn(settings) && settings.kafka_sasl_mechanism === "OAUTHBEARER";

/** A secret, the servers that it is for, and what decides how it is sent to them. */
interface Bond {
  readonly secret: string;
  readonly servers: string;
  readonly manner: readonly string[];
  /** Whether it would be sent at all. */
  readonly isUsed: (settings: Values) => boolean;
  /** Where it is, for messages, if not in the environment under its name. */
  readonly where?: string;
}

const BONDS: readonly Bond[] = [
  {
    secret: "kafka_sasl_password",
    servers: "kafka_bootstrap",
    manner: ["kafka_security_protocol", "kafka_sasl_mechanism", "kafka_ssl_ca_file"],
    isUsed: (settings) => logsIn(settings) && settings.kafka_sasl_mechanism !== "OAUTHBEARER",
  },
  // The secret goes to the token endpoint, and what it buys to the brokers.
  ...(["kafka_sasl_oauthbearer_token_endpoint_url", "kafka_bootstrap"] as const).map((servers) => ({
    secret: "kafka_sasl_oauthbearer_client_secret",
    servers,
    manner: ["kafka_security_protocol", "kafka_sasl_mechanism", "kafka_ssl_ca_file"],
    isUsed: (settings: Values) => takesTokens(settings) && settings.kafka_sasl_oauthbearer_method === "oidc",
  })),
  {
    // It never leaves the worker; but whoever may use it is whom its certificate names.
    secret: "kafka_ssl_key_file",
    servers: "kafka_bootstrap",
    manner: ["kafka_security_protocol", "kafka_ssl_ca_file"],
    isUsed: ({ kafka_security_protocol: protocol }) => String(protocol).endsWith("SSL"),
  },
  ...(
    [
      ["schema_registry_password", "schema_registry_url"],
      ["schema_registry_bearer_token", "schema_registry_url"],
      ["schema_registry_oauth_client_secret", "schema_registry_oauth_token_endpoint_url"],
      ["schema_registry_oauth_client_secret", "schema_registry_url"],
      ["schema_registry_ssl_key_file", "schema_registry_url"],
    ] as const
  ).map(([secret, servers]) => ({
    secret,
    servers,
    manner: ["schema_registry_ssl_ca_file"],
    isUsed: (settings: Values) => settings.schema_registry_url !== undefined,
  })),
];

/** What the machine itself has in a cloud. In a pool it is for all jobs; elsewhere the job and the machine are one. */
const OF_THE_MACHINE: Bond = {
  secret: "kafka_sasl_oauthbearer_method",
  servers: "kafka_bootstrap",
  manner: ["kafka_security_protocol", "kafka_sasl_mechanism", "kafka_ssl_ca_file"],
  isUsed: (settings) => takesTokens(settings) && settings.kafka_sasl_oauthbearer_method !== "oidc",
  where: "in the environment of the worker, whose own credentials would be used",
};

const SERVER_SETTINGS = { ...KAFKA_SETTINGS, ...REGISTRY_SETTINGS };

/** They stand beside the secrets in a worker's environment. */
export const SERVERS_OF_SECRETS: ReadonlySet<string> = new Set(BONDS.map(({ servers }) => servers));

/**
 * @param read what the worker would use: the job's settings before its own
 * @param own what it would use without a job
 * @param isPool it works for whoever may ask it
 */
export function secretProblems<Table extends SettingsTable>(
  read: ReadSettings<Table>,
  own: ReadSettings<Table>,
  isPool: boolean,
): Problem[] {
  const settings: Readonly<Record<string, unknown>> = read.settings;
  return [
    ...BONDS.flatMap((bond) => {
      const isOwn = read.origins.get(bond.secret) !== "flag" && settings[bond.secret] !== undefined;
      return isOwn && bond.isUsed(settings) ? bondProblems(bond, read, own) : [];
    }),
    ...(isPool && OF_THE_MACHINE.isUsed(settings) ? bondProblems(OF_THE_MACHINE, read, own) : []),
    ...uriProblems(read),
  ];
}

function bondProblems<Table extends SettingsTable>(
  { secret, servers, manner, where }: Bond,
  read: ReadSettings<Table>,
  own: ReadSettings<Table>,
): Problem[] {
  const beside = where ?? `in the worker's environment, where ${variableOf(secret)} is`;
  if (own.origins.get(servers) === "default") {
    const { expected }: Setting = SERVER_SETTINGS[servers as keyof typeof SERVER_SETTINGS];
    return [
      {
        name: servers,
        text: `is not set ${beside}: expected ${expected}, because a secret is sent to no other servers`,
      },
    ];
  }
  const named = hostsOf(own, servers);
  const strangers = hostsOf(read, servers).filter((host) => !named.includes(host));
  const problems: Problem[] = strangers.map((host) => ({
    name: servers,
    text: `is ${JSON.stringify(host)} in the job, but ${JSON.stringify(named.join(","))} ${beside}: expected the same, because a secret is sent to no other servers`,
  }));
  for (const name of manner) {
    if (own.origins.get(name) === "default" || own.texts.get(name) === undefined) continue;
    const mine = (own.settings as Record<string, unknown>)[name];
    if ((read.settings as Record<string, unknown>)[name] === mine) continue;
    problems.push({
      name,
      text: `is ${JSON.stringify(read.texts.get(name) ?? "")} in the job, but ${JSON.stringify(own.texts.get(name))} ${beside}: expected the same`,
    });
  }
  return problems;
}

function hostsOf<Table extends SettingsTable>({ settings }: ReadSettings<Table>, name: string): string[] {
  const value = (settings as Values)[name] as string | readonly string[] | undefined;
  if (typeof value !== "object") return value === undefined ? [] : [value];
  return value.map((host) => host.toLowerCase());
}

/** A URI has its user and password beside its hosts already; what is left is a job that has the machine's own sent. */
function uriProblems<Table extends SettingsTable>({ origins, texts }: ReadSettings<Table>): Problem[] {
  const uri = texts.get("mongodb_uri") ?? "";
  if (origins.get("mongodb_uri") !== "flag" || uri.includes("@") || !mayHoldSecret(uri)) return [];
  return [
    {
      name: "mongodb_uri",
      text: "of the job asks for credentials of the worker's machine: expected such a URI in the worker's environment",
    },
  ];
}
