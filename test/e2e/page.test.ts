/** The page of a live `run-local`, in a real Chromium: what it shows is so, and what it offers works. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "puppeteer-core";
import { type LocalServer, startKafka, startMongodb } from "../../services/index.js";
import { startChromium } from "../fixtures/chromium.js";
import { CommandLine } from "../fixtures/command_line.js";
import { startOrSkip, uniqueName } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

/** Kept for whoever wants to look; not in the repository. */
const ARTIFACTS = fileURLToPath(new URL("../../artifacts/page", import.meta.url));
const SHOWN_MAX_MS = 3_000;
/** What a machine that does other things may add. */
const BUSY_MS = 2_000;

describe("the page", function () {
  this.timeout(60_000);
  let folder: string;
  let browser: Browser;
  let page: Page;
  let kafka: LocalServer;
  let mongodb: LocalServer;
  let database: TestDatabase;
  let run: CommandLine;
  let url: string;
  const errors: string[] = [];

  before(async function () {
    this.timeout(300_000);
    folder = mkdtempSync(join(tmpdir(), "page-"));
    browser = await startChromium(this);
    [kafka, mongodb] = await startOrSkip(this, () =>
      Promise.all([
        startKafka({ dataDir: join(folder, "kafka") }),
        startMongodb({ dataDir: join(folder, "mongodb"), backend: "file" }),
      ]),
    );
    database = await TestDatabase.open(mongodb.address);
    run = new CommandLine(["run-local", "--rate=150"], {
      KAFKA_BOOTSTRAP: kafka.address,
      MONGODB_URI: mongodb.address,
      MONGODB_DATABASE: database.name,
      STATE_DIR: join(folder, "state"),
      JOB_NAME: uniqueName("page"),
      UI_PORT: "0",
    });
    url = await until("the address", () => /"page":"(http:[^"]+)"/.exec(run.stderr)?.[1], 60_000);
    page = await browser.newPage();
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" && !message.text().includes("ERR_")) errors.push(message.text());
    });
    // So that axe may be put into the page, which allows no scripts but its own.
    await page.setBypassCSP(true);
    await page.setViewport({ width: 1440, height: 900 });
    await page.goto(url);
  });

  after(async () => {
    await browser?.close();
    run?.kill("SIGKILL");
    await database?.close().catch(() => undefined);
    await Promise.all([kafka?.kill(), mongodb?.kill()]);
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const sentence = (): Promise<string> => page.$eval("#sentence", (element) => element.textContent ?? "");
  const level = (): Promise<string> =>
    page.$eval("#state", (element) => element.getAttribute("data-level") ?? "");
  const shown = async (name: string): Promise<number> => {
    const text = await page.$eval(`[data-value="${name}"]`, (element) => element.textContent ?? "");
    return Number(text.replaceAll(",", ""));
  };
  const metric = async (line: string): Promise<number> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    const found = text.split("\n").find((one) => one.startsWith(`${line} `));
    assert.ok(found !== undefined, `${line} is not in\n${text}`);
    return Number(found.slice(line.length));
  };

  it("says that all is well, and shows what /metrics and MongoDB say", async () => {
    await page.waitForSelector("#sentence");
    await until("pairs", async () => (await database.joined.countDocuments()) > 200, 40_000);
    await until("a healthy run", async () => (await sentence()).startsWith("healthy: "));
    // What is shown is of a moment between two looks.
    await until("the same orders", async () => {
      const before = await metric('ops_events_total{kind="orders"}');
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      const seen = await shown("orders.read");
      const after = await metric('ops_events_total{kind="orders"}');
      return before <= seen && seen <= after && before > 0;
    });
    await until("the same pairs", async () => {
      const before = await database.joined.countDocuments();
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      const seen = await shown("payments.joined");
      const told = await metric("ops_joined_total");
      const after = await until("documents", async () => {
        const count = await database.joined.countDocuments();
        return count >= told && count;
      });
      return before <= seen && seen <= told && told <= after;
    });
    const balance = await page.$eval("#books-table", (table) => table.closest("section")?.textContent);
    const stages = await page.$$eval(".stage h3", (titles) => titles.map((one) => one.textContent?.trim()));
    assert.match(balance ?? "", /balanced|in flight/);
    for (const stage of ["ReadOrders", "JoinOrdersPayments", "WriteJoined"])
      assert.ok(stages.includes(stage), stage);
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    assert.equal((await fetch(`${url}/readyz`)).status, 200);
  });

  it("explains a pair, and why an order is none", async () => {
    const ask = async (orderId: string): Promise<string> => {
      // As somebody would: the page holds what was typed, and puts it back.
      await page.focus("input[name=order_id]");
      await page.keyboard.down("Control");
      await page.keyboard.press("a");
      await page.keyboard.up("Control");
      await page.keyboard.press("Backspace");
      await page.type("input[name=order_id]", orderId);
      const before = await page.$eval("#explain", (section) => section.textContent ?? "");
      await page.click("#explain button");
      await until("an answer", async () => {
        const text = await page.$eval("#explain", (section) => section.textContent ?? "");
        return text !== before && !text.includes("Looking");
      });
      return page.$eval("#verdict", (element) => element.textContent ?? "");
    };
    const pair = await database.joined.findOne();
    assert.match(await ask(pair!.order_id), /^It is paired with /);
    const letter = await until(
      "a dead letter",
      async () => {
        return (await database.deadLetters.findOne({ reason: "INVALID" })) ?? undefined;
      },
      40_000,
    );
    const key =
      letter.key === null ? "" : Buffer.from(letter.key.buffer.subarray(0, letter.key.position)).toString();
    assert.match(await ask(key), /became a dead letter, INVALID: |^It (is|was) (not )?paired/);
    assert.match(await ask("nobody"), /^Nothing is known of it/);
  });

  it("shows dead letters and sends one again, once", async () => {
    await page.select("#letters select[name=reason]", "INVALID");
    await page.click("#letters form button.main");
    await page.waitForSelector("ol.letters li");
    const reasons = await page.$$eval("ol.letters .tag", (tags) => tags.map((tag) => tag.textContent));
    assert.deepEqual([...new Set(reasons)], ["INVALID"]);
    await page.click("ol.letters summary");
    await page.click("ol.letters input[type=checkbox]");
    await page.click("input[name=anyway]");
    const button = (text: string) =>
      page.locator(`::-p-xpath(//section[@id="letters"]//button[contains(., "${text}")])`);
    await button("Try without sending").click();
    await page.waitForSelector("#dry-run");
    assert.match(await page.$eval("#dry-run", (list) => list.textContent ?? ""), /^1 of 1 would be sent/);
    const sent = await database.deadLetters.countDocuments({ "replay.state": "done" });
    assert.equal(sent, 0);
    await button("Send 1").click();
    const id = await until(
      "a mark",
      async () => (await database.deadLetters.findOne({ "replay.state": "done" }))?._id,
    );
    await until("the mark on the page", async () =>
      (await page.$eval("ol.letters", (list) => list.textContent ?? "")).includes("replayed once"),
    );
    // It is no event still, so it has come back as another dead letter.
    const replayed = await database.deadLetters.findOne({ _id: id as never });
    await until("its new letter", async () => {
      const { topic, partition, offset } = replayed!.replay;
      return (
        (await database.deadLetters.findOne({ topic, partition, offset: BigInt(offset) as never })) ??
        undefined
      );
    });
  });

  it("is readable by everybody, in light and dark, on a telephone and on a desk", async () => {
    mkdirSync(ARTIFACTS, { recursive: true });
    const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
    await page.evaluate(axe);
    for (const width of [360, 1440]) {
      for (const theme of ["light", "dark"] as const) {
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
        await page.setViewport({ width, height: 900 });
        const problems = await page.evaluate(async () => {
          const { violations } = await (globalThis as any).axe.run();
          return violations
            .filter(({ impact }: any) => impact === "serious" || impact === "critical")
            .map(({ id, nodes }: any) => `${id}: ${nodes[0].html}`);
        });
        assert.deepEqual(problems, [], `${width} px, ${theme}`);
        const isWide = await page.$eval("html", (element, width) => element.scrollWidth > width, width);
        assert.equal(isWide, false, `at ${width} px it has to be scrolled sideways`);
        await page.screenshot({ path: join(ARTIFACTS, `${width}-${theme}.png`), fullPage: true });
      }
    }
  });

  /** @returns how long it took to be shown */
  const showsWithin = async (what: RegExp, since: number): Promise<void> => {
    await until(`${what}`, async () => what.test(await sentence()), SHOWN_MAX_MS + BUSY_MS);
    const tookMs = Date.now() - since;
    assert.ok(tookMs < SHOWN_MAX_MS + BUSY_MS, `it took ${tookMs} ms`);
    assert.equal(await level(), "trouble");
  };
  const isWellAgain = () => until("a healthy run", async () => (await level()) === "healthy", 40_000);

  it("shows within three seconds that Kafka does not answer, why, and that it does again", async () => {
    await isWellAgain();
    process.kill(kafka.pid!, "SIGSTOP");
    try {
      await showsWithin(
        /cannot be read|nothing can be read|is held by .*(broker \d+ does not answer)/,
        Date.now(),
      );
      assert.match(await sentence(), /broker \d+ does not answer/);
      assert.equal((await fetch(`${url}/healthz`)).status, 200, "an outage is no reason to end the process");
    } finally {
      process.kill(kafka.pid!, "SIGCONT");
    }
    await isWellAgain();
  });

  it("shows within three seconds that MongoDB is gone, why, and that it is back", async () => {
    await mongodb.kill();
    const since = Date.now();
    await showsWithin(/^nothing can be written, for .*: MongoDB at 127\.0\.0\.1:\d+: .*ECONNREFUSED/, since);
    assert.equal((await fetch(`${url}/readyz`)).status, 503);
    assert.equal(await metric('ops_server_up{server="MongoDB"}'), 0);
    await mongodb.start();
    await isWellAgain();
  });

  it("says so when the run has ended", async () => {
    run.kill("SIGKILL");
    await until("the end", async () => /does not answer since/.test(await sentence()));
    assert.deepEqual(errors, []);
  });
});
