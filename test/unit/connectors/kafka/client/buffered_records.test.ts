import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { BufferedRecords } from "../../../../../connectors/kafka/client/buffered_records.js";
import { readRecordSet } from "../../../../../connectors/kafka/client/record_batch.js";
import { UnpackedBatches } from "../../../../../connectors/kafka/client/unpacked_batches.js";
import { batchBytes, recordsOf } from "./batch_builder.js";

const ANSWERS = 20;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

describe("buffered records", () => {
  it("let go of the answers that were read, though there is always a further one", async () => {
    const records = new BufferedRecords(0, "t[0]", new UnpackedBatches(1 << 20, 1 << 20));
    const answers: WeakRef<Buffer>[] = [];
    const readOn = (count: number): void => {
      for (let i = 0; i < count; i++) assert.ok(records.next());
    };
    for (let i = 0; i < ANSWERS; i++) {
      const bytes = await batchBytes({ baseOffset: 2 * i, records: recordsOf("a", "b") });
      answers.push(new WeakRef(bytes));
      records.push(readRecordSet(bytes, 0, bytes.length, 2 * i, [], true).batches);
      records.allow(Number.POSITIVE_INFINITY);
      // The last answer is left until the next one is there.
      readOn(i === 0 ? 0 : 2);
    }
    await setImmediate();
    collectGarbage();
    const kept = answers.filter((answer) => answer.deref() !== undefined).length;
    assert.ok(kept <= 2, `${kept} of ${ANSWERS} answers are kept`);
    readOn(2);
    assert.equal(records.position, 2 * ANSWERS);
    assert.ok(records.isExhausted);
  });
});
