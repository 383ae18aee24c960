/** What a changelog cell stores: a small value whole, so that a log repeats no more of it than there is; then changes. */
import assert from "node:assert/strict";
import { createCell } from "../../../../beam/exec/state_cells/create_cell.js";
import { ByteReader, ByteWriter } from "../../../../beam/model/bytes.js";
import { encodeToBytes } from "../../../../beam/model/coders/encode_to_bytes.js";
import { type ChangelogState, changelogState } from "../../../../beam/sdk/state.js";
import { MemoryStore } from "../../../../beam/store/memory_store.js";
import { StoredState } from "../../../../beam/stored_state/stored_state.js";
import type { Payment } from "../../../../schemas/events.js";
import {
  Expired,
  type Waiting,
  type WaitingChange,
  waitingCoder,
  waitingLog,
} from "../../../../transforms/waiting.js";
import { WaitingEvent } from "../../../../transforms/waiting_events.js";
import { payment } from "../../transforms/join_stream.js";

/** Above it, changes are appended. */
const SMALL_BYTES = 512;

const waitingPayment = (i: number): WaitingEvent<Payment> =>
  new WaitingEvent("payment", payment({ payment_id: `p${i}`, created_at: i }), false, 0);

const tableOf = (store: MemoryStore) => (name: string) => store.table(name);

/** A cell of one key. */
function cellOf(states: StoredState, log = waitingLog) {
  const cell = createCell("waiting", changelogState(log), states);
  const key = new ByteWriter();
  key.writeString("o");
  const element = (body: () => void): void => {
    cell.bind(states.enter(key));
    body();
    cell.flush();
  };
  return { state: cell as unknown as ChangelogState<Waiting, WaitingChange>, element, key };
}

describe("a changelog cell", () => {
  it("shows the bytes of a small value that the element has not touched", () => {
    const states = new StoredState({ table: tableOf(new MemoryStore()), timers: assert.fail });
    const { state, element } = cellOf(states);
    const shown = (): number | undefined => {
      let size: number | undefined;
      const isWhole = state.peek((bytes) => {
        size = waitingCoder.decode(bytes, "nested").size;
      });
      return isWhole ? size : undefined;
    };
    element(() => assert.equal(shown(), undefined, "nothing is stored"));
    element(() => state.add(waitingPayment(0)));
    element(() => {
      assert.equal(shown(), 1);
      assert.equal(shown(), 1, "again");
      assert.equal(state.read().size, 1);
      assert.equal(shown(), undefined, "it was read");
    });
    element(() => {
      state.add(waitingPayment(1));
      assert.equal(shown(), undefined, "it was changed");
    });
    element(() => {
      assert.equal(
        state.peek(() => undefined),
        false,
        "there is more than was read",
      );
      assert.equal(shown(), 2);
      state.clear();
      assert.equal(shown(), undefined, "it was cleared");
      state.add(waitingPayment(2));
    });
    element(() => {
      assert.equal(shown(), 1);
      state.replace((bytes) => bytes.writeVarint(0));
      assert.equal(shown(), 0, "it was replaced");
      assert.equal(state.read().size, 0);
      assert.throws(() => state.replace(() => assert.fail()), /read or changed/);
    });
    element(() => assert.equal(shown(), 0));
    element(() => state.add(waitingPayment(2)));
    for (let i = 3; i < 100; i++) element(() => state.add(waitingPayment(i)));
    element(() => assert.equal(shown(), undefined, "it is large"));
    element(() => state.add(new Expired(98, 1_000)));
    element(() => assert.equal(state.read().size, 2));
  });

  it("stores a small value whole, and the changes of a larger one", () => {
    const store = new MemoryStore();
    const states = new StoredState({ table: tableOf(store), timers: assert.fail });
    const { state, element, key } = cellOf(states);
    const stored = new ByteReader();
    const storedBytes = (): Buffer =>
      store.table("waiting").get(key, stored)
        ? Buffer.from(stored.buffer.subarray(stored.position, stored.limit))
        : Buffer.alloc(0);
    let appended = 0;
    for (let i = 0; i < 40; i++) {
      const before = storedBytes();
      element(() => state.add(waitingPayment(i)));
      element(() => assert.equal(state.read().size, i + 1));
      if (before.length < SMALL_BYTES) {
        element(() => assert.deepEqual(storedBytes(), encodeToBytes(waitingCoder, state.read(), "nested")));
      } else {
        assert.deepEqual(storedBytes().subarray(0, before.length), before);
        appended++;
      }
    }
    assert.ok(appended > 10 && appended < 35, String(appended));
    element(() => state.add(new Expired(40, 100)));
    element(() => assert.equal(state.read().size, 0));
    element(() => {
      state.clear();
      state.add(new WaitingEvent("payment", payment({ payment_id: "last" }), true, 5));
      assert.equal(state.read().size, 1);
    });
    element(() => assert.deepEqual(storedBytes(), encodeToBytes(waitingCoder, state.read(), "nested")));
    element(() => assert.equal(state.read().payments.withId("last")!.isPaired, true));
    element(() => state.clear());
    assert.equal(storedBytes().length, 0);
  });

  it("reads a larger value back once, and not for each element", () => {
    let decoded = 0;
    const decode: typeof waitingCoder.decode = (input, context) => {
      decoded++;
      return waitingCoder.decode(input, context);
    };
    const coder = Object.create(waitingCoder, { decode: { value: decode } }) as typeof waitingCoder;
    const states = new StoredState({ table: tableOf(new MemoryStore()), timers: assert.fail });
    const { state, element } = cellOf(states, { ...waitingLog, coder });
    for (let i = 0; i < 100; i++) element(() => state.add(waitingPayment(i)));
    assert.ok(decoded > 0 && decoded < 30, `decoded ${decoded} times for 100 changes`);
    const before = decoded;
    for (let i = 0; i < 100; i++) element(() => assert.equal(state.read().size, 100));
    assert.equal(decoded, before);
  });
});
