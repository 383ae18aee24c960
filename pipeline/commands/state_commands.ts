/** `state inspect` and `state export`: what a state directory holds. Nothing is changed, so a process may use it meanwhile. */

import { existsSync } from "node:fs";
import {
  ByteReader,
  type Changelog,
  formatTimestamp,
  readChangelog,
  readInstant,
} from "@order-payment-stream/beam";
import {
  COUNTERS_TABLE,
  committedRestrictions,
  committedWatermarks,
  EARLIER_COUNTERS_TABLE,
  IDENTITY_TABLE,
  readState,
  readWatermarks,
  recordedIdentity,
  type StateReading,
  StoredCellReader,
  UnusableDirectoryError,
  WATERMARKS_TABLE,
} from "@order-payment-stream/beam/direct";

import { readKeptPosition } from "@order-payment-stream/kafka";
import { waitingLog } from "../../transforms/waiting.js";
import { print } from "../report/standard_output.js";
import { formatCount } from "../report/summary.js";
import { recordedSettings, SETTINGS_TABLE } from "../settings/kept_settings.js";
import type { RunSettings } from "../settings/options.js";
import { CommandError } from "./command.js";
import { wrongStateDir } from "./state.js";

export type StateCommand = "inspect" | "export";

/** Changelog cells that this program knows, by the name of the cell. */
const CELL_LOGS: ReadonlyMap<string, Changelog<unknown, any>> = new Map([["waiting", waitingLog]]);

/** Tables whose keys are names. */
const TEXT_KEYS: ReadonlySet<string> = new Set([COUNTERS_TABLE, EARLIER_COUNTERS_TABLE, SETTINGS_TABLE]);

/** Resolves with the exit code. */
export async function state(
  { state_dir: path }: Pick<RunSettings, "state_dir">,
  what: StateCommand,
): Promise<number> {
  if (path === undefined)
    throw new CommandError("STATE_DIR (--state_dir) is not set: expected the directory of the state");
  const store = existsSync(path) ? await readExisting(path) : undefined;
  if (store === undefined) throw new CommandError(`${path} holds no state`);
  if (what === "inspect") await inspect(store);
  else for (const line of exported(store)) await print(line);
  return 0;
}

/** Undefined for an empty directory, which stays empty. */
async function readExisting(path: string): Promise<StateReading | undefined> {
  try {
    return await readState(path);
  } catch (error) {
    throw error instanceof UnusableDirectoryError ? wrongStateDir(error) : error;
  }
}

async function inspect(store: StateReading): Promise<void> {
  const { recovered } = store;
  await print(`commit ${formatCount(recovered.commit)}`);
  await print(`${megabytes(recovered.snapshotBytes)} snapshot, ${megabytes(recovered.logBytes)} log`);
  await print(`${megabytes(store.reservedBytes)} in memory`);
  for (const line of whatItHolds(store)) await print(line);
  for (const [name, size] of [...store.sizes()].sort()) {
    await print(`${formatCount(size).padStart(14)}  ${name}`);
  }
  for (const [stage, { input, output }] of [...committedWatermarks(store)].sort()) {
    const [before, behind] = [formatTimestamp(input), formatTimestamp(output)];
    await print(`${stage}: input watermark ${before}, output watermark ${behind}`);
  }
  for (const [name, is] of Object.entries(recordedIdentity(store) ?? {})) await print(`${name}: ${is}`);
}

