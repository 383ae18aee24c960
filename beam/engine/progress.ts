/**
 * What a restart has to know beside state and timers: elements in front of a stage, restrictions that are not done, and
 * the stages' watermarks. They are records of tables of the store, written when a turn commits, as its net effect: what
 * comes and goes within the turns of one commit is never written. What turns of no consequence do (sources that had
 * nothing to read) may wait for a later commit: a restart that goes on from before them does the same again.
 *
 *     pending:       key = string stage | varint input | varint id      value = varint count | elements
 *     restrictions:  key = string stage | varint id                     value = instant watermark | element
 *     watermarks:    key = string stage                                 value = instant input | instant output
 *
 * An element is in the windowed-value form of its input's coder.
 */
import { ByteReader, ByteWriter } from "../model/bytes.js";
import { readInstant, writeInstant } from "../model/coders/instant.js";
import type { ElementCoder } from "../model/coders/windowed_value_coder.js";
import type { ByteTable } from "../store/byte_table.js";
import type { Store } from "../store/store.js";
import { ElementBatch } from "./element_batch.js";
import type { PendingBatch } from "./pending_elements.js";
import type { Restriction, Stage, StageWatermarks } from "./stage.js";
import type { StageView } from "./stage_spec.js";
import type { Turn } from "./turn.js";

/** The table of a store that holds the stages' watermarks. */
export const WATERMARKS_TABLE = "progress/watermarks";
const PENDING_TABLE = "progress/pending";
export const RESTRICTIONS_TABLE = "progress/restrictions";

/** What the last commit says of each stage that it knows, by the stage's name. */
export function committedWatermarks(store: Pick<Store, "table">): ReadonlyMap<string, StageWatermarks> {
  const found = new Map<string, StageWatermarks>();
  const table = store.table(WATERMARKS_TABLE);
  const key = new ByteReader();
  const value = new ByteReader();
  table.forEach((address) => {
    table.readKey(address, key);
    table.readValue(address, value);
    found.set(key.readString(), readWatermarks(value));
  });
  return found;
}

/** The value of a record of WATERMARKS_TABLE. */
export function readWatermarks(value: ByteReader): StageWatermarks {
  return { input: readInstant(value), output: readInstant(value) };
}

export class CommittedProgress {
  readonly #pending: ByteTable;
  readonly #restrictions: ByteTable;
  readonly #watermarks: ByteTable;
  readonly #key = new ByteWriter(256);
  readonly #value = new ByteWriter();
  /** Restrictions that are left, and are not in the table yet, or not with their present watermark. */
  readonly #left = new Set<Restriction>();
  /** Those in the table that were taken since. */
  readonly #gone = new Set<Restriction>();

  constructor(store: Store) {
    this.#pending = store.table(PENDING_TABLE);
    this.#restrictions = store.table(RESTRICTIONS_TABLE);
    this.#watermarks = store.table(WATERMARKS_TABLE);
  }

