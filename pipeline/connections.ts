/** From settings to what Kafka and MongoDB clients want. */

import type { RegistryAddress, TokenSource } from "@order-payment-stream/kafka";
import { type KafkaConfig, type KafkaLogger, oauthBearer, oauthTokens } from "@order-payment-stream/kafka";
import { googleTokens, mskRegionOf, mskTokens } from "./cloud_tokens.js";
import type { KafkaSettings } from "./settings/options.js";
import type { RegistrySettings } from "./settings/registry_settings.js";

export const CLIENT_ID = "order-payment-stream";

type Security = Pick<KafkaConfig, "ssl" | "sasl">;

/** Also fits kafkajs's own configuration. */
export function kafkaSecurity(settings: KafkaSettings): Security {
  const { kafka_security_protocol: protocol } = settings;
  const usesTls = protocol === "SSL" || protocol === "SASL_SSL";
  const usesSasl = protocol === "SASL_PLAINTEXT" || protocol === "SASL_SSL";
  return {
    ...(usesTls && { ssl: tlsOf(settings) }),
    ...(usesSasl && { sasl: loginOf(settings) }),
  };
}

function tlsOf(settings: KafkaSettings): NonNullable<Security["ssl"]> {
  const { kafka_ssl_ca_file: ca, kafka_ssl_cert_file: cert, kafka_ssl_key_file: key } = settings;
  const { kafka_ssl_key_password: passphrase } = settings;
  if (ca === undefined && cert === undefined) return true;
  return {
    ...(ca !== undefined && { ca: [ca] }),
    ...(cert !== undefined && { cert, key }),
    ...(passphrase !== undefined && { passphrase }),
  };
}

function loginOf(settings: KafkaSettings): NonNullable<Security["sasl"]> {
  const { kafka_sasl_mechanism: mechanism } = settings;
  if (mechanism === "OAUTHBEARER") {
    return oauthBearer(tokensOf(settings), settings.kafka_sasl_oauthbearer_extensions);
  }
  return {
    mechanism: MECHANISMS[mechanism],
    username: settings.kafka_sasl_username!,
    password: settings.kafka_sasl_password!,
  };
}

function tokensOf(settings: KafkaSettings): TokenSource {
  const { kafka_sasl_oauthbearer_method: method, kafka_bootstrap: brokers } = settings;
  if (method === "google") return googleTokens();
  if (method === "aws_msk_iam") return mskTokens(settings.aws_region ?? mskRegionOf(brokers)!);
  return oauthTokens({
    tokenEndpointUrl: settings.kafka_sasl_oauthbearer_token_endpoint_url!,
    clientId: settings.kafka_sasl_oauthbearer_client_id!,
    clientSecret: settings.kafka_sasl_oauthbearer_client_secret!,
    scope: settings.kafka_sasl_oauthbearer_scope,
  });
}

const MECHANISMS = {
  PLAIN: "plain",
  "SCRAM-SHA-256": "scram-sha-256",
  "SCRAM-SHA-512": "scram-sha-512",
} as const;

export function kafkaConfig(settings: KafkaSettings, logger: KafkaLogger): KafkaConfig {
  return {
    brokers: settings.kafka_bootstrap,
    clientId: CLIENT_ID,
    ...kafkaSecurity(settings),
    logger,
  };
}

/** Undefined: there is no schema registry. */
export function registryConfig(settings: RegistrySettings): RegistryAddress | undefined {
  const { schema_registry_url: urls } = settings;
  if (urls === undefined) return undefined;
  const { schema_registry_ssl_ca_file: ca, schema_registry_ssl_cert_file: cert } = settings;
  const { schema_registry_ssl_key_file: key, schema_registry_ssl_key_password: passphrase } = settings;
  const { schema_registry_logical_cluster: cluster, schema_registry_identity_pool_id: pool } = settings;
  return {
    urls,
    login: registryLogin(settings),
    tls: {
      ...(ca !== undefined && { ca: [ca] }),
      ...(cert !== undefined && { cert, key }),
      ...(passphrase !== undefined && { passphrase }),
    },
    headers: {
      ...(cluster !== undefined && { "target-sr-cluster": cluster }),
      ...(pool !== undefined && { "Confluent-Identity-Pool-Id": pool }),
    },
  };
}

function registryLogin(settings: RegistrySettings): RegistryAddress["login"] {
  const { schema_registry_username: username, schema_registry_bearer_token: bearerToken } = settings;
  const { schema_registry_oauth_token_endpoint_url: tokenEndpointUrl } = settings;
  if (bearerToken !== undefined) return { bearerToken };
  if (username !== undefined) return { username, password: settings.schema_registry_password! };
  if (tokenEndpointUrl === undefined) return undefined;
  const tokens = oauthTokens({
    tokenEndpointUrl,
    clientId: settings.schema_registry_oauth_client_id!,
    clientSecret: settings.schema_registry_oauth_client_secret!,
    scope: settings.schema_registry_oauth_scope,
    purpose: "the schema registry",
  });
  return { tokens };
}
