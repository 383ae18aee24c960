/** What a run serves, over HTTP: without Kafka, MongoDB or a browser. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { BadRequest } from "../../../monitor/actions.js";
import type { Observation } from "../../../monitor/observation.js";
import { Monitor } from "../../../monitor/server.js";
import { observation } from "./observations.js";

describe("the server of the page", () => {
  let monitor: Monitor;
  let now: Partial<Observation>;
  let replayed: object | undefined;

  beforeEach(async () => {
    now = {};
    replayed = undefined;
    let level = "info";
    const logs = () => ({ level, lines: [{ atMs: 0, level: "info", text: "begun" }] });
    monitor = await Monitor.start({
      host: "127.0.0.1",
      port: 0,
      observe: () => observation(now),
      actions: {
        settings: () => [{ name: "KAFKA_SASL_PASSWORD", value: "***", origin: "environment" }],
        logs,
        setLogLevel: (wanted) => {
          if (wanted !== "debug") throw new BadRequest("expected debug");
          level = wanted;
          return logs();
        },
        explain: async (orderId) => ({ verdict: `nothing of ${orderId}` }),
        deadLetters: async (filter) => ({ filter }),
        replay: async (body) => {
          replayed = body;
          return { sent: 1 };
        },
      },
    });
  });
  afterEach(() => monitor.close());

  const get = async (path: string) => {
    const answer = await fetch(monitor.url + path);
    return { status: answer.status, text: await answer.text(), headers: answer.headers };
  };
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(monitor.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });

  it("lives through outages, and is ready without them", async () => {
    assert.deepEqual([(await get("/healthz")).status, (await get("/readyz")).status], [200, 200]);
    now = { phase: "starting", doing: "reading the state back from disk" };
    assert.deepEqual([(await get("/healthz")).status, (await get("/readyz")).status], [200, 503]);
    assert.equal((await get("/readyz")).text, "starting: reading the state back from disk\n");
    now = {
      servers: [
        { name: "MongoDB", address: "db", problem: "connect ECONNREFUSED", forMs: 1, answerMs: undefined },
      ],
    };
    assert.deepEqual([(await get("/healthz")).status, (await get("/readyz")).status], [200, 503]);
    assert.equal((await get("/readyz")).text, "MongoDB: connect ECONNREFUSED\n");
  });

  it("serves a page of less than 150 kB, with nothing from elsewhere", async () => {
    const page = await get("/");
    assert.match(page.headers.get("content-security-policy")!, /default-src 'none'; script-src 'self'/);
    let bytes = 0;
    for (const path of [
      "/",
      "/page.css",
      "/page.js",
      "/charts.js",
      "/ask.js",
      "/tools.js",
      "/preact.js",
      "/icon.svg",
    ]) {
      const { status, text, headers } = await get(path);
      assert.equal(status, 200, path);
      assert.match(headers.get("content-type")!, /^(text\/(html|css|javascript)|image\/svg)/);
      bytes += text.length;
      if (path !== "/icon.svg") assert.doesNotMatch(text, /https?:\/\/(?!www\.w3\.org)/, path);
    }
    assert.ok(bytes < 150_000, `${bytes} bytes`);
  });

  it("tells what there is to see as it happens", async () => {
    const abort = new AbortController();
    const answer = await fetch(`${monitor.url}/api/events`, { signal: abort.signal });
    assert.equal(answer.headers.get("content-type"), "text/event-stream");
    let text = "";
    now = { joinWatermarkMs: undefined };
    for await (const chunk of answer.body! as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString();
      if (text.split("data: ").length > 2) break;
    }
    abort.abort();
    const [, first, second] = text.split("data: ");
    assert.equal(JSON.parse(first!.split("\n")[0]!).gapMs, 30_000);
    assert.equal(JSON.parse(second!.split("\n")[0]!).gapMs, null);
  });

  it("passes on what is asked and done, and says what is wrong with it", async () => {
    assert.deepEqual(JSON.parse((await get("/api/explain?order_id=a%2Fb")).text), {
      verdict: "nothing of a/b",
    });
    assert.deepEqual(JSON.parse((await get("/api/dead-letters?reason=LATE&topic=")).text), {
      filter: { reason: "LATE" },
    });
    assert.equal((await post("/api/log-level", { level: "debug" })).status, 200);
    assert.equal(JSON.parse((await get("/api/logs")).text).level, "debug");
    const wrong = await post("/api/log-level", { level: "loud" });
    assert.deepEqual([wrong.status, await wrong.json()], [400, { error: "expected debug" }]);
    await post("/api/dead-letters/replay", { dryRun: true });
    assert.deepEqual(replayed, { dryRun: true });
    assert.equal((await get("/etc/passwd")).status, 404);
    assert.equal((await get("/../package.json")).status, 404);
  });

  it("does nothing for a page of another site, nor for a form", async () => {
    const foreign = await post("/api/dead-letters/replay", {}, { origin: "https://evil.example" });
    assert.equal(foreign.status, 403);
    const form = await fetch(`${monitor.url}/api/dead-letters/replay`, {
      method: "POST",
      body: new URLSearchParams(),
    });
    assert.equal(form.status, 415);
    assert.equal(replayed, undefined);
    const status = await new Promise((resolve, reject) => {
      request(`${monitor.url}/metrics`, { headers: { host: "evil.example" } }, (answer) =>
        resolve(answer.statusCode),
      )
        .once("error", reject)
        .end();
    });
    assert.equal(status, 403);
  });
});
