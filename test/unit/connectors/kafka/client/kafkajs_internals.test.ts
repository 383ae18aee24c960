import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { classifyFailure } from "../../../../../connectors/kafka/client/kafka_errors.js";
import {
  createKafkaJsLogger,
  errorName,
  metadataCallV6,
  withOutagesApart,
} from "../../../../../connectors/kafka/client/kafkajs_internals.js";

const require = createRequire(import.meta.url);
const RequestQueue = require("kafkajs/src/network/requestQueue");
const Connection = require("kafkajs/src/network/connection");
const Long = require("kafkajs/src/utils/long");
const errors = require("kafkajs/src/errors");
const { createErrorFromCode } = require("kafkajs/src/protocol/error");

describe("kafkajs internals", () => {
  it("has the version that they were written for", () => {
    assert.equal(require("kafkajs/package.json").version, "2.2.4");
  });

  it("sets no timer for a request queue in which nothing waits", () => {
    const logger = createKafkaJsLogger(() => {});
    const queue = new RequestQueue({
      maxInFlightRequests: 1,
      requestTimeout: 1_000,
      clientId: "c",
      broker: "b",
      logger,
    });
    queue.checkPendingRequests();
    assert.equal(queue.throttleCheckTimeoutId, null);
    queue.pending.push({});
    queue.throttledUntil = Date.now() + 60_000;
    queue.checkPendingRequests();
    assert.notEqual(queue.throttleCheckTimeoutId, null);
    queue.destroy();
  });

  it("hands warnings of kafkajs to the logger it was given", () => {
    const written: unknown[] = [];
    const logger: any = createKafkaJsLogger((message, fields) => written.push([message, fields]));
    logger.namespace("Connection").error("refused", { broker: "b:1" });
    logger.namespace("Connection").debug("chatter");
    assert.deepEqual(written, [["refused", { namespace: "Connection", label: "ERROR" }]]);
  });

  it("tells outages, refused logins and answers apart", () => {
    assert.deepEqual(classifyFailure(new errors.KafkaJSConnectionError("x", { code: "ECONNREFUSED" })), {
      kind: "connection",
      code: "ECONNREFUSED",
    });
    assert.equal(classifyFailure(new errors.KafkaJSRequestTimeoutError("x")).kind, "connection");
    assert.equal(classifyFailure(new errors.KafkaJSSASLAuthenticationError("x")).kind, "authentication");
    assert.deepEqual(classifyFailure(createErrorFromCode(15)), {
      kind: "protocol",
      type: "GROUP_COORDINATOR_NOT_AVAILABLE",
      retriable: true,
    });
  });

  it("believes a refused login only where the broker has refused it", async () => {
    const logger = createKafkaJsLogger(() => {});
    const login = (mechanism: string, failure: Error) => {
      const { authenticationProvider } = withOutagesApart({ mechanism, ...{ username: "u", password: "p" } });
      const saslAuthenticate = () => Promise.reject(failure);
      return authenticationProvider!({
        host: "h",
        port: 1,
        logger,
        saslAuthenticate,
      } as never).authenticate();
    };
    const closed = new errors.KafkaJSConnectionClosedError("Closed connection", { host: "h", port: 1 });
    for (const mechanism of ["PLAIN", "scram-sha-256", "SCRAM-SHA-512"]) {
      await assert.rejects(login(mechanism, closed), closed);
      await assert.rejects(login(mechanism, createErrorFromCode(58)), {
        name: "KafkaJSSASLAuthenticationError",
      });
    }
    assert.deepEqual(withOutagesApart({ mechanism: "OAUTHBEARER" }), { mechanism: "OAUTHBEARER" });
  });

  it("logs in again when most of a session is over, however short it is", () => {
    const connection = new Connection({ host: "h", port: 1, logger: createKafkaJsLogger(() => {}) });
    const authenticated = (agoMs: number, lifetimeMs: number): boolean => {
      const ns = process.hrtime.bigint() - BigInt(agoMs) * 1_000_000n;
      connection.authenticatedAt = [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)];
      connection.sessionLifetime = Long.fromValue(lifetimeMs);
      return connection.isAuthenticated();
    };
    assert.equal(connection.isAuthenticated(), false);
    assert.equal(authenticated(3_000, 5_000), true);
    assert.equal(authenticated(4_100, 5_000), false);
    assert.equal(authenticated(45 * 60_000, 3_600_000), true);
    assert.equal(authenticated(49 * 60_000, 3_600_000), false);
    assert.equal(authenticated(86_400_000, 0), true);
  });

  it("names error codes", () => {
    assert.equal(errorName(74), "FENCED_LEADER_EPOCH");
    assert.equal(errorName(9_999), "error code 9999");
  });

  it("asks for no topic with an empty list, which is not the null list that means all", async () => {
    const bytes = (await metadataCallV6([]).request.encode()).buffer;
    assert.deepEqual([...bytes], [0, 0, 0, 0, 0]);
  });
});