  /** Puts the stage where the last commit left it. False: no commit knows this stage. */
  restore(stage: Stage): boolean {
    this.#key.reset();
    this.#key.writeString(stage.spec.name);
    const value = new ByteReader();
    if (!this.#watermarks.get(this.#key, value)) return false;
    stage.resumeAt(readWatermarks(value));
    for (const { id, input, bytes } of this.#recordsOf(this.#pending, stage)) {
      const pending = stage.enqueue(input, readBatch(bytes, coderOf(stage, input)), id);
      pending.isStored = true;
      pending.isCommitted = true;
    }
    for (const { id, bytes } of this.#recordsOf(this.#restrictions, stage)) {
      const watermark = readInstant(bytes);
      const element = coderOf(stage, 0).decode(bytes, "nested");
      const residual = { ...element, watermark, delayMs: 0, onReady: undefined, watermarkNow: undefined };
      const restriction = stage.addRestriction(residual, Number.NEGATIVE_INFINITY, id);
      restriction.isStored = true;
      restriction.isResumed = true;
    }
    return true;
  }

  /** Remembers what idle turns have done, for the next `write`. */
  postpone(turns: readonly Turn[]): void {
    for (const turn of turns) {
      for (const restriction of turn.left) this.#left.add(restriction);
      for (const restriction of turn.taken) {
        this.#left.delete(restriction);
        if (restriction.isStored) this.#gone.add(restriction);
      }
    }
  }

  /** Writes what these turns, one after the other, have changed, and what was postponed before. */
  write(turns: readonly Turn[], stages: readonly Stage[]): void {
    this.#writePending(turns);
    this.postpone(turns);
    this.#writeRestrictions();
    turns.at(-1)!.watermarks.forEach(({ input, output }, index) => {
      this.#key.reset();
      this.#key.writeString(stages[index]!.spec.name);
      this.#value.reset();
      writeInstant(input, this.#value);
      writeInstant(output, this.#value);
      this.#watermarks.put(this.#key, this.#value);
    });
  }

  #writePending(turns: readonly Turn[]): void {
    const touched = new Set<PendingBatch>();
    for (const turn of turns) {
      for (const pending of turn.produced) {
        touched.add(pending);
      }
      for (const { pending, next } of turn.consumed) {
        pending.committedNext = next;
        touched.add(pending);
      }
    }
    for (const pending of touched) {
      const isLeft = pending.committedNext < pending.batch.length;
      if (!isLeft && !pending.isStored) continue;
      this.#key.reset();
      this.#key.writeString(pending.stage.spec.name);
      this.#key.writeVarint(pending.input);
      this.#key.writeVarint(pending.id);
      if (isLeft) {
        this.#value.reset();
        writeBatch(pending, this.#value);
        this.#pending.put(this.#key, this.#value);
      } else {
        this.#pending.delete(this.#key);
      }
      pending.isStored = isLeft;
    }
  }

  #writeRestrictions(): void {
    for (const restriction of this.#gone) {
      restriction.isStored = false;
      this.#restrictions.delete(this.#restrictionKey(restriction));
    }
    this.#gone.clear();
    for (const restriction of this.#left) {
      const { value, timestamp, windows, pane, watermark } = restriction.residual;
      this.#value.reset();
      writeInstant(watermark, this.#value);
      const coder = coderOf(restriction.stage, 0);
      coder.encodeParts(value, timestamp, windows, pane, this.#value, "nested");
      this.#restrictions.put(this.#restrictionKey(restriction), this.#value);
      restriction.isStored = true;
    }
    this.#left.clear();
  }

  #restrictionKey({ stage, id }: Restriction): ByteWriter {
    this.#key.reset();
    this.#key.writeString(stage.spec.name);
    this.#key.writeVarint(id);
    return this.#key;
  }

  /** Records of one stage, by their ids, which is the order in which they came. */
  #recordsOf(table: ByteTable, stage: Stage): { id: number; input: number; bytes: ByteReader }[] {
    const records: { id: number; input: number; bytes: ByteReader }[] = [];
    const key = new ByteReader();
    const value = new ByteReader();
    table.forEach((address) => {
      table.readKey(address, key);
      if (key.readString() !== stage.spec.name) return;
      const input = table === this.#pending ? key.readVarint() : 0;
      const id = key.readVarint();
      table.readValue(address, value);
      // A copy: what is decoded may keep a view of it.
      const bytes = new ByteReader(Buffer.from(value.buffer.subarray(value.position, value.limit)));
      records.push({ id, input, bytes });
    });
    return records.sort((a, b) => a.id - b.id);
  }
}

function coderOf(stage: StageView, input: number): ElementCoder<unknown> {
  const coder = stage.spec.inputCoders?.[input];
  if (coder === undefined) throw new Error(`${stage.spec.name}: input ${input} has no coder`);
  return coder;
}

/** Elements from `committedNext` on. */
function writeBatch({ batch, committedNext, stage, input }: PendingBatch, out: ByteWriter): void {
  const coder = coderOf(stage, input);
  out.writeVarint(batch.length - committedNext);
  for (let i = committedNext; i < batch.length; i++) {
    coder.encodeParts(
      batch.values[i],
      batch.timestamps[i]!,
      batch.windowsAt(i),
      batch.paneAt(i),
      out,
      "nested",
    );
  }
}

function readBatch(bytes: ByteReader, coder: ElementCoder<unknown>): ElementBatch {
  const batch = new ElementBatch();
  for (let left = bytes.readVarint(); left > 0; left--) coder.decodeInto(bytes, "nested", batch);
  return batch;
}
