/** The settings of the schema registry and of the schemas of other writers, and what they must be together. */
import { clientCertificateProblems } from "./client_certificate.js";
import type { Problem } from "./read_settings.js";
import { type SettingsOf, settingsTable, variableOf } from "./setting.js";
import {
  avroSchemaFiles,
  clientCertificate,
  pemFile,
  privateKeyFile,
  registryUrls,
  secret,
  text,
  tokenEndpoint,
} from "./setting_values.js";

export const REGISTRY_SETTINGS = settingsTable({
  schema_registry_url: {
    description:
      "Schema registry, for values in Confluent's frame or with __value_schema_id in a header: Confluent's, or one with its interface such as Apicurio's under /apis/ccompat/v7.",
    expected: "http://host:port or https://host, or several separated by commas",
    schema: registryUrls,
    isAddress: true,
  },
  schema_registry_username: {
    description: "User name at the schema registry; on Confluent Cloud the key of an API key.",
    expected: "a user name",
    schema: text,
  },
  schema_registry_password: {
    description: "Password of SCHEMA_REGISTRY_USERNAME; on Confluent Cloud the secret of the API key.",
    expected: "a password",
    schema: secret,
    isSecret: true,
    mayRefer: true,
  },
  schema_registry_bearer_token: {
    description: "Token for the schema registry, instead of a user and a password.",
    expected: "a token",
    schema: secret,
    isSecret: true,
    mayRefer: true,
  },
  schema_registry_oauth_token_endpoint_url: {
    description: "Token endpoint for the schema registry, with OpenID Connect's client-credentials grant.",
    expected: "a URL such as https://issuer.example/oauth2/token",
    schema: tokenEndpoint,
    isAddress: true,
  },
  schema_registry_oauth_client_id: {
    description: "Client id at that token endpoint.",
    expected: "the id of a client",
    schema: text,
  },
  schema_registry_oauth_client_secret: {
    description: "Client secret at that token endpoint.",
    expected: "the secret of the client",
    schema: secret,
    isSecret: true,
    mayRefer: true,
  },
  schema_registry_oauth_scope: {
    description: "Scope of the tokens, if that token endpoint requires one.",
    expected: "a scope, or several separated by spaces",
    schema: text,
  },
  schema_registry_logical_cluster: {
    description: "Confluent Cloud with OAuth: the schema registry's cluster, lsrc-….",
    expected: "the id of a logical cluster",
    schema: text,
  },
  schema_registry_identity_pool_id: {
    description: "Confluent Cloud with OAuth: the identity pool, pool-….",
    expected: "the id of an identity pool",
    schema: text,
  },
  schema_registry_ssl_ca_file: {
    description:
      "PEM file with the certificate authorities for the schema registry; without it, the system's.",
    expected: "a readable file with certificates in PEM",
    schema: pemFile,
    mayRefer: true,
  },
  schema_registry_ssl_cert_file: {
    description: "PEM file with this client's certificate for the schema registry (mTLS).",
    expected: "a readable file with certificates in PEM, the first of which is valid now",
    schema: clientCertificate,
    mayRefer: true,
  },
  schema_registry_ssl_key_file: {
    description: "PEM file with the private key of SCHEMA_REGISTRY_SSL_CERT_FILE.",
    expected: "a readable file with a private key in PEM",
    schema: privateKeyFile,
    mayRefer: true,
  },
  schema_registry_ssl_key_password: {
    description: "Passphrase of SCHEMA_REGISTRY_SSL_KEY_FILE, if it is encrypted.",
    expected: "the passphrase of SCHEMA_REGISTRY_SSL_KEY_FILE",
    schema: secret,
    isSecret: true,
    mayRefer: true,
  },
});

export const WRITER_SCHEMA_SETTINGS = settingsTable({
  avro_writer_schemas: {
    description:
      "Avro schemas of other writers of single-object values (.avsc files), whose values are read by Avro's rules of schema resolution.",
    expected: "a readable file with an Avro schema in JSON, or several separated by commas",
    schema: avroSchemaFiles,
  },
});

export type RegistrySettings = SettingsOf<typeof REGISTRY_SETTINGS>;

type Given = Partial<RegistrySettings>;
type Name = keyof RegistrySettings;

/** One way to be let in, and all that it takes. */
const LOGINS = [
  { needed: ["schema_registry_username", "schema_registry_password"], more: [] },
  { needed: ["schema_registry_bearer_token"], more: [] },
  {
    needed: [
      "schema_registry_oauth_token_endpoint_url",
      "schema_registry_oauth_client_id",
      "schema_registry_oauth_client_secret",
    ],
    more: ["schema_registry_oauth_scope"],
  },
] as const satisfies readonly { readonly needed: readonly Name[]; readonly more: readonly Name[] }[];

/** What a login lacks, and what does not go together. Settings that are wrong by themselves are absent. */
export function registryProblems(settings: Given): Problem[] {
  if (settings.schema_registry_url === undefined) return withoutRegistry(settings);
  const isSet = (name: Name): boolean => settings[name] !== undefined;
  const begun = LOGINS.filter(({ needed, more }) => [...needed, ...more].some(isSet));
  const problems = clientCertificateProblems(settings, {
    certificate: "schema_registry_ssl_cert_file",
    key: "schema_registry_ssl_key_file",
    passphrase: "schema_registry_ssl_key_password",
    expected: (name) => REGISTRY_SETTINGS[name as Name].expected,
  });
  const [first, second] = begun;
  if (first !== undefined && second !== undefined) {
    const [one, other] = [first, second].map(({ needed, more }) => [...needed, ...more].find(isSet)!);
    problems.push({
      name: other!,
      text: `is set, and so is ${variableOf(one!)}: expected only one way to log in to the schema registry`,
    });
    return problems;
  }
  for (const name of first?.needed ?? []) {
    if (isSet(name) || !(name in settings)) continue;
    const because = variableOf([...first!.needed, ...first!.more].find(isSet)!);
    problems.push({
      name,
      text: `is not set: expected ${REGISTRY_SETTINGS[name].expected}, to go with ${because}`,
    });
  }
  return problems;
}

/** A secret that goes nowhere is a mistake; the other settings may wait for a registry. */
function withoutRegistry(settings: Given): Problem[] {
  if (!("schema_registry_url" in settings)) return [];
  const login = LOGINS.flatMap(({ needed }) => [...needed]).find((name) => settings[name] !== undefined);
  if (login === undefined) return [];
  const { expected } = REGISTRY_SETTINGS.schema_registry_url;
  return [
    {
      name: "schema_registry_url",
      text: `is not set: expected ${expected}, to go with ${variableOf(login)}`,
    },
  ];
}
