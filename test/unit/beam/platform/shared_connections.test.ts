import assert from "node:assert/strict";
import { SharedConnections } from "../../../../beam/platform/shared_connections.js";

describe("SharedConnections", () => {
  it("connects once for all users, and closes with the last", async () => {
    const events: string[] = [];
    const connections = new SharedConnections<number>("test", async (n) => void events.push(`close ${n}`));
    let made = 0;
    connections.register("a", async () => {
      events.push(`connect ${++made}`);
      return made;
    });
    assert.deepEqual(await Promise.all([connections.acquire("a"), connections.acquire("a")]), [1, 1]);
    await connections.release("a");
    assert.deepEqual(events, ["connect 1"]);
    await connections.release("a");
    assert.equal(await connections.acquire("a"), 2);
    assert.deepEqual(events, ["connect 1", "close 1", "connect 2"]);
  });

  it("tries again after a failure, and names what nobody registered", async () => {
    const connections = new SharedConnections<string>("test", async () => undefined);
    let isDown = true;
    connections.register("a", async () => {
      if (isDown) throw new Error("down");
      return "up";
    });
    await assert.rejects(connections.acquire("a"), /down/);
    isDown = false;
    assert.equal(await connections.acquire("a"), "up");
    await assert.rejects(connections.acquire("b"), /no test connection is registered under b/);
  });
});
