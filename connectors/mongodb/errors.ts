/**
 * What a failed MongoDB operation means: an outage (wait and retry), a wrong setting (stop) or a bad document
 * (dead letter). The driver does not say so itself: a bulk insert wraps every failure, a lost connection too, in
 * a MongoBulkWriteError, so always judge by `classifyMongoError` and never by the class of what was caught.
 */
import { AssertionError } from "node:assert";
import { maskSecrets } from "@order-payment-stream/beam/io";
import {
  BSON,
  MongoAPIError,
  MongoBulkWriteError,
  type MongoClient,
  MongoCompatibilityError,
  MongoCryptInvalidArgumentError,
  MongoError,
  MongoInvalidArgumentError,
  MongoMissingCredentialsError,
  MongoMissingDependencyError,
  MongoParseError,
  MongoServerClosedError,
  MongoServerError,
} from "mongodb";

/** An outage: the server cannot be reached or cannot write now, and the bound on waiting was reached. */
export class MongoUnavailableError extends Error {
  override readonly name = "MongoUnavailableError";
}

/** A wrong setting: waiting cannot help. Bad URI, wrong password, missing privilege, impossible index, … */
export class MongoConfigurationError extends Error {
  override readonly name = "MongoConfigurationError";
}

/**
 * - `transient`: an outage; the same operation may succeed later.
 * - `configuration`: no operation can succeed before somebody changes a setting.
 * - `data`: the document itself is refused, and would be for ever.
 * - `programmer`: a bug of the caller, for example a client that is closed; rethrow as it is.
 */
export type MongoFailure = "transient" | "configuration" | "data" | "programmer";

/** Server error code of a `_id` or another unique key that is already there. */
export const DUPLICATE_KEY = 11000;

/** Server error code of a document above the size limit; also given to documents refused before sending. */
export const DOCUMENT_TOO_LARGE = 10334;

// Numbers are stable, names are from mongo/src/mongo/base/error_codes.yml.
const TRANSIENT_CODES: ReadonlySet<number> = new Set([
  6, // HostUnreachable
  7, // HostNotFound
  24, // LockTimeout
  43, // CursorNotFound
  46, // LockBusy
  50, // MaxTimeMSExpired
  63, // StaleShardVersion
  64, // WriteConcernTimeout
  70, // ShardNotFound
  74, // NodeNotFound
  82, // NotYetInitialized
  89, // NetworkTimeout
  91, // ShutdownInProgress
  109, // ConfigurationInProgress
  112, // WriteConflict
  117, // ConflictingOperationInProgress
  133, // FailedToSatisfyReadPreference
  134, // ReadConcernMajorityNotAvailableYet
  146, // ExceededMemoryLimit
  150, // StaleEpoch
  189, // PrimarySteppedDown
  202, // NetworkInterfaceExceededTimeLimit
  208, // TooManyLocks
  225, // TransactionTooOld
  246, // SnapshotUnavailable
  250, // StaleDbVersion
  251, // NoSuchTransaction
  262, // ExceededTimeLimit
  276, // IndexBuildAborted
  279, // ClientDisconnect
  290, // TransactionExceededLifetimeLimitSeconds
  314, // ObjectIsBusy
  317, // ConnectionPoolExpired
  325, // TenantMigrationCommitted
  384, // ConnectionError
  391, // ReauthenticationRequired
  402, // ResourceExhausted
  462, // IngressRequestRateLimitExceeded
  9001, // SocketException
  10058, // LegacyNotPrimary
  10107, // NotWritablePrimary
  11600, // InterruptedAtShutdown
  11601, // Interrupted
  11602, // InterruptedDueToReplStateChange
  13388, // StaleConfig
  13435, // NotPrimaryNoSecondaryOk
  13436, // NotPrimaryOrSecondary
  14031, // OutOfDiskSpace
  16500, // TooManyRequests, as Azure Cosmos DB answers above its rate
]);

const CONFIGURATION_CODES: ReadonlySet<number> = new Set([
  11, // UserNotFound
  13, // Unauthorized
  18, // AuthenticationFailed
  20, // IllegalOperation
  31, // RoleNotFound
  33, // AuthSchemaIncompatible
  48, // NamespaceExists
  61, // ShardKeyNotFound
  59, // CommandNotFound
  67, // CannotCreateIndex
  72, // InvalidOptions
  73, // InvalidNamespace
  79, // UnknownReplWriteConcern
  85, // IndexOptionsConflict
  86, // IndexKeySpecsConflict
  93, // InvalidReplicaSetConfig
  100, // UnsatisfiableWriteConcern
  115, // CommandNotSupported
  166, // CommandNotSupportedOnView
  197, // InvalidIndexSpecificationOption
  238, // NotImplemented
  303, // FeatureNotSupported
  322, // APIVersionError
  323, // APIStrictError
  324, // APIDeprecationError
  334, // MechanismUnavailable
  8000, // AtlasError, as Atlas answers a wrong password
  13297, // DatabaseDifferCase
]);

