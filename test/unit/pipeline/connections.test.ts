import assert from "node:assert/strict";
import { producerOptions } from "../../../pipeline/commands/produce.js";
import { kafkaSecurity } from "../../../pipeline/connections.js";
import { KAFKA_SETTINGS } from "../../../pipeline/settings/options.js";
import { readSettings } from "../../../pipeline/settings/read_settings.js";

function settings(environment: Readonly<Record<string, string>>) {
  return readSettings(KAFKA_SETTINGS, { flags: {}, environment, file: {} }).settings;
}

const LOGIN = {
  KAFKA_SASL_MECHANISM: "SCRAM-SHA-512",
  KAFKA_SASL_USERNAME: "bob",
  KAFKA_SASL_PASSWORD: "x y ",
};
const SASL = { mechanism: "scram-sha-512", username: "bob", password: "x y " };

describe("kafkaSecurity", () => {
  it("follows the security protocol", () => {
    const of = (protocol: string) => kafkaSecurity(settings({ ...LOGIN, KAFKA_SECURITY_PROTOCOL: protocol }));
    assert.deepEqual(of("PLAINTEXT"), {});
    assert.deepEqual(of("SSL"), { ssl: true });
    assert.deepEqual(of("SASL_PLAINTEXT"), { sasl: SASL });
    assert.deepEqual(of("SASL_SSL"), { ssl: true, sasl: SASL });
  });

  it("trusts the authorities of the file, when there is one", () => {
    const tls = { ...settings({ KAFKA_SECURITY_PROTOCOL: "SSL" }), kafka_ssl_ca_file: "PEM" };
    assert.deepEqual(kafkaSecurity(tls), { ssl: { ca: ["PEM"] } });
  });

  it("is the same for the producers", () => {
    const { kafka, topics } = producerOptions(settings({ ...LOGIN, KAFKA_SECURITY_PROTOCOL: "SASL_SSL" }));
    assert.deepEqual(kafka.sasl, SASL);
    assert.equal(kafka.ssl, true);
    assert.deepEqual(kafka.brokers, ["127.0.0.1:9092"]);
    assert.deepEqual(topics, { orders: "stream_order_producer", payments: "stream_payment_producer" });
  });
});
