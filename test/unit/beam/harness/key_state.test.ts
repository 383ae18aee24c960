import assert from "node:assert/strict";
import { Cell, type KeyOwner, KeyState } from "../../../../beam/harness/key_state.js";
import { ByteWriter } from "../../../../beam/model/bytes.js";

const bytesOf = ({ bytes, start, length }: Cell): string => bytes.toString("latin1", start, start + length);

function loaded(text: string): Cell {
  const cell = new Cell();
  const source = Buffer.from(`<${text}>`, "latin1");
  cell.load(source, 1, source.length - 1);
  return cell;
}

describe("a cell", () => {
  it("shares memory with others, and changes none of them", () => {
    const cells = Array.from({ length: 1_000 }, (_, i) => loaded(`cell ${i}.`));
    for (let round = 0; round < 3; round++) {
      for (const cell of cells) cell.append(Buffer.from("more"), 4);
    }
    for (const [i, cell] of cells.entries()) assert.equal(bytesOf(cell), `cell ${i}.moremoremore`);
  });

  it("grows beyond what it shares", () => {
    const cell = loaded("a");
    const piece = Buffer.alloc(3_000, "b");
    for (let i = 0; i < 10; i++) cell.append(piece, piece.length);
    assert.equal(bytesOf(cell), `a${"b".repeat(30_000)}`);
    assert.equal(cell.sent, 1);
  });

  it("leaves replaced bytes as they are to whoever looks at them", () => {
    const cell = loaded("before");
    const { bytes, start } = cell;
    cell.replace(Buffer.from("after!"), 6);
    assert.equal(bytes.toString("latin1", start, start + 6), "before");
    assert.equal(bytesOf(cell), "after!");
    assert.ok(cell.mustClear);
  });

  it("keeps back what can wait until something else changes", () => {
    const cell = loaded("a");
    cell.append(Buffer.from("b"), 1, true);
    assert.ok(!cell.isDirty);
    cell.append(Buffer.from("c"), 1, true);
    assert.ok(!cell.isDirty);
    cell.append(Buffer.from("d"), 1);
    assert.ok(cell.isDirty);
    assert.equal(cell.sent, 1);
    cell.append(Buffer.from("e"), 1, true);
    assert.ok(cell.isDirty, "what is behind it cannot wait");
    cell.markSent();
    cell.append(Buffer.from("f"), 1, true);
    assert.ok(!cell.isDirty);
    assert.equal(bytesOf(cell), "abcdef");
    cell.clear();
    assert.ok(cell.isDirty);
  });

  it("can be cleared and used again", () => {
    const cell = loaded("before");
    cell.clear();
    assert.equal(bytesOf(cell), "");
    cell.append(Buffer.from("anew"), 4);
    assert.equal(bytesOf(cell), "anew");
    assert.ok(cell.mustClear);
  });
});

describe("a key", () => {
  const owner: KeyOwner = {
    families: [
      { name: "x", isEventTime: true },
      { name: "y", isEventTime: true },
    ],
    changing() {},
  };

  it("knows each of its timers by family and tag, few or very many", () => {
    const key = new KeyState("id", 2, [], []);
    key.owner = owner;
    const tags = Array.from({ length: 40 }, (_, i) => `t${i}`);
    for (const [i, tag] of tags.entries()) {
      key.setTimer(0, tag, i, i);
      key.setTimer(1, tag, 100 + i, 100 + i);
      key.setTimer(0, tag, 1_000 + i, 1_000 + i);
    }
    key.clearTimer(1, "t3");
    assert.ok(key.isSuperseded("y", "t39"));
    assert.ok(!key.isSuperseded("y", "t40"));
    assert.equal(key.takeTimerBefore(101)?.tag, "t0");
    assert.equal(key.takeTimerBefore(101), undefined);
    const order: string[] = [];
    for (let timer = key.timers; timer !== undefined; timer = timer.next) {
      order.push(`${timer.family} ${timer.tag} ${timer.isSet ? timer.fireTimestamp : "cleared"}`);
    }
    assert.equal(order.length, 80);
    assert.deepEqual(order.slice(0, 3), ["x t0 1000", "y t0 cleared", "x t1 1001"]);
    assert.equal(order[7], "y t3 cleared");
    key.forgetTimers();
    assert.ok(!key.isSuperseded("x", "t1"));
    assert.equal(key.timers, undefined);
  });

  it("is empty when nothing is stored under it", () => {
    const key = new KeyState("id", 2, [new Cell(), new Cell()], []);
    key.owner = owner;
    assert.ok(key.isEmpty);
    const writer = new ByteWriter();
    writer.writeString("text");
    key.append(1, writer);
    assert.ok(!key.isEmpty);
  });
});
