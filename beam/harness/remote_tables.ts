/** The tables of user state and timers that operators see, over whichever key the bundle is at. */
import type { ChangelogTable, MultimapTable, TimerTable } from "../exec/services.js";
import type { ByteReader, ByteWriter } from "../model/bytes.js";
import type { TimestampMs } from "../model/timestamps.js";
import { Cell, type ChangedTimer, type MultimapCells } from "./key_state.js";

/** What the bundle knows of the key that it is at. Whoever asks for something to change it says how many bytes come. */
export interface PresentKey {
  cell(index: number): Cell;
  changing(index: number, bytes: number): Cell;
  multimapCells(index: number): MultimapCells;
  changingMultimap(index: number, bytes: number): MultimapCells;
  changeTimer(timer: ChangedTimer): void;
}

/** One cell, of whichever key the bundle is at. */
export class CellTable implements ChangelogTable {
  /** An append is one request to the runner, a replacement two. */
  readonly wholeBelowBytes = 0;

  constructor(
    private readonly present: PresentKey,
    private readonly index: number,
  ) {}

  get(_key: ByteWriter, out: ByteReader): boolean {
    return read(this.present.cell(this.index), out);
  }

  put(_key: ByteWriter, { buffer, length }: ByteWriter): void {
    this.present.changing(this.index, length).replace(buffer, length);
  }

  append(_key: ByteWriter, { buffer, length }: ByteWriter): void {
    this.present.changing(this.index, length).append(buffer, length);
  }

  delete(_key: ByteWriter): void {
    this.present.changing(this.index, 0).clear();
  }

  recall(_key: ByteWriter): unknown {
    return this.present.cell(this.index).decoded;
  }

  remember(_key: ByteWriter, value: unknown): void {
    this.present.cell(this.index).decoded = value;
  }
}

/** One multimap cell, of whichever key the bundle is at. */
export class RemoteMultimap implements MultimapTable {
  constructor(
    private readonly present: PresentKey,
    private readonly index: number,
  ) {}

  keys(): Buffer[] {
    const keys: Buffer[] = [];
    for (const [mapKey, { length }] of this.present.multimapCells(this.index)) {
      if (length > 0) keys.push(Buffer.from(mapKey, "latin1"));
    }
    return keys;
  }

  get(_key: ByteWriter, mapKey: ByteWriter, out: ByteReader): boolean {
    const cell = this.present.multimapCells(this.index).get(idOf(mapKey));
    return cell !== undefined && read(cell, out);
  }

  append(_key: ByteWriter, mapKey: ByteWriter, { buffer, length }: ByteWriter): void {
    const cells = this.present.changingMultimap(this.index, length);
    const id = idOf(mapKey);
    let cell = cells.get(id);
    if (cell === undefined) {
      cell = new Cell();
      cells.set(id, cell);
    }
    cell.append(buffer, length);
  }

  delete(_key: ByteWriter, mapKey: ByteWriter): void {
    this.present.changingMultimap(this.index, 0).get(idOf(mapKey))?.clear();
  }

  /** One by one: Prism clears another key when it is asked to clear all. */
  clear(): void {
    for (const cell of this.present.changingMultimap(this.index, 0).values()) cell.clear();
  }
}

function read({ bytes, start, length }: Cell, out: ByteReader): boolean {
  if (length === 0) return false;
  out.reset(bytes, start, start + length);
  return true;
}

function idOf({ buffer, length }: ByteWriter): string {
  return buffer.latin1Slice(0, length);
}

export class BundleTimers implements TimerTable {
  constructor(
    private readonly present: PresentKey,
    private readonly family: string,
    private readonly isEventTime: boolean,
  ) {}

  set(_key: ByteWriter, tag: string, fireTimestamp: TimestampMs, outputTimestamp: TimestampMs): void {
    const { family, isEventTime } = this;
    this.present.changeTimer({
      family,
      tag,
      isEventTime,
      isSet: true,
      fireTimestamp,
      outputTimestamp,
      next: undefined,
    });
  }

  clear(_key: ByteWriter, tag: string): void {
    const { family, isEventTime } = this;
    this.present.changeTimer({
      family,
      tag,
      isEventTime,
      isSet: false,
      fireTimestamp: 0,
      outputTimestamp: 0,
      next: undefined,
    });
  }
}
