/** How the text of a setting becomes a value. Each schema fails on wrong text; the setting says what is expected. */
import { X509Certificate } from "node:crypto";
import { isCheckpointId } from "@order-payment-stream/beam/direct";
import { isPlainAddress, systemClock } from "@order-payment-stream/beam/io";
import { parseGcsPath } from "@order-payment-stream/gcs";
import { describeError } from "@order-payment-stream/mongodb";
import { MongoClient } from "mongodb";
import { z } from "zod";

import { COMPRESSIONS, whyNoCompression } from "../../producers/compression.js";
import { parseIsoTimestamp } from "../../schemas/iso_timestamp.js";
import { whyNoWriterSchema } from "../../schemas/writer_schemas.js";
import { readSmallFile } from "./read_small_file.js";

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  second: 1_000,
  seconds: 1_000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  minutes: 60_000,
  h: 3_600_000,
};
/** Longer than anybody means, and far below what would lose precision: 100 years. */
const DURATION_MAX_MS = 100 * 365 * 86_400_000;

/** A schema from a function that gives undefined for wrong text, or throws an error that says why (`whyNot`). */
export function parsed<T>(parse: (text: string) => T | undefined): z.ZodType<T, string> {
  return z.string().transform((text, context) => {
    try {
      const value = parse(text.trim());
      if (value !== undefined) return value;
      context.addIssue({ code: "custom" });
    } catch (error) {
      context.addIssue({ code: "custom", params: { why: describeError(error) } });
    }
    return z.NEVER;
  });
}

/** What a schema of this file has to say about text that it refused, beyond what the setting expects. */
export function whyNot({ issues: [issue] }: z.ZodError): string | undefined {
  return issue?.code === "custom" ? issue.params?.why : undefined;
}

export const text = parsed((value) => value || undefined);

/** A secret is taken as it is: blanks may belong to it. */
export const secret = z.string().min(1);

export function secretOf(lengthMin: number): z.ZodType<string, string> {
  return z.string().min(lengthMin);
}

export function oneOf<const T extends string>(...values: readonly [T, ...T[]]): z.ZodType<T, string> {
  return parsed((value) => values.find((known) => known.toLowerCase() === value.toLowerCase()));
}

export const yesOrNo = parsed((value) => {
  if (/^(true|yes|1|on)$/i.test(value)) return true;
  return /^(false|no|0|off)$/i.test(value) ? false : undefined;
});

export function wholeNumber(min: number, max: number): z.ZodType<number, string> {
  return parsed((value) => {
    const number = Number(value);
    return /^\d+$/.test(value) && number >= min && number <= max ? number : undefined;
  });
}

export function decimal(min: number, max: number): z.ZodType<number, string> {
  return parsed((value) => {
    const number = Number(value);
    return /^\d*\.?\d+$/.test(value) && number >= min && number <= max ? number : undefined;
  });
}

/** Text such as "30", "30s", "500ms", "15m", "1h" in ms; without a unit it is seconds. */
export function durationMs(minMs: number): z.ZodType<number, string> {
  return parsed((value) => parseDuration(value, minMs));
}

function parseDuration(value: string, minMs: number): number | undefined {
  const [, amount, unit = "s"] = /^(\d*\.?\d+)\s*([a-z]+)?$/i.exec(value) ?? [];
  const unitMs = UNITS_MS[unit.toLowerCase()];
  if (amount === undefined || unitMs === undefined) return undefined;
  const ms = Math.round(Number(amount) * unitMs);
  return ms >= minMs && ms <= DURATION_MAX_MS ? ms : undefined;
}

/** As `durationMs`; null for "off". */
export function durationOrOff(minMs: number): z.ZodType<number | null, string> {
  return parsed((value) => (value.toLowerCase() === "off" ? null : parseDuration(value, minMs)));
}

/** A number of minutes, fractions allowed, in ms; at least 1 ms. */
export const minutesMs = parsed((value) => {
  const ms = Math.round(Number(value) * 60_000);
  return /^\d*\.?\d+$/.test(value) && ms >= 1 && ms <= DURATION_MAX_MS ? ms : undefined;
});

/** A port, 0 for any that is free; null for "off". */
export const portOrOff: z.ZodType<number | null, string> = parsed((value) => {
  if (value.toLowerCase() === "off") return null;
  return /^\d{1,5}$/.test(value) && Number(value) <= 65_535 ? Number(value) : undefined;
});

