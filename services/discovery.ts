/**
 * Finds out what answers at an address. An open port proves nothing: Kafka must answer a metadata request, MongoDB the
 * handshake. Each probe resolves when the service is ready for use and rejects with the reason otherwise.
 */

import { connect, createServer } from "node:net";
import { sleep } from "@order-payment-stream/beam/io";
import { Kafka, logLevel } from "kafkajs";
import { MongoClient } from "mongodb";

/** True when something accepts TCP connections there. */
export function isListening(port: number, host = "127.0.0.1", timeoutMs = 1_000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const finish = (listening: boolean) => {
      socket.destroy();
      resolve(listening);
    };
    socket.setTimeout(timeoutMs, () => finish(false));
    socket.once("connect", () => finish(true));
    socket.once("error", () => finish(false));
  });
}

/** A port of 127.0.0.1 that is free now; somebody else may take it before it is used. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** `bootstrap` as host:port[,host:port…], without TLS or SASL. */
export async function probeKafka(bootstrap: string, timeoutMs: number): Promise<void> {
  const kafka = new Kafka({
    brokers: bootstrap.split(",").map((broker) => broker.trim()),
    logLevel: logLevel.NOTHING,
    connectionTimeout: timeoutMs,
    requestTimeout: timeoutMs,
    retry: { retries: 0 },
  });
  const admin = kafka.admin();
  const answer = admin.connect().then(async () => {
    const { brokers } = await admin.describeCluster();
    if (brokers.length === 0) throw new Error("no broker is registered yet");
  });
  try {
    await within(timeoutMs, answer);
  } finally {
    await admin.disconnect().catch(() => {});
  }
}

export async function probeMongodb(uri: string, timeoutMs: number): Promise<void> {
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: timeoutMs, connectTimeoutMS: timeoutMs });
  try {
    await within(timeoutMs + 500, client.db("admin").command({ ping: 1 }));
  } finally {
    await client.close().catch(() => {});
  }
}

async function within<T>(timeoutMs: number, answer: Promise<T>): Promise<T> {
  const abort = new AbortController();
  answer.catch(() => {});
  const late = sleep(timeoutMs, { signal: abort.signal }).then(() => {
    throw new Error(`no answer within ${timeoutMs} ms`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([answer, late]);
  } finally {
    abort.abort();
  }
}
