/** From settings to what Kafka and MongoDB clients want. */
import type { KafkaConfig, KafkaLogger } from "@order-payment-stream/kafka";
import type { KafkaSettings } from "./settings/options.js";

export const CLIENT_ID = "order-payment-stream";

type Security = Pick<KafkaConfig, "ssl" | "sasl">;

/** Also fits kafkajs's own configuration. */
export function kafkaSecurity(settings: KafkaSettings): Security {
  const { kafka_security_protocol: protocol, kafka_ssl_ca_file: ca } = settings;
  const usesTls = protocol === "SSL" || protocol === "SASL_SSL";
  const usesSasl = protocol === "SASL_PLAINTEXT" || protocol === "SASL_SSL";
  return {
    ...(usesTls && { ssl: ca === undefined ? true : { ca: [ca] } }),
    ...(usesSasl && {
      sasl: {
        mechanism: MECHANISMS[settings.kafka_sasl_mechanism],
        username: settings.kafka_sasl_username!,
        password: settings.kafka_sasl_password!,
      },
    }),
  };
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
