/**
 * A directory on a simulated disk. It keeps apart what a process sees (what was done) and what a power failure leaves
 * (what was synced, and any beginning of what came after). A killed process leaves all that was done: the system keeps
 * it. Operations that are under way at a crash are done in part.
 *
 * A rename or removal of one name that was not synced may be lost while a later one of another name is not.
 */
import type { AppendFile, Directory, ReadFile } from "../../../beam/store/directory.js";
import { DirectoryInUseError, DirectoryLostError } from "../../../beam/store/directory.js";
import type { Random } from "../../../producers/random.js";
import type { EventLoop, Owner } from "./event_loop.js";

/** What faults do to the disk. */
export interface DiskConditions {
  latencyMaxMs: number;
  /** Every write beyond what is there fails with ENOSPC. */
  isFull: boolean;
  /** Share of operations that fail with EIO. */
  errors: number;
}

type Change = { readonly append: Buffer } | { readonly truncate: number };

/** The content of a file: what is certain, and what was done to it since. */
class Content {
  durable: Buffer = Buffer.alloc(0);
  changes: Change[] = [];
  current: Buffer = Buffer.alloc(0);

  apply(change: Change): void {
    this.changes.push(change);
    this.current = applied(this.current, change);
  }

  sync(): void {
    this.durable = this.current;
    this.changes = [];
  }

  /** Some beginning of the changes is kept, and of the first that is not, if it is an append, some beginning. */
  losePower(random: Random): void {
    let kept = this.durable;
    const count = random.between(0, this.changes.length);
    for (const change of this.changes.slice(0, count)) kept = applied(kept, change);
    const torn = this.changes[count];
    if (torn !== undefined && "append" in torn) {
      kept = Buffer.concat([kept, torn.append.subarray(0, random.between(0, torn.append.length))]);
    }
    this.durable = kept;
    this.current = kept;
    this.changes = [];
  }
}

function applied(content: Buffer, change: Change): Buffer {
  return "append" in change
    ? Buffer.concat([content, change.append])
    : Buffer.from(content.subarray(0, change.truncate));
}

type NameChange =
  | { readonly kind: "create"; readonly name: string; readonly content: Content }
  | { readonly kind: "rename"; readonly from: string; readonly to: string }
  | { readonly kind: "remove"; readonly name: string };

/** The disk and what is on it: one directory. */
export class SimulatedDisk {
  readonly conditions: DiskConditions = { latencyMaxMs: 3, isFull: false, errors: 0 };
  readonly path = "/simulated";
  names = new Map<string, Content>();
  #durableNames = new Map<string, Content>();
  #nameChanges: NameChange[] = [];
  lockedBy: Owner | undefined;
  /** Had the lock when somebody removed it. */
  readonly #robbed = new Set<Owner>();
  /** Operations under way, and how each looks when it is cut off. */
  readonly #underWay = new Set<() => void>();
  operations = 0;
  /** Is told of each operation before it begins. */
  onOperation: (what: string) => void = () => undefined;

  constructor(
    readonly loop: EventLoop,
    readonly random: Random,
  ) {}

  open(owner: Owner): Directory {
    return new SimulatedDirectory(this, owner);
  }

  /** Bytes in all files, as a process sees them. */
  get bytes(): number {
    let bytes = 0;
    for (const { current } of this.names.values()) bytes += current.length;
    return bytes;
  }

  /** Somebody who removes old files takes the lock's. */
  removeLock(): void {
    if (this.lockedBy !== undefined) this.#robbed.add(this.lockedBy);
    this.lockedBy = undefined;
  }

