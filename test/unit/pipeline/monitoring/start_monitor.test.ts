import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Health, systemClock } from "@order-payment-stream/beam/direct";
import { CommandError } from "../../../../pipeline/commands/command.js";
import { startMonitor } from "../../../../pipeline/monitoring/start_monitor.js";
import { createLog } from "../../../../pipeline/report/log.js";
import { Terminal } from "../../../../pipeline/report/terminal.js";
import { checkTogether, RUN_SETTINGS } from "../../../../pipeline/settings/options.js";
import { readSettings, SettingsError } from "../../../../pipeline/settings/read_settings.js";

describe("the page of a run", () => {
  let taken: Server;
  let port: number;
  let written: string;

  beforeEach(async () => {
    taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    ({ port } = taken.address() as AddressInfo);
    written = "";
  });
  afterEach(() => taken.close());

  const start = (flags: Record<string, string>, origin?: "default") => {
    const read = readSettings(RUN_SETTINGS, {
      flags: { sink: "stdout", ...flags },
      environment: {},
      file: {},
    });
    const origins = new Map(read.origins);
    if (origin !== undefined) origins.set("ui_port", origin);
    const terminal = new Terminal({ write: (text: string) => (written += text) });
    const log = createLog("info", terminal);
    return startMonitor(read.settings, { texts: read.texts, origins }, new Health(systemClock), log);
  };

  it("is at another port when the usual one is taken, and says so", async () => {
    const monitoring = await start({ ui_port: String(port) }, "default");
    assert.notEqual(monitoring.url, `http://127.0.0.1:${port}`);
    assert.equal((await fetch(`${monitoring.url}/healthz`)).status, 200);
    assert.match(written, /port \d+ is taken: the page of this run uses another port/);
    const shown: any = await (await fetch(`${monitoring.url}/api/settings`)).json();
    assert.ok(shown.some(({ name }: any) => name === "STATE_TIMEOUT_MINUTES"));
    await monitoring.close();
  });

  it("is refused before anything starts when a port that somebody has named is taken", async () => {
    await assert.rejects(start({ ui_port: String(port) }), (error: CommandError) => {
      assert.ok(error instanceof CommandError);
      assert.equal(error.exitCode, 2);
      assert.match(
        error.message,
        /UI_PORT \(--ui_port\) is \d+ .*: another program listens there\. Nothing was started/,
      );
      return true;
    });
  });

  it("is not there when it is not wanted", async () => {
    assert.equal((await start({ ui_port: "off" })).url, undefined);
  });

  it("is for others only with a token", () => {
    const read = (flags: Record<string, string>) => () =>
      readSettings(RUN_SETTINGS, { flags, environment: {}, file: {} }, checkTogether);
    assert.throws(read({ ui_host: "0.0.0.0" }), (error: SettingsError) => {
      assert.deepEqual(error.problems, [
        'UI_TOKEN (--ui_token) is not set: expected a text of 16 characters or more, because UI_HOST is "0.0.0.0", which others reach',
      ]);
      return error instanceof SettingsError;
    });
    read({ ui_host: "0.0.0.0", ui_token: "0123456789abcdef" })();
    read({ ui_host: "0.0.0.0", ui_port: "off" })();
  });
});
