import assert from "node:assert/strict";
import { Inboxes } from "../../../../beam/harness/inbox.js";
import type { fnApi } from "../../../../beam/model/apache_beam.js";

const MIB = 1 << 20;

function elements(instructionId: string, bytes: number): fnApi.Elements {
  return {
    data: [{ instructionId, transformId: "source", data: new Uint8Array(bytes), isLast: false }],
    timers: [],
  };
}

class Stream {
  isPaused = false;
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
}

describe("inboxes", () => {
  it("pause the streams while bundles that run have too much waiting", () => {
    const inboxes = new Inboxes();
    const stream = new Stream();
    inboxes.addStream(stream);
    const inbox = inboxes.open("a");
    for (let i = 0; i < 80; i++) inboxes.deliver(elements("a", MIB));
    assert.equal(stream.isPaused, true);
    for (let i = 0; i < 60; i++) inbox.take();
    assert.equal(stream.isPaused, true, "not at every segment");
    for (let i = 0; i < 10; i++) inbox.take();
    assert.equal(stream.isPaused, false);
  });

  it("do not wait for bundles that nobody has asked for", () => {
    const inboxes = new Inboxes();
    const stream = new Stream();
    inboxes.addStream(stream);
    for (let i = 0; i < 80; i++) inboxes.deliver(elements("early", MIB));
    assert.equal(stream.isPaused, false);
    inboxes.open("early");
    inboxes.deliver(elements("early", 1));
    assert.equal(stream.isPaused, true, "they count once they run");
    inboxes.close("early");
    assert.equal(stream.isPaused, false, "and no more when they are over");
  });

  it("drop what comes for a bundle that is over", () => {
    const inboxes = new Inboxes();
    inboxes.open("a");
    inboxes.close("a");
    inboxes.deliver(elements("a", 5));
    assert.equal(inboxes.open("a").take(), undefined);
  });

  it("do not miss what came before somebody waited for it", async () => {
    const inboxes = new Inboxes();
    const inbox = inboxes.open("a");
    assert.equal(inbox.take(), undefined);
    inboxes.deliver(elements("a", 5));
    await inbox.arrival();
    assert.equal(inbox.take()!.bytes.length, 5);
  });

  it("wake who waits when nothing can come any more", async () => {
    const inboxes = new Inboxes();
    const inbox = inboxes.open("a");
    const arrival = inbox.arrival();
    inboxes.fail(new Error("gone"));
    await arrival;
    assert.throws(() => inbox.take(), /gone/);
  });
});
