/** The settings of how Kafka is reached and logged in to, and what they must be together. */
import { mskRegionOf } from "../cloud_tokens.js";
import { type CertificateNames, clientCertificateProblems } from "./client_certificate.js";
import type { Problem } from "./read_settings.js";
import { type SettingsOf, settingsTable } from "./setting.js";
import {
  clientCertificate,
  oneOf,
  pemFile,
  privateKeyFile,
  saslExtensions,
  secret,
  text,
  tokenEndpoint,
} from "./setting_values.js";

export const KAFKA_LOGIN_SETTINGS = settingsTable({
  kafka_security_protocol: {
    description: "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.",
    expected: "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
    schema: oneOf("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    default: "PLAINTEXT",
  },
  kafka_sasl_mechanism: {
    description: "How to log in with SASL_*: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.",
    expected: "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER",
    schema: oneOf("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"),
    default: "PLAIN",
  },
  kafka_sasl_username: {
    description: "User name for SASL_* with PLAIN or SCRAM.",
    expected: "a user name",
    schema: text,
  },
  kafka_sasl_password: {
    description:
      "Password for SASL_* with PLAIN or SCRAM. Set it in the environment rather than on the command line, which others can see.",
    expected: "a password",
    schema: secret,
    isSecret: true,
    mayRefer: true,
  },
  kafka_sasl_oauthbearer_method: {
    description:
      "Where OAUTHBEARER gets its tokens: oidc, from a token endpoint; google, from the application default credentials, for Google's managed Kafka; aws_msk_iam, from Amazon's default credentials, for MSK with IAM.",
    expected: "oidc, google or aws_msk_iam",
    schema: oneOf("oidc", "google", "aws_msk_iam"),
    default: "oidc",
  },
  kafka_sasl_oauthbearer_token_endpoint_url: {
    description: "Token endpoint for OAUTHBEARER, with OpenID Connect's client-credentials grant.",
    expected: "a URL such as https://issuer.example/oauth2/token",
    schema: tokenEndpoint,
    isAddress: true,
  },
  kafka_sasl_oauthbearer_client_id: {
    description: "Client id at the token endpoint.",
    expected: "the id of a client",
    schema: text,
  },
  kafka_sasl_oauthbearer_client_secret: {
    description: "Client secret at the token endpoint.",
    expected: "the secret of the client",
    schema: secret,
    isSecret: true,
    mayRefer: true,
  },
  kafka_sasl_oauthbearer_scope: {
    description: "Scope of the tokens, if the token endpoint requires one.",
    expected: "a scope, or several separated by spaces",
    schema: text,
  },
  kafka_sasl_oauthbearer_extensions: {
    description:
      "Extensions sent to the broker with the token: logicalCluster=lkc-…,identityPoolId=pool-… for Confluent Cloud.",
    expected: "name=value, or several separated by commas; names are made of letters",
    schema: saslExtensions,
  },
  aws_region: {
    description: "Region of MSK, for aws_msk_iam; without it, the region in the brokers' names.",
    expected: "a region such as eu-central-1",
    schema: text,
  },
  kafka_ssl_ca_file: {
    description: "PEM file with the certificate authorities for SSL and SASL_SSL; without it, the system's.",
    expected: "a readable file with certificates in PEM",
    schema: pemFile,
    mayRefer: true,
  },
  kafka_ssl_cert_file: {
    description:
      "PEM file with this client's certificate for SSL and SASL_SSL (mTLS), followed by those of its issuers.",
    expected: "a readable file with certificates in PEM, the first of which is valid now",
    schema: clientCertificate,
    mayRefer: true,
  },
  kafka_ssl_key_file: {
    description: "PEM file with the private key of KAFKA_SSL_CERT_FILE.",
    expected: "a readable file with a private key in PEM",
    schema: privateKeyFile,
    mayRefer: true,
  },
  kafka_ssl_key_password: {
    description: "Passphrase of KAFKA_SSL_KEY_FILE, if it is encrypted.",
    expected: "the passphrase of KAFKA_SSL_KEY_FILE",
    schema: secret,
    isSecret: true,
    mayRefer: true,
  },
});

export type KafkaLoginSettings = SettingsOf<typeof KAFKA_LOGIN_SETTINGS>;

type Given = Partial<KafkaLoginSettings>;
type Name = keyof KafkaLoginSettings;

/** What a login lacks, and which of its parts do not fit together. Settings that are wrong by themselves are absent. */
export function loginProblems(settings: Given): Problem[] {
  return [...saslProblems(settings), ...certificateProblems(settings)];
}

const NEEDED_BY_PASSWORD = ["kafka_sasl_username", "kafka_sasl_password"] as const;
const NEEDED_BY_TOKEN = [
  "kafka_sasl_oauthbearer_token_endpoint_url",
  "kafka_sasl_oauthbearer_client_id",
  "kafka_sasl_oauthbearer_client_secret",
] as const;

/** A login takes a user and a password, or a client and its secret. */
function saslProblems(settings: Given): Problem[] {
  const { kafka_security_protocol: protocol, kafka_sasl_mechanism: mechanism } = settings;
  if (!protocol?.startsWith("SASL_") || mechanism === undefined) return [];
  if (mechanism !== "OAUTHBEARER") {
    return missing(settings, NEEDED_BY_PASSWORD, `because KAFKA_SECURITY_PROTOCOL is ${protocol}`);
  }
  const { kafka_sasl_oauthbearer_method: method = "oidc" } = settings;
  if (method !== "oidc") return cloudProblems(settings, method);
  return missing(settings, NEEDED_BY_TOKEN, "because KAFKA_SASL_MECHANISM is OAUTHBEARER");
}

/** The machine's credentials are whole by themselves. Their tokens count in all of a cloud, so nobody may overhear them. */
function cloudProblems(settings: Given & { kafka_bootstrap?: readonly string[] }, method: string): Problem[] {
  const problems: Problem[] = [];
  if (settings.kafka_security_protocol === "SASL_PLAINTEXT") {
    const text = `is "SASL_PLAINTEXT": expected SASL_SSL, because KAFKA_SASL_OAUTHBEARER_METHOD is ${method}`;
    problems.push({ name: "kafka_security_protocol", text });
  }
  const { kafka_bootstrap: brokers } = settings;
  const isRegionKnown = brokers === undefined || mskRegionOf(brokers) !== undefined;
  if (method === "aws_msk_iam" && !isRegionKnown) {
    const because =
      "because KAFKA_SASL_OAUTHBEARER_METHOD is aws_msk_iam, and the brokers' names do not tell it";
    problems.push(...missing(settings, ["aws_region"], because));
  }
  return problems;
}

const CERTIFICATE: CertificateNames = {
  certificate: "kafka_ssl_cert_file",
  key: "kafka_ssl_key_file",
  passphrase: "kafka_ssl_key_password",
  expected: (name) => KAFKA_LOGIN_SETTINGS[name as Name].expected,
};

function certificateProblems(settings: Given): Problem[] {
  const { kafka_security_protocol: protocol } = settings;
  const usesTls = protocol === "SSL" || protocol === "SASL_SSL";
  return usesTls ? clientCertificateProblems(settings, CERTIFICATE) : [];
}

function missing(settings: Given, names: readonly Name[], because: string): Problem[] {
  return names
    .filter((name) => name in settings && settings[name] === undefined)
    .map((name) => ({
      name,
      text: `is not set: expected ${KAFKA_LOGIN_SETTINGS[name].expected}, ${because}`,
    }));
}
