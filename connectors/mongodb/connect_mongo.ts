/** Opening a client, with errors that a person can act on. */

import { after, isPlainAddress, maskAddress, rememberSecretsOf } from "@order-payment-stream/beam/io";
import { MongoClient } from "mongodb";
import {
  classifyMongoError,
  describeError,
  MongoConfigurationError,
  MongoUnavailableError,
  serverName,
} from "./errors.js";
import { otherProtocolOf } from "./tls_probe.js";

/** How a client is opened. */
export interface ConnectOptions {
  /** Bound on the whole call, ms. It also stays the client's bound on finding a server. Default 5,000. */
  readonly timeoutMs?: number;
  /** How the server's log and currentOp name this client. */
  readonly appName?: string;
}

/**
 * A connected client whose server has answered a ping. Throws MongoConfigurationError for a URI that cannot be
 * read or credentials that are refused, MongoUnavailableError when no server answers in time. Messages name the
 * hosts and never a password.
 */
export async function connectMongo(uri: string, options: ConnectOptions = {}): Promise<MongoClient> {
  const timeoutMs = options.timeoutMs ?? 5_000;
  let client: MongoClient;
  rememberSecretsOf(uri);
  try {
    client = new MongoClient(uri, {
      serverSelectionTimeoutMS: timeoutMs,
      connectTimeoutMS: timeoutMs,
      ...(options.appName === undefined ? {} : { appName: options.appName }),
    });
  } catch (error) {
    // What the driver says of such a URI may quote a part of a password.
    const why = isPlainAddress(uri) ? `: ${describeError(error)}` : "";
    throw new MongoConfigurationError(
      `${JSON.stringify(maskAddress(uri))} is not a MongoDB URI (mongodb://host:port or mongodb+srv://host)${why}`,
    );
  }
  const server = serverName(client);
  try {
    await within(timeoutMs, ping(client));
    return client;
  } catch (error) {
    // Not awaited: closing may wait for the same silent host.
    client.close().catch(() => undefined);
    const unavailable = `no MongoDB answers at ${server} within ${timeoutMs / 1000} s`;
    const explained = startError(error, `MongoDB at ${server} refuses the connection`, unavailable);
    const hint =
      explained instanceof MongoUnavailableError ? await otherProtocolOf(client.options) : undefined;
    throw hint === undefined ? explained : new MongoConfigurationError(`MongoDB at ${server}: ${hint}`);
  }
}

async function ping(client: MongoClient): Promise<void> {
  await client.connect();
  await client.db("admin").command({ ping: 1 });
}

/** Server selection has its own bound, but looking up a mongodb+srv name and a ping's answer have none. */
async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  let cancel: (() => void) | undefined;
  // Server selection, which knows more about the cause, is to report first.
  const late = new Promise<never>((_, reject) => {
    cancel = after(timeoutMs + 250, () => reject(new MongoUnavailableError("no answer")));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel?.();
  }
}

export function startError(error: unknown, refused: string, unavailable: string): Error {
  if (error instanceof MongoUnavailableError)
    return new MongoUnavailableError(`${unavailable}: ${error.message}`);
  switch (classifyMongoError(error)) {
    case "transient":
      return new MongoUnavailableError(`${unavailable}: ${describeError(error)}`, { cause: error });
    case "configuration":
    case "data":
      return new MongoConfigurationError(`${refused}: ${describeError(error)}`, { cause: error });
    case "programmer":
      return error instanceof Error ? error : new Error(String(error));
  }
}
