import assert from "node:assert/strict";
import { Command } from "commander";
import { define, explain } from "../../../../pipeline/commands/command.js";
import { settingsTable } from "../../../../pipeline/settings/setting.js";
import { wholeNumber, yesOrNo } from "../../../../pipeline/settings/setting_values.js";

describe("explain", () => {
  it("tells the causes, each once", () => {
    const root = new Error("connection refused");
    const middle = new Error("no answer: connection refused", { cause: root });
    assert.equal(
      explain(new Error("cannot start", { cause: middle })),
      "cannot start: no answer: connection refused",
    );
    assert.equal(explain("text"), "text");
  });

  it("cuts passwords out of addresses", () => {
    const message = 'cannot read "mongodb://bob:p@ss@host/db" or http://a:b@c, write to me@example.net';
    assert.equal(
      explain(new Error(message)),
      'cannot read "mongodb://***@host/db" or http://***@c, write to me@example.net',
    );
  });
});

describe("a command", () => {
  const table = settingsTable({
    some_number: { description: "", expected: "a number", schema: wholeNumber(0, 9), default: "3" },
    some_switch: {
      description: "",
      expected: "true or false",
      schema: yesOrNo,
      default: "false",
      isSwitch: true,
    },
  });
  let complaints: string;
  let calls: unknown[];
  let restore: () => void;

  beforeEach(() => {
    complaints = "";
    calls = [];
    const { write } = process.stderr;
    process.stderr.write = ((text: string) => {
      complaints += text;
      return true;
    }) as typeof write;
    restore = () => {
      process.stderr.write = write;
    };
  });
  afterEach(() => restore());

  /** Resolves with the exit code. */
  async function invoke(args: string[], action?: () => Promise<number>): Promise<unknown> {
    const program = new Command().exitOverride();
    define(program.command("go"), {
      table,
      choices: ["left", "right"],
      action: async ({ settings }, choice) => {
        calls.push([settings.some_number, settings.some_switch, choice]);
        return action === undefined ? 0 : action();
      },
    });
    const before = process.exitCode;
    try {
      await program.parseAsync(["go", ...args], { from: "user" });
      return process.exitCode;
    } finally {
      process.exitCode = before;
      restore();
    }
  }

  it("gives its action typed values, with and without =", async () => {
    assert.equal(await invoke(["left", "--some_number=4"]), 0);
    assert.equal(await invoke(["--some_number", "5", "right", "--some_switch"]), 0);
    assert.equal(await invoke(["left", "--some_switch=no"]), 0);
    assert.deepEqual(calls, [
      [4, false, "left"],
      [5, true, "right"],
      [3, false, "left"],
    ]);
  });

  it("reports unknown flags, words and values together, and does not act", async () => {
    assert.equal(await invoke(["up", "--some_numbr=1", "--some_number=x", "--zzz"]), 2);
    assert.deepEqual(calls, []);
    assert.equal(
      complaints,
      [
        "1 setting and 3 arguments are wrong; nothing was started.",
        "  --some_numbr is unknown: did you mean --some_number?",
        "  --zzz is unknown",
        '  "up" is unknown: expected left, right',
        '  SOME_NUMBER (--some_number) is "x": expected a number',
        "",
      ].join("\n"),
    );
  });

  it("reports a word too many, and one that is missing", async () => {
    assert.equal(await invoke(["left", "right"]), 2);
    assert.match(
      complaints,
      /^1 argument is wrong; .*\n {2}unexpected argument "right": expected only one of left, right\n$/s,
    );
  });

  it("ends with 1 and the message when its action fails", async () => {
    const failing = () => Promise.reject(new Error("it broke", { cause: new Error("because") }));
    assert.equal(await invoke(["left"], failing), 1);
    assert.equal(complaints, "it broke: because\n");
  });
});
