/** What sources have still to do, as the last commit of a state says: for whoever looks at it. */
import { RESTRICTIONS_TABLE } from "../../engine/progress.js";
import { ByteReader } from "../../model/bytes.js";
import type { Coder } from "../../model/coders/coder.js";
import { readInstant } from "../../model/coders/instant.js";
import { GlobalWindowCoder } from "../../model/coders/window_coders.js";
import { WindowedValueCoder } from "../../model/coders/windowed_value_coder.js";
import type { TimestampMs } from "../../model/timestamps.js";
import type { Store } from "../../store/store.js";

/** A splittable element that a commit has left undone, as bytes. */
export interface CommittedRestriction {
  readonly stage: string;
  readonly watermark: TimestampMs;
  /** Stands at the element and, behind it, the restriction, as their coders wrote them. Valid until the next one. */
  readonly bytes: ByteReader;
}

/** Leaves what follows where it is. */
const UNREAD: Coder<ByteReader> = {
  isDeterministic: true,
  encode: () => {
    throw new Error("it is for reading only");
  },
  decode: (input) => input,
  toProto: () => ({
    spec: { urn: "beam:coder:ts:unread:v1", payload: new Uint8Array() },
    componentCoderIds: [],
  }),
};

/** Of pipelines in the global window. */
export function committedRestrictions(store: Pick<Store, "table">): CommittedRestriction[] {
  const coder = new WindowedValueCoder(UNREAD, GlobalWindowCoder.INSTANCE);
  const table = store.table(RESTRICTIONS_TABLE);
  const found: CommittedRestriction[] = [];
  table.forEach((address) => {
    const [key, value] = [new ByteReader(), new ByteReader()];
    table.readKey(address, key);
    table.readValue(address, value);
    const stage = key.readString();
    const watermark = readInstant(value);
    found.push({ stage, watermark, bytes: coder.decode(value, "nested").value });
  });
  return found;
}
