/** What the pipeline did to its store, read from the log that record_changes.ts left, and cut to bundles of one size. */
import { ByteReader, ByteWriter } from "../beam/model/bytes.js";
import type { Directory } from "../beam/store/directory.js";
import { FrameReader } from "../beam/store/frames.js";
import {
  type ChangeList,
  Journal,
  type ReplayTable,
  type ReplayTarget,
  replay,
} from "../beam/store/journal.js";
import { logName } from "../beam/store/recovery.js";
import { padded } from "../beam/store/slab.js";

export interface ChangeStream {
  /** Names of the tables by their numbers in the changes. */
  readonly names: ReadonlyMap<number, string>;
  /** Changes, as in journal.ts, without names. All bundles but the last hold as many. */
  readonly bundles: readonly Buffer[];
  /** In all bundles. */
  readonly changes: number;
}

/** @param bundleChanges in each bundle */
export async function readChangeStream(directory: Directory, bundleChanges: number): Promise<ChangeStream> {
  const cutter = new Cutter(bundleChanges);
  const frames = await FrameReader.open(directory, logName(1), "log");
  try {
    for (;;) {
      const payload = await frames.next();
      if (payload === undefined) break;
      // Behind the kind of the frame and a number, both kinds hold changes: see recovery.ts.
      const reader = new ByteReader(payload, 1);
      reader.readVarint();
      replay(reader, cutter);
    }
  } finally {
    await frames.close();
  }
  return cutter.finish();
}

/** Writes each change down again, in the bundle that is open. */
class Cutter implements ReplayTarget, ReplayTable {
  readonly #journal = new Journal();
  readonly #list: ChangeList = this.#journal.newList();
  readonly #names = new Map<number, string>();
  readonly #bundles: Buffer[] = [];
  readonly #record = new ByteWriter();
  #table = 0;
  #changes = 0;

  constructor(private readonly bundleChanges: number) {
    this.#journal.noteIn(this.#list);
  }

  nameTable(number: number, name: string): void {
    this.#names.set(number, name);
  }

  byNumber(table: number): ReplayTable {
    this.#table = table;
    return this;
  }

  put(key: ByteWriter, value: ByteWriter): void {
    const record = this.#record;
    record.reset();
    record.writeBytes(key.view());
    while (record.length < padded(key.length)) record.writeByte(0);
    record.writeBytes(value.view());
    this.#journal.put(this.#table, record.words, 0, key.length, value.length);
    this.#count();
  }

  appendAt(key: ByteWriter, oldLength: number, added: ByteWriter): void {
    this.#journal.append(this.#table, key, oldLength, added);
    this.#count();
  }

  patchOf(key: ByteWriter, front: ByteWriter): void {
    this.#journal.patch(this.#table, key.words, 0, key.length, front);
    this.#count();
  }

  delete(key: ByteWriter): void {
    this.#journal.delete(this.#table, key.words, 0, key.length);
    this.#count();
  }

  finish(): ChangeStream {
    this.#cut();
    return { names: this.#names, bundles: this.#bundles, changes: this.#changes };
  }

  #count(): void {
    this.#changes++;
    if (this.#changes % this.bundleChanges === 0) this.#cut();
  }

  #cut(): void {
    const { writer } = this.#list;
    if (writer.length > 0) this.#bundles.push(writer.toBytes());
    writer.reset();
  }
}
