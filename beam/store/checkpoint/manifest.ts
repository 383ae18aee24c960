/**
 * The two JSON objects that make files a checkpoint: `<id>/manifest.json`, whose appearance publishes one, and
 * `latest.json`, which points to the newest. Fields that are not known are left alone, so that another version may add
 * some without a new format.
 */
import { DamagedCheckpointError, NewerCheckpointError } from "./checkpoint_errors.js";
import { isCheckpointId } from "./checkpoint_id.js";

/** Raised when an older version could not restore what this one writes. */
export const CHECKPOINT_FORMAT = 1;

export const LATEST = "latest.json";
const MANIFEST = "manifest.json";
const POINTER_ADVICE =
  "It only says which checkpoint is the latest: delete it, restore one by its id, and the next checkpoint writes it again";

/** Who wrote it. */
export interface Author {
  /** Of the state directory, for as long as it lives. */
  readonly directoryId: string;
  /** Of the process; a copy of a directory has the same directoryId. */
  readonly sessionId: string;
  /** For people. */
  readonly host: string;
}

export interface CheckpointFile {
  readonly name: string;
  readonly length: number;
  readonly crc32c: number;
}

/** What a checkpoint consists of: it exists once this is written. */
export interface Manifest {
  readonly id: string;
  readonly createdAtMs: number;
  readonly author: Author;
  /** The last commit that the files hold. */
  readonly commit: number;
  /** The store's own; see PinnedFiles. */
  readonly identity: unknown;
  readonly files: readonly CheckpointFile[];
}

export interface Pointer {
  /** A checkpoint's id. */
  readonly checkpoint: string;
  readonly author: Author;
  readonly movedAtMs: number;
}

export function manifestName(id: string): string {
  return `${id}/${MANIFEST}`;
}

/** The id of the checkpoint whose manifest this object is, or undefined. */
export function publishedBy(objectName: string): string | undefined {
  const id = checkpointOf(objectName);
  return id !== undefined && objectName === manifestName(id) ? id : undefined;
}

/** The id of the checkpoint that this object belongs to; undefined for what is not ours. */
export function checkpointOf(objectName: string): string | undefined {
  const [id, file, ...rest] = objectName.split("/");
  return id !== undefined && file && rest.length === 0 && isCheckpointId(id) ? id : undefined;
}

/** A file name that a checkpoint may hold: nothing that leads out of a directory, or is taken. */
export function isPlainName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name) && name !== MANIFEST;
}

export function encodeManifest(manifest: Manifest): Buffer {
  const { id, createdAtMs, author, commit, identity, files } = manifest;
  return encode({
    id,
    created_at: new Date(createdAtMs).toISOString(),
    author,
    commit,
    identity,
    files: files.map(({ name, length, crc32c }) => ({ name, length, crc32c: hexOf(crc32c) })),
  });
}

export function encodePointer({ checkpoint, author, movedAtMs }: Pointer): Buffer {
  return encode({ checkpoint, author, moved_at: new Date(movedAtMs).toISOString() });
}

/** @param path of the object store, for messages */
export function decodeManifest(bytes: Uint8Array, path: string, object: string): Manifest {
  const json = decode(bytes, path, object);
  const files = Array.isArray(json.files) ? json.files.map(fileOf) : [undefined];
  const createdAtMs = Date.parse(String(json.created_at));
  const { id, commit, identity } = json;
  const author = authorOf(json.author);
  if (
    !(
      typeof id === "string" &&
      manifestName(id) === object &&
      typeof commit === "number" &&
      author !== undefined &&
      !Number.isNaN(createdAtMs) &&
      files.every((file) => file !== undefined)
    )
  ) {
    throw new DamagedCheckpointError(path, object, "is no manifest");
  }
  return { id, createdAtMs, author, commit, identity, files };
}

export function decodePointer(bytes: Uint8Array, path: string): Pointer {
  const json = decode(bytes, path, LATEST, POINTER_ADVICE);
  const { checkpoint } = json;
  const movedAtMs = Date.parse(String(json.moved_at));
  const author = authorOf(json.author);
  if (typeof checkpoint !== "string" || !isCheckpointId(checkpoint) || author === undefined) {
    throw new DamagedCheckpointError(path, LATEST, "points to no checkpoint", POINTER_ADVICE);
  }
  return { checkpoint, author, movedAtMs };
}

/** "state of build-7 at 2026-11-25T11:00:00.000Z" */
export function authorText({ host }: Author, atMs: number): string {
  return `of ${host}, last written ${Number.isNaN(atMs) ? "at an unknown time" : new Date(atMs).toISOString()}`;
}

type Json = Readonly<Record<string, unknown>>;

function encode(json: Json): Buffer {
  return Buffer.from(`${JSON.stringify({ format: CHECKPOINT_FORMAT, ...json }, undefined, 2)}\n`);
}

function decode(bytes: Uint8Array, path: string, object: string, advice?: string): Json {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new DamagedCheckpointError(path, object, "is no JSON", advice);
  }
  if (!isRecord(json) || !Number.isInteger(json.format)) {
    throw new DamagedCheckpointError(path, object, "names no format", advice);
  }
  const format = json.format as number;
  if (format > CHECKPOINT_FORMAT) throw new NewerCheckpointError(path, object, format, CHECKPOINT_FORMAT);
  return json;
}

function fileOf(json: unknown): CheckpointFile | undefined {
  if (!isRecord(json)) return undefined;
  const { name, length, crc32c } = json;
  const isValid =
    typeof name === "string" &&
    isPlainName(name) &&
    Number.isSafeInteger(length) &&
    (length as number) >= 0 &&
    typeof crc32c === "string" &&
    /^[0-9a-f]{8}$/.test(crc32c);
  return isValid ? { name, length: length as number, crc32c: Number.parseInt(crc32c, 16) } : undefined;
}

function authorOf(json: unknown): Author | undefined {
  if (!isRecord(json)) return undefined;
  const { directoryId, sessionId, host } = json;
  return typeof directoryId === "string" && typeof sessionId === "string" && typeof host === "string"
    ? { directoryId, sessionId, host }
    : undefined;
}

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function hexOf(crc32c: number): string {
  return crc32c.toString(16).padStart(8, "0");
}
