/**
 * One way to keep state, under the changes that the pipeline made to it: the same bundles, each applied to the tables in
 * memory and committed before the next. What is timed begins in the middle of the stream, where state comes and goes;
 * all before it is committed first.
 */
import { ByteReader } from "../../beam/model/bytes.js";
import type { ByteTable } from "../../beam/store/byte_table.js";
import { type ReplayTarget, replay } from "../../beam/store/journal.js";
import { LocalDirectory } from "../../beam/store/local_directory.js";
import type { Store } from "../../beam/store/store.js";
import { readChangeStream } from "../change_stream.js";
import { runSubject } from "../subject.js";

export const BUNDLE_CHANGES = 5_000;
/** Of those timed: the slowest store takes a minute for them. */
const BUNDLES_MAX = 200;
/** Committed at once before the time begins. */
const BUNDLES_PER_FILLING = 100;

export interface StoreUnderTest {
  readonly store: Store;
  /** After the last commit: closes the store and throws unless what it kept is what its tables hold. */
  verify(): Promise<void>;
}

export function measureStore(open: () => Promise<StoreUnderTest>): Promise<void> {
  return runSubject(async ({ changes: path }) => {
    const { bundles, names, changes } = await readChangeStream(
      await LocalDirectory.open(path),
      BUNDLE_CHANGES,
    );
    const whole = Math.floor(changes / BUNDLE_CHANGES);
    const from = Math.floor(whole / 2);
    const timed = bundles.slice(from, Math.min(whole, from + BUNDLES_MAX));
    const { store, verify } = await open();
    const tables = new TablesOf(store, names);
    for (let at = 0; at < from; at += BUNDLES_PER_FILLING) {
      await commit(store, tables, bundles.slice(at, Math.min(from, at + BUNDLES_PER_FILLING)));
    }
    const startMs = performance.now();
    for (const bundle of timed) await commit(store, tables, [bundle]);
    const seconds = (performance.now() - startMs) / 1000;
    await verify();
    return { events: timed.length * BUNDLE_CHANGES, seconds };
  });
}

async function commit(store: Store, tables: TablesOf, bundles: readonly Buffer[]): Promise<void> {
  const changes = store.newChanges();
  store.noteIn(changes);
  for (const bundle of bundles) replay(new ByteReader(bundle), tables);
  store.noteIn(undefined);
  await store.commit([changes]);
}

/** The tables of a store by the numbers that the stream has for them. */
class TablesOf implements ReplayTarget {
  readonly #tables: ReadonlyMap<number, ByteTable>;

  constructor(store: Store, names: ReadonlyMap<number, string>) {
    this.#tables = new Map([...names].map(([number, name]) => [number, store.table(name)]));
  }

  byNumber(number: number): ByteTable {
    return this.#tables.get(number)!;
  }

  nameTable(): void {
    throw new Error("all names are known");
  }
}

/** Throws unless both have the same numbers of records. */
export function assertSameSizes(kept: ReadonlyMap<string, number>, held: ReadonlyMap<string, number>): void {
  const words = (sizes: ReadonlyMap<string, number>): string => JSON.stringify([...sizes].sort());
  if (words(kept) !== words(held)) throw new Error(`${words(kept)} was kept of ${words(held)}`);
}
