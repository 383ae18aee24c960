/** Changes of all kinds to two tables of a store, and what the tables then hold. */
import { ByteReader, ByteWriter } from "../../../beam/model/bytes.js";
import type { ByteTable } from "../../../beam/store/byte_table.js";
import type { Store } from "../../../beam/store/store.js";

const TABLES = ["first", "second"];
const COMMITS = 20;
const CHANGES_PER_COMMIT = 13;
const KEYS = 12;

/** The same ones each time. */
export async function changeAtRandom(store: Store): Promise<void> {
  let state = 1;
  const below = (limit: number): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state % limit;
  };
  for (let i = 0; i < COMMITS; i++) {
    const changes = store.newChanges();
    store.noteIn(changes);
    for (let j = 0; j < CHANGES_PER_COMMIT; j++) {
      const table = store.table(TABLES[below(2)]!);
      const key = bytesOf(`key ${below(KEYS)}`);
      const kind = below(5);
      const address = table.find(key);
      if (kind === 0) table.delete(key);
      else if (kind === 4 && address !== 0) table.patch(address, bytesOf("vul"));
      else if (kind === 1) table.put(key, bytesOf(`value ${below(1_000)}`));
      else table.append(key, bytesOf(`, ${below(1_000)}`));
    }
    store.noteIn(undefined);
    await store.commit([changes]);
  }
}

/** By table and key. */
export function contentsOf(store: { table(name: string): ByteTable }): Map<string, string> {
  const found: [string, string][] = [];
  const [key, value] = [new ByteReader(), new ByteReader()];
  for (const name of TABLES) {
    const table = store.table(name);
    table.forEach((address) => {
      table.readKey(address, key);
      table.readValue(address, value);
      found.push([`${table.owner}/${key.readUtf8(key.remaining)}`, value.readUtf8(value.remaining)]);
    });
  }
  return new Map(found.sort());
}

function bytesOf(text: string): ByteWriter {
  const writer = new ByteWriter(16);
  writer.writeUtf8(text);
  return writer;
}