  /** By a process whose lock was removed. */
  get isAppendedTo(): boolean {
    return [...this.#robbed].some(({ isAlive }) => isAlive);
  }

  assertLocked(owner: Owner): void {
    if (this.#robbed.has(owner)) throw new DirectoryLostError(this.path, "unlocked");
  }

  unlock(owner: Owner): void {
    if (this.lockedBy === owner) this.lockedBy = undefined;
    this.#robbed.delete(owner);
  }

  /** The process was killed: what it had under way is done in part, the rest stays. */
  killProcess(): void {
    for (const cutOff of [...this.#underWay]) cutOff();
    this.#underWay.clear();
    this.lockedBy = undefined;
    this.#robbed.clear();
  }

  losePower(): void {
    this.killProcess();
    const { random } = this;
    const names = new Map(this.#durableNames);
    const lost = new Set<string>();
    const losesAny = random.chance(0.7);
    for (const change of this.#nameChanges) {
      const touched = change.kind === "rename" ? [change.from, change.to] : [change.name];
      // What builds on something lost is lost too.
      if (touched.some((name) => lost.has(name)) || (losesAny && random.chance(0.4))) {
        for (const name of touched) lost.add(name);
      } else {
        applyNameChange(names, change);
      }
    }
    for (const content of new Set(names.values())) content.losePower(random);
    this.names = names;
    this.#durableNames = new Map(names);
    this.#nameChanges = [];
  }

  changeName(change: NameChange): void {
    applyNameChange(this.names, change);
    this.#nameChanges.push(change);
  }

  syncNames(): void {
    this.#durableNames = new Map(this.names);
    this.#nameChanges = [];
  }

  /**
   * An operation that takes its time. `whenCut` is what a crash in the middle of it leaves; by default, by chance, all
   * or nothing.
   */
  async operate<T>(owner: Owner, what: string, work: () => T, whenCut?: () => void): Promise<T> {
    this.operations++;
    this.onOperation(what);
    const { random, loop, conditions } = this;
    const cutOff = whenCut ?? (() => this.#byChance(work));
    this.#underWay.add(cutOff);
    await loop.wait(random.skewed(conditions.latencyMaxMs, 2), owner, what);
    this.#underWay.delete(cutOff);
    if (random.chance(conditions.errors)) {
      cutOff();
      throw systemError("EIO", "i/o error", what);
    }
    return work();
  }

  #byChance(work: () => unknown): void {
    if (!this.random.chance(0.5)) return;
    try {
      work();
    } catch {
      // It would have failed anyway.
    }
  }
}

function applyNameChange(names: Map<string, Content>, change: NameChange): void {
  switch (change.kind) {
    case "create":
      names.set(change.name, change.content);
      return;
    case "remove":
      names.delete(change.name);
      return;
    case "rename": {
      const content = names.get(change.from);
      if (content === undefined) return;
      names.delete(change.from);
      names.set(change.to, content);
    }
  }
}

function systemError(code: string, message: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${message}, ${what}`), { code });
}

class SimulatedDirectory implements Directory {
  constructor(
    private readonly disk: SimulatedDisk,
    private readonly owner: Owner,
  ) {}

  get path(): string {
    return this.disk.path;
  }

  list(): Promise<string[]> {
    return this.disk.operate(this.owner, "list", () => [...this.disk.names.keys()], ignore);
  }

  async create(name: string): Promise<AppendFile> {
    this.assertLocked();
    return this.disk.operate(this.owner, `create ${name}`, () => {
      if (this.disk.names.has(name)) throw systemError("EEXIST", "file already exists", name);
      const content = new Content();
      this.disk.changeName({ kind: "create", name, content });
      return new SimulatedAppendFile(this.disk, this.owner, name, content);
    });
  }

  async openForAppend(name: string): Promise<AppendFile> {
    this.assertLocked();
    const open = () => new SimulatedAppendFile(this.disk, this.owner, name, this.#existing(name));
    return this.disk.operate(this.owner, `open ${name}`, open, ignore);
  }

  openForRead(name: string): Promise<ReadFile> {
    const open = () => new SimulatedReadFile(this.disk, this.owner, name, this.#existing(name));
    return this.disk.operate(this.owner, `open ${name}`, open, ignore);
  }

  async rename(from: string, to: string): Promise<void> {
    this.assertLocked();
    return this.disk.operate(this.owner, `rename ${from} to ${to}`, () => {
      this.#existing(from);
      this.disk.changeName({ kind: "rename", from, to });
    });
  }

  async remove(name: string): Promise<void> {
    this.assertLocked();
    return this.disk.operate(this.owner, `remove ${name}`, () => {
      this.#existing(name);
      this.disk.changeName({ kind: "remove", name });
    });
  }

  sync(): Promise<void> {
    return this.disk.operate(this.owner, "sync directory", () => this.disk.syncNames());
  }

  async lock(): Promise<void> {
    await this.disk.operate(
      this.owner,
      "lock",
      () => {
        const { lockedBy } = this.disk;
        if (lockedBy?.isAlive && lockedBy !== this.owner) throw new DirectoryInUseError(this.path);
        if (this.disk.isAppendedTo) throw new DirectoryInUseError(this.path);
        this.disk.lockedBy = this.owner;
      },
      ignore,
    );
  }

  assertLocked(): void {
    this.disk.assertLocked(this.owner);
  }

  async close(): Promise<void> {
    this.disk.unlock(this.owner);
  }

  #existing(name: string): Content {
    const content = this.disk.names.get(name);
    if (content === undefined) throw systemError("ENOENT", "no such file", name);
    return content;
  }
}

class SimulatedAppendFile implements AppendFile {
  #isBusy = false;

  constructor(
    private readonly disk: SimulatedDisk,
    private readonly owner: Owner,
    private readonly name: string,
    private readonly content: Content,
  ) {}

  get length(): number {
    return this.content.current.length;
  }

  async append(buffers: readonly Uint8Array[]): Promise<void> {
    this.disk.assertLocked(this.owner);
    const bytes = Buffer.concat(buffers);
    const { random, conditions } = this.disk;
    const appendSome = (): void => {
      this.content.apply({ append: bytes.subarray(0, random.between(0, bytes.length)) });
    };
    return this.#alone(
      `append ${bytes.length} to ${this.name}`,
      () => {
        if (!bytes.equals(Buffer.concat(buffers))) throw new Error("a buffer changed while it was written");
        if (conditions.isFull) {
          appendSome();
          throw systemError("ENOSPC", "no space left on device", this.name);
        }
        this.content.apply({ append: bytes });
      },
      appendSome,
    );
  }

  sync(): Promise<void> {
    return this.#alone(`sync ${this.name}`, () => this.content.sync());
  }

  async truncate(length: number): Promise<void> {
    this.disk.assertLocked(this.owner);
    return this.#alone(`truncate ${this.name} to ${length}`, () => this.content.apply({ truncate: length }));
  }

  async close(): Promise<void> {}

  async #alone(what: string, work: () => void, whenCut?: () => void): Promise<void> {
    if (this.#isBusy) throw new Error(`${what}: one call at a time`);
    this.#isBusy = true;
    try {
      await this.disk.operate(this.owner, what, work, whenCut);
    } finally {
      this.#isBusy = false;
    }
  }
}

class SimulatedReadFile implements ReadFile {
  constructor(
    private readonly disk: SimulatedDisk,
    private readonly owner: Owner,
    private readonly name: string,
    private readonly content: Content,
  ) {}

  get length(): number {
    return this.content.current.length;
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.disk.operate(
      this.owner,
      `read ${this.name}`,
      () => {
        const bytes = this.content.current.subarray(position, position + target.length);
        target.set(bytes);
        return bytes.length;
      },
      ignore,
    );
  }

  async close(): Promise<void> {}
}

function ignore(): void {}