const DATA_CODES: ReadonlySet<number> = new Set([
  2, // BadValue
  9, // FailedToParse
  14, // TypeMismatch
  15, // Overflow
  16, // InvalidLength
  22, // InvalidBSON
  52, // DollarPrefixedFieldName
  53, // InvalidIdField
  56, // EmptyFieldName
  57, // DottedFieldName
  121, // DocumentValidationFailure
  171, // CannotIndexParallelArrays
  DOCUMENT_TOO_LARGE,
  DUPLICATE_KEY,
  17280, // KeyTooLong
  17419, // ResultingDocumentTooLarge
  17420, // DocumentAboveMaxSize
]);

/** Labels by which the server or the driver says that the same operation may succeed later. */
const TRANSIENT_LABELS: readonly string[] = [
  "RetryableWriteError",
  "RetryableError",
  "TransientTransactionError",
  "PoolRequestedRetry",
  "SystemOverloadedError",
];

// An error that is of none of these, nor of a class derived from one, is an outage: what the driver throws is about
// input and output unless it is known to be something else. A test asks this of every class that the driver exports.
const CONFIGURATION_CLASSES: readonly ErrorClass[] = [
  MongoParseError,
  MongoMissingCredentialsError,
  MongoMissingDependencyError,
  MongoCompatibilityError,
  MongoCryptInvalidArgumentError,
];

/** BSON cannot write the document: a null byte in a key, nesting too deep, above the size the server announced, … */
const DATA_CLASSES: readonly ErrorClass[] = [BSON.BSONError, RangeError, MongoInvalidArgumentError];

/** The driver is used as it must not be, as after `close`; or this is a bug of JavaScript's own kind. */
const PROGRAMMER_CLASSES: readonly ErrorClass[] = [
  MongoAPIError,
  TypeError,
  ReferenceError,
  SyntaxError,
  EvalError,
  AssertionError,
];

/** Derived from MongoAPIError, but a server that left the topology is an outage. */
const TRANSIENT_CLASSES: readonly ErrorClass[] = [MongoServerClosedError];

type ErrorClass = abstract new (...args: never[]) => Error;

function isOneOf(error: Error, classes: readonly ErrorClass[]): boolean {
  return classes.some((known) => error instanceof known);
}

/**
 * The failure of one document that the server answered with `code`. An unknown code is taken for bad data: the
 * server did read the document and refused it while it took others, and a dead letter loses nothing.
 */
export function classifyWriteError(code: number | undefined): MongoFailure {
  if (code === undefined) return "data";
  if (TRANSIENT_CODES.has(code)) return "transient";
  return CONFIGURATION_CODES.has(code) ? "configuration" : "data";
}

/**
 * The failure of a whole operation. An unknown server code or error is taken for an outage, because its cause is not
 * known to be in the documents; the bound on retrying ends it.
 */
export function classifyMongoError(error: unknown): MongoFailure {
  const cause = unwrapBulkError(error);
  if (!(cause instanceof Error)) return "programmer";
  if (cause instanceof MongoError && TRANSIENT_LABELS.some((label) => cause.hasErrorLabel(label))) {
    return "transient";
  }
  const code = numericCode(cause);
  if (code !== undefined) {
    if (CONFIGURATION_CODES.has(code)) return "configuration";
    return DATA_CODES.has(code) ? "data" : "transient";
  }
  if (isOneOf(cause, CONFIGURATION_CLASSES)) return "configuration";
  if (isOneOf(cause, DATA_CLASSES)) return "data";
  if (isOneOf(cause, TRANSIENT_CLASSES)) return "transient";
  return isOneOf(cause, PROGRAMMER_CLASSES) ? "programmer" : "transient";
}

/** The error inside a bulk write's wrapper, or the error itself. */
export function unwrapBulkError(error: unknown): unknown {
  if (error instanceof MongoBulkWriteError) {
    const inner: unknown = error.errorResponse;
    if (inner instanceof Error) return inner;
  }
  return error;
}

/** The server's error code, or undefined for an error that arose on this side. */
export function numericCode(error: unknown): number | undefined {
  if (!(error instanceof MongoServerError)) return undefined;
  return typeof error.code === "number" ? error.code : undefined;
}

/** The hosts that a client talks to, for messages: "127.0.0.1:27017". Never has credentials. */
export function serverName(client: MongoClient): string {
  const { hosts, srvHost } = client.options;
  if (hosts.length === 0 && srvHost !== undefined) return srvHost;
  return hosts.map(String).join(",");
}

/** An error's message, on one line, without secrets. */
export function describeError(error: unknown): string {
  const cause = unwrapBulkError(error);
  const message = cause instanceof Error ? cause.message || cause.name : String(cause);
  return maskSecrets(message).replace(/\s+/g, " ").trim();
}