const BYTES: Readonly<Record<string, number>> = { "": 1, k: 1 << 10, m: 1 << 20, g: 1 << 30 };

/** Text such as "500k", "16m", "16MiB" in bytes. */
export function bytesCount(min: number): z.ZodType<number, string> {
  return parsed((value) => {
    const [, amount, unit = ""] = /^(\d*\.?\d+)\s*([kmg]?)(?:i?b)?$/i.exec(value) ?? [];
    const bytes = Math.round(Number(amount) * BYTES[unit.toLowerCase()]!);
    return amount !== undefined && bytes >= min && bytes <= Number.MAX_SAFE_INTEGER ? bytes : undefined;
  });
}

/** A name or an address of a machine, without brackets. */
export const hostName = parsed((value) => (/^[\w.:-]+$/.test(value) ? value.toLowerCase() : undefined));

/** ISO-8601, or ms since the epoch, in ms. Without an offset it is UTC. */
export const timestampMs = parsed(parseTimestamp);

function parseTimestamp(value: string): number | undefined {
  return /^\d{10,15}$/.test(value) ? Number(value) : parseIsoTimestamp(value);
}

/** A time, or one that is as long ago as a duration says. */
export const timeOrAgo = parsed((value) => {
  const ms = parseDuration(value, 0);
  // Digits alone may be a time in milliseconds, too.
  return ms !== undefined && /[a-z]/i.test(value) ? systemClock.now() - ms : parseTimestamp(value);
});

/** With commas between them. */
export const words = parsed((value): readonly string[] | undefined => {
  const all = value.split(",").map((word) => word.trim());
  return all.includes("") ? undefined : all;
});

export const startPoint = parsed((value) => {
  const name = value.toLowerCase();
  if (name === "earliest" || name === "latest" || name === "group") return name;
  const ms = parseTimestamp(value);
  return ms === undefined ? undefined : { timestampMs: ms };
});

/** host:port of one or more brokers. */
export const brokers = parsed((value): readonly string[] | undefined => {
  const addresses = value.split(",").map((each) => each.trim());
  return addresses.every(isAddress) ? addresses : undefined;
});

/** Names or addresses of machines, in lower case. */
export const hosts = parsed((value): readonly string[] | undefined => {
  const names = value.split(",").map((each) => each.trim().toLowerCase());
  return names.every((name) => /^[\w.:-]+$/.test(name)) ? names : undefined;
});

/** host:port */
export const address = parsed((value) => (isAddress(value) ? value : undefined));

function isAddress(text: string): boolean {
  const [, port] = /^(?:\[[0-9a-f:.]+\]|[^\s:/@[\]]+):(\d{1,5})$/i.exec(text) ?? [];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}

/** Read by the driver itself, which connects to nothing here. */
export const mongoUri = parsed((value) => {
  // Before the driver, whose messages quote parts of what it cannot read.
  if (!isPlainAddress(value)) {
    throw new Error(
      "a user name, a password or an option holds a slash, ?, #, bracket or at sign that must be percent-encoded: %2F, %3F, %23, %5B, %5D or %40",
    );
  }
  new MongoClient(value);
  return value;
});

/** Passwords, and names of ways to log in that take their credentials from the machine. */
export function mayHoldSecret(uri: string): boolean {
  return uri.includes("@") || /password|authMechanism|token|secret|CertificateKeyFile/i.test(uri);
}

