/**
 * MongoDB connections by name. A graph holds only the name: addresses and passwords stay with the process that writes,
 * which registers them when it starts. All sinks of a name share one client.
 */
import type { MongoClient } from "mongodb";
import { connectMongo, type MongoWriterOptions } from "./writer.js";

export type SharedWriterOptions = Omit<MongoWriterOptions, "collection">;

export interface MongoConnection {
  readonly client: MongoClient;
  readonly writerOptions: SharedWriterOptions;
}

interface Registration {
  readonly connect: () => Promise<MongoClient>;
  readonly writerOptions: SharedWriterOptions;
}

const registrations = new Map<string, Registration>();
const open = new Map<string, { connection: Promise<MongoConnection>; users: number }>();

export function registerMongoConnection(
  name: string,
  uri: string,
  writerOptions: SharedWriterOptions = {},
): void {
  registrations.set(name, { connect: () => connectMongo(uri), writerOptions });
}

/** Shares the connection with this name until `releaseMongo`; connects if nobody has it. */
export async function acquireMongo(name: string): Promise<MongoConnection> {
  let entry = open.get(name);
  if (entry === undefined) {
    const registration = registrations.get(name);
    if (registration === undefined) throw new Error(`no MongoDB connection is registered under ${name}`);
    const { connect, writerOptions } = registration;
    entry = { connection: connect().then((client) => ({ client, writerOptions })), users: 0 };
    open.set(name, entry);
  }
  entry.users++;
  try {
    return await entry.connection;
  } catch (error) {
    open.delete(name);
    throw error;
  }
}

/** The last user closes it. */
export async function releaseMongo(name: string): Promise<void> {
  const entry = open.get(name);
  if (entry === undefined || --entry.users > 0) return;
  open.delete(name);
  await (await entry.connection).client.close();
}