/** What somebody asks first: what waits, since when, how far the topics are read, and by which rule. */
export function whatItHolds(store: StateReading): string[] {
  const recorded = recordedSettings(store);
  const timeouts: readonly [string, string | undefined, string][] = [
    ["T, STATE_TIMEOUT_MINUTES", recorded.get("state_timeout_minutes"), " min"],
    ["D, MAX_OUT_OF_ORDERNESS", recorded.get("max_out_of_orderness"), ""],
  ];
  const lines = timeouts.flatMap(([name, value, unit]) =>
    value === undefined ? [] : [`${name}: ${value}${unit}`],
  );
  const { orders, payments, unpaired, oldestMs } = waitingEvents(store);
  lines.push(
    `${formatCount(orders)} orders and ${formatCount(payments)} payments in state, ${formatCount(unpaired)} of them pending`,
  );
  if (oldestMs !== undefined) lines.push(`the oldest of them was created ${formatTimestamp(oldestMs)}`);
  const positions = committedRestrictions(store)
    .filter(({ stage }) => stage.includes("/ReadPartitions/"))
    .map(({ watermark, bytes }) => ({ watermark, ...readKeptPosition(bytes) }));
  positions.sort((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition);
  for (const { topic, partition, position, watermark } of positions) {
    lines.push(`${topic}[${partition}]: next offset ${position}, event time ${formatTimestamp(watermark)}`);
  }
  return lines;
}

function waitingEvents(store: StateReading) {
  let [orders, payments, unpaired] = [0, 0, 0];
  let oldestMs: number | undefined;
  StoredCellReader.find(store, "waiting")?.forEach(({ value }) => {
    if (value.remaining === 0) return;
    const waiting = readChangelog(waitingLog, value).value;
    orders += waiting.orders.size;
    payments += waiting.payments.size;
    for (const events of [waiting.orders, waiting.payments]) {
      for (const { event, isPaired } of events) {
        if (!isPaired) unpaired++;
        oldestMs = Math.min(oldestMs ?? event.created_at, event.created_at);
      }
    }
  });
  return { orders, payments, unpaired, oldestMs };
}

/** A record a line, as JSON. Keys are the encoded key, as text; values that nobody here can read are in Base64. */
export function* exported(store: StateReading): Generator<string> {
  const [key, value] = [new ByteReader(), new ByteReader()];
  for (const name of [...store.names()].sort()) {
    if (name === IDENTITY_TABLE) continue;
    const cell = StoredCellReader.ofTable(store, name);
    if (cell !== undefined) {
      yield* exportedCell(cell);
      continue;
    }
    const table = store.table(name);
    const addresses: number[] = [];
    table.forEach((address) => void addresses.push(address));
    for (const address of addresses) {
      table.readKey(address, key);
      table.readValue(address, value);
      yield JSON.stringify({ table: name, key: keyText(name, key), ...readableValue(name, value) });
    }
  }
}

function exportedCell(cell: StoredCellReader): string[] {
  const log = CELL_LOGS.get(cell.cell);
  const lines: string[] = [];
  cell.forEach(({ key, value, timers }) => {
    const firesAt = Math.min(...timers.map(({ fireAt }) => fireAt));
    const isKnown = log !== undefined && value.remaining > 0;
    lines.push(
      JSON.stringify({
        table: cell.name,
        key: keyText(cell.name, key),
        ...(timers.length === 0 ? {} : { fires_at: formatTimestamp(firesAt) }),
        ...(isKnown ? { value: withIsoTimes(readChangelog(log, value).value) } : { base64: base64Of(value) }),
      }),
    );
  });
  return lines;
}

function keyText(table: string, key: ByteReader): string {
  if (TEXT_KEYS.has(table)) return key.readUtf8(key.remaining);
  try {
    // The global window encodes to nothing, so what a key of the join is stands alone.
    return key.readString();
  } catch {
    return key.buffer.toString("base64", key.position, key.limit);
  }
}

function readableValue(table: string, value: ByteReader): Record<string, unknown> {
  const kind = table.slice(0, table.indexOf("/"));
  if (kind === "timers") return { fires_at: formatTimestamp(readInstant(value)) };
  if (table === SETTINGS_TABLE) return { value: value.readUtf8(value.remaining) };
  if (TEXT_KEYS.has(table)) return { value: value.readDouble() };
  if (table === WATERMARKS_TABLE) {
    const { input, output } = readWatermarks(value);
    return { input: formatTimestamp(input), output: formatTimestamp(output) };
  }
  return { base64: base64Of(value) };
}

function base64Of({ buffer, position, limit }: ByteReader): string {
  return buffer.toString("base64", position, limit);
}

/** Times of events as people read them. */
function withIsoTimes(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (name, inner) => {
    const isTime = typeof inner === "number" && (name === "created_at" || name.endsWith("_date"));
    return isTime ? formatTimestamp(inner) : inner;
  });
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