/** What MongoDB takes for a database. Source: mongodb.com/docs/manual/reference/limits, "Naming Restrictions". */
export const databaseName = parsed((value) => {
  if (/[/\\. "$*<>:|?\0]/.test(value))
    throw new Error('none of / \\ . " $ * < > : | ? and no blank may be in it');
  if (Buffer.byteLength(value) > 63) throw new Error("it is longer than 63 bytes");
  if (value === "local" || value === "config") throw new Error("it belongs to MongoDB itself");
  return value || undefined;
});

/** What MongoDB takes for a collection; a namespace, which is database.collection, has at most 255 bytes. */
export const collectionName = parsed((value) => {
  if (/[$\0]/.test(value)) throw new Error("it may not contain $");
  if (value.startsWith("system.")) throw new Error("system. belongs to MongoDB itself");
  if (/^\.|\.$|\.\./.test(value)) throw new Error("it may not begin or end with a dot, or have two in a row");
  if (Buffer.byteLength(value) > 190) throw new Error("it is longer than 190 bytes");
  return value || undefined;
});

/** gs://bucket/prefix. */
export const gcsPath = parsed(parseGcsPath);

/** http:// or https://, without a slash at the end. */
export const httpUrl = parsed((value) => {
  if (!/^https?:$/.test(new URL(value).protocol)) return undefined;
  return value.replace(/\/+$/, "");
});

/** As `httpUrl`, one or more, without a user in them. */
export const registryUrls = parsed((value): readonly string[] | undefined => {
  const urls = value.split(",").map((each) => each.trim().replace(/\/+$/, ""));
  const isPlain = (url: string): boolean => {
    const { protocol, username, password, search, hash } = new URL(url);
    if (username || password) throw new Error("the user and the password are settings of their own");
    return /^https?:$/.test(protocol) && search === "" && hash === "";
  };
  return urls.every(isPlain) ? urls : undefined;
});

/** The contents of files with Avro schemas that orders or payments can be read from. */
export const avroSchemaFiles = parsed((value): readonly string[] =>
  value.split(",").map((each) => {
    const path = each.trim();
    const schema = readSmallFile(path);
    const why = whyNoWriterSchema(schema);
    if (why !== undefined) throw new Error(`${path}: ${why}`);
    return schema;
  }),
);

/** http:// or https://, as it is written. */
export const tokenEndpoint = parsed((value) => {
  const { protocol, username, password, hash } = new URL(value);
  if (username || password) throw new Error("the client and its secret are settings of their own");
  return /^https?:$/.test(protocol) && hash === "" ? value : undefined;
});

/** Of a login by OAUTHBEARER, RFC 7628, section 3.1. */
export const saslExtensions = parsed((value): Readonly<Record<string, string>> | undefined => {
  const pairs = value.split(",").map((pair) => /^\s*([A-Za-z]+)=([\x20-\x7e]+)$/.exec(pair));
  const names = pairs.map((pair) => pair?.[1]);
  if (names.includes(undefined) || new Set(names).size < names.length) return undefined;
  if (names.includes("auth")) throw new Error("auth is where the token is");
  return Object.fromEntries(pairs.map((pair) => [pair![1], pair![2]!.trim()]));
});

/** Which checkpoint to restore. */
export const checkpoint = parsed((value) => {
  if (value.toLowerCase() === "latest") return "latest";
  return isCheckpointId(value) ? value : undefined;
});

/** What batches are compressed with, by a Node that can. */
export const compression = parsed((value) => {
  const known = COMPRESSIONS.find((name) => name === value.toLowerCase());
  const why = known && whyNoCompression(known);
  if (why !== undefined) throw new Error(why);
  return known;
});

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----.*?(?:-----END CERTIFICATE-----|$)/gs;

/** The content of a file with certificates in PEM, each of which can be read. */
export const pemFile = parsed((path) => {
  const content = readSmallFile(path);
  certificatesOf(content);
  return content;
});

/** As `pemFile`; the first certificate is valid now. */
export const clientCertificate = parsed((path) => {
  const content = readSmallFile(path);
  const { validFrom, validTo } = certificatesOf(content)[0]!;
  const now = systemClock.now();
  if (Date.parse(validTo) < now) throw new Error(`the certificate in the file has expired on ${validTo}`);
  if (Date.parse(validFrom) > now)
    throw new Error(`the certificate in the file is valid from ${validFrom} on`);
  return content;
});

/** The content of a file with a private key in PEM, which may be encrypted. */
export const privateKeyFile = parsed((path) => {
  const content = readSmallFile(path);
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(content)) throw new Error("the file holds no private key");
  return content;
});

function certificatesOf(content: string): X509Certificate[] {
  const certificates = content.match(PEM_CERTIFICATE) ?? [];
  if (certificates.length === 0) throw new Error("the file holds no certificate");
  return certificates.map((certificate, index) => {
    try {
      return new X509Certificate(certificate);
    } catch (error) {
      throw new Error(
        `certificate ${index + 1} of ${certificates.length} in the file is not valid: ${describeError(error)}`,
      );
    }
  });
}
