/** The watermarks that the last commit holds, by stage. Grammar: beam/engine/progress.ts. */
import { ByteReader } from "../../../beam/model/bytes.js";
import { readInstant } from "../../../beam/model/coders/instant.js";
import type { Store } from "../../../beam/store/store.js";

export interface StageWatermarks {
  readonly input: number;
  readonly output: number;
}

export function committedWatermarks(store: Store): ReadonlyMap<string, StageWatermarks> {
  const found = new Map<string, StageWatermarks>();
  const table = store.table("progress/watermarks");
  const key = new ByteReader();
  const value = new ByteReader();
  table.forEach((address) => {
    table.readKey(address, key);
    table.readValue(address, value);
    found.set(key.readString(), { input: readInstant(value), output: readInstant(value) });
  });
  return found;
}
