import { AssertionError } from "node:assert";
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import {
  classifyFailure,
  isProgrammersError,
  UnreadableAnswerError,
} from "../../../../../connectors/kafka/client/kafka_errors.js";
import { errorClasses } from "../../../../fixtures/error_classes.js";

const kafkajs = createRequire(import.meta.url)("kafkajs");

/** Every class that kafkajs exports: one that is new has to be decided upon here. */
const DECIDED: Readonly<Record<string, string>> = {
  KafkaJSError: "connection",
  KafkaJSNonRetriableError: "connection",
  KafkaJSPartialMessageError: "connection",
  KafkaJSBrokerNotFound: "connection",
  KafkaJSProtocolError: "protocol",
  KafkaJSConnectionError: "connection",
  KafkaJSConnectionClosedError: "connection",
  KafkaJSRequestTimeoutError: "connection",
  KafkaJSSASLAuthenticationError: "authentication",
  KafkaJSNumberOfRetriesExceeded: "protocol",
  KafkaJSOffsetOutOfRange: "protocol",
  KafkaJSMemberIdRequired: "protocol",
  KafkaJSGroupCoordinatorNotFound: "connection",
  KafkaJSNotImplemented: "connection",
  KafkaJSMetadataNotLoaded: "connection",
  KafkaJSTopicMetadataNotLoaded: "connection",
  KafkaJSStaleTopicMetadataAssignment: "connection",
  KafkaJSDeleteGroupsError: "connection",
  KafkaJSTimeout: "connection",
  KafkaJSLockTimeout: "connection",
  KafkaJSServerDoesNotSupportApiKey: "connection",
  KafkaJSUnsupportedMagicByteInMessageSet: "connection",
  KafkaJSDeleteTopicRecordsError: "connection",
  KafkaJSInvariantViolation: "connection",
  KafkaJSInvalidVarIntError: "connection",
  KafkaJSInvalidLongError: "connection",
  KafkaJSCreateTopicError: "protocol",
  KafkaJSAggregateError: "connection",
  KafkaJSFetcherRebalanceError: "connection",
  KafkaJSNoBrokerAvailableError: "connection",
  KafkaJSAlterPartitionReassignmentsError: "protocol",
};

/** As the protocol's errors come, and what the other classes ask for. */
function answered(message: string): Error {
  const error = { type: "NOT_LEADER_FOR_PARTITION", code: 6, retriable: true, partitions: [] };
  return Object.assign(new Error(message), error);
}

describe("classifyFailure", () => {
  it("knows every class of error that kafkajs exports", () => {
    const classes = errorClasses(kafkajs);
    assert.deepEqual(Object.keys(classes).sort(), Object.keys(DECIDED).sort());
    for (const [name, KafkaJsError] of Object.entries(classes)) {
      const error = new KafkaJsError(answered("m"), {});
      assert.equal(classifyFailure(error).kind, DECIDED[name], name);
      if (DECIDED[name] === "connection") assert.ok(!isProgrammersError(error), name);
    }
  });

  it("takes whatever it does not know for an outage, and a bug for none", () => {
    const outages = [
      new Error("connection given up"),
      Object.assign(new Error("unheard of"), { code: "EWHATEVER" }),
      new AggregateError([new Error("refused")], "all failed"),
      Object.assign(new Error("state"), { type: "ILLEGAL_SASL_STATE" }),
      new UnreadableAnswerError(new TypeError("Cannot read properties of undefined")),
    ];
    for (const error of outages) assert.equal(classifyFailure(error).kind, "connection", String(error));
    const bugs = [
      new TypeError("x is not a function"),
      new ReferenceError("x"),
      new SyntaxError("x"),
      new RangeError("x"),
      new AssertionError({ message: "x" }),
      "text",
      undefined,
    ];
    for (const bug of bugs) assert.equal(classifyFailure(bug).kind, "programmer", String(bug));
  });

  it("believes a refusal of the login only from the broker", () => {
    const { KafkaJSSASLAuthenticationError } = kafkajs;
    assert.equal(classifyFailure(new KafkaJSSASLAuthenticationError("wrong")).kind, "authentication");
    for (const type of ["SASL_AUTHENTICATION_FAILED", "UNSUPPORTED_SASL_MECHANISM"]) {
      assert.equal(classifyFailure(Object.assign(new Error("no"), { type })).kind, "authentication");
    }
  });
});
